"""Circles: who of a saved plan would be the own manager, be it by way of others, as things are by now.

The plan was made so that nobody is. Events, and later imports, may have given people other managers since, and what is
undone comes back into a hierarchy that has changed.
"""

from collections import defaultdict

from slack_docebo.domain.managers import IN_A_CIRCLE, IN_DOUBT, not_writable
from slack_docebo.domain.operations import Kind, Outcome
from slack_docebo.domain.targets import is_manager, manager_type_of
from slack_docebo.engine.writing.recording import Numbered, record
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome

OPERATIONS_AT_ONCE = 500


def skip_circles(runtime: Runtime, plan_id: str) -> int:
    """Mark as skipped who of the plan would come into a circle of managers with those whom it leaves; return their number."""
    named, planned = defaultdict[int, dict[int, int]](dict), dict[int, Numbered]()
    after = -1
    with runtime.store.reading() as tables:
        while some := tables.operations.pending(plan_id, Kind.UPDATE, OPERATIONS_AT_ONCE, after=after):
            after = some[-1][0]
            for seq, operation in some:
                for name, value in operation.changes.items():
                    if is_manager(name) and operation.docebo_id is not None:
                        named[manager_type_of(name)][operation.docebo_id] = int(value or 0)
                        planned[operation.docebo_id] = seq, operation
        accounts = tables.accounts_at(runtime.settings.docebo_url)
        circled = set[int]()
        for type_id, managers in named.items():
            set_before = {one: by for one, by in accounts.managers_as(type_id).items() if by not in {0, IN_DOUBT}}
            circled |= not_writable(managers, set_before)
    batch = [planned[one] for one in sorted(circled)]
    record(runtime, plan_id, batch, [RowOutcome(seq, Outcome.SKIPPED, error=IN_A_CIRCLE) for seq, _ in batch])
    return len(batch)
