"""The branches of Docebo's organisation chart, read in one call, and in which of them single accounts are."""

from collections.abc import Collection
from datetime import timedelta
from functools import partial

from slack_docebo.domain.branches import Branches
from slack_docebo.domain.observation import Present
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.evidence import answers_to, reserve_calls
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo
from slack_docebo.runtime import Runtime

SHOWN = "branches"  # of what a view shows besides


async def read_branches(runtime: Runtime) -> Branches:
    """Read the branches, by which rules find theirs from now on, and rows name them."""
    read_at = runtime.now()
    runtime.org_chart.branches = Branches.of(await runtime.docebo.branches.all())
    runtime.org_chart.read_at = read_at
    runtime.behaviour = runtime.behaviour.with_values({BRANCH: runtime.org_chart.branches})
    return runtime.org_chart.branches


async def renew_branches(runtime: Runtime) -> None:
    """Read the branches if they were never read, or longer ago than EVIDENCE_MINUTES.

    It is called before somebody is placed: a renamed branch gets its new name, and a row for a deleted one waits.
    """
    read_at, oldest = runtime.org_chart.read_at, timedelta(minutes=runtime.behaviour.evidence_minutes)
    if read_at is None or runtime.now() - read_at > oldest:
        await read_branches(runtime)


async def branches_of(runtime: Runtime, docebo_ids: Collection[int]) -> dict[int, frozenset[int]]:
    """Return the branches of each of these accounts, as its own page shows them, for a call each.

    Accounts whose branches are not shown are left out; all are if Docebo does not show those of the first one, or if
    EVIDENCE_CALLS is too low.
    """
    found: dict[int, frozenset[int]] = {}
    if not docebo_ids or not reserve_calls(runtime, accounts=len(docebo_ids)):
        return found
    watch = OutageWatch(partial(ping_docebo, runtime.docebo))
    async for docebo_id, seen in answers_to(runtime, sorted(docebo_ids), runtime.docebo.view, watch):
        if not isinstance(seen, Present):
            continue
        shown = seen.value.besides.get(SHOWN)
        if shown is None and not found:
            break
        if ids := frozenset(map(int, filter(None, (shown or "").split(",")))):
            found[docebo_id] = ids
    return found
