"""Left behind: rows that were sent by runs that died, so that their outcome is unknown.

Until it is known, an account that a dead run has shut would count as shut by somebody else, and one that it has opened
as still shut.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from slack_docebo.domain.effects import account_of, differs
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import SENT_BEFORE, Kind, Operation, Outcome
from slack_docebo.domain.targets import field_id_of, is_manager, is_never_shown, manager_type_of
from slack_docebo.engine.reading.accounts import INDEX_LAG
from slack_docebo.engine.reading.attribute_fields import know_fields
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.writing.recording import Numbered, record
from slack_docebo.engine.writing.refused_creations import made_by_others
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.engine.writing.verifying import Verifier
from slack_docebo.runtime import Runtime
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import AFTER_AN_IMPORT, Plan, PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

NOT_SHOWN = "Docebo does not show the account"
# Whose runs are alone by one lock, so that an intent of another plan of theirs is that of a run that is dead.
ALONE_TOGETHER = (
    AFTER_AN_IMPORT | {PlanKind.BULK_IMPORT, PlanKind.UNDO},
    frozenset({PlanKind.RESET_MAPPINGS}),
)


def left_behind(runtime: Runtime, kind: PlanKind) -> list[str]:
    """Return the ids of the plans with rows that were sent by dead runs.

    A run is dead if this one, of *kind*, has the lock that it would hold, or if it has noted nothing for so long that
    none can be at work on it. An import finds out whether another run, or none, holds the lock of runs that serve
    events.
    """
    kinds = next((kinds for kinds in ALONE_TOGETHER if kind in kinds), frozenset())
    docebo, now = runtime.settings.docebo_url, runtime.now()
    with runtime.store.reading() as tables:
        found = tables.intents.left_behind(docebo, kinds, before=now - INDEX_LAG)
        of_few = tables.intents.left_behind(docebo, {PlanKind.REALTIME_SYNC}, before=now - INDEX_LAG)
    if kind not in ALONE_TOGETHER[0] or not (others := set(of_few).difference(found)):
        return found
    held_since = RunLock(runtime.store, docebo, PlanKind.REALTIME_SYNC).held_since()
    with runtime.store.reading() as tables:
        over = tables.intents.left_behind(docebo, (), before=held_since) if held_since else of_few
        return found + [
            one for one in of_few if one in others and (one in over or _is_for_named(tables.plans.read(one)))
        ]


def _is_for_named(plan: Plan) -> bool:
    """Tell whether the plan is for named people, so that its run holds the lock of an import."""
    return plan.kind is PlanKind.REALTIME_SYNC and plan.read_since is not None


async def settle_left_behind(runtime: Runtime, kind: PlanKind, *, at_work: str = "") -> None:
    """Find out what became of rows that dead runs have sent, and record it; *at_work* is the plan of this run.

    It is called before a run of *kind* plans, so that their doing is not taken for somebody else's, and at its end, for
    what was not shown before.
    """
    for plan_id in left_behind(runtime, kind):
        if plan_id != at_work:
            rest, accounts = await _settle(runtime, plan_id, in_doubt(runtime.store, plan_id))
            with runtime.store.transaction() as tables:
                _note_in_doubt(tables, runtime.settings.docebo_url, plan_id, rest)
                old = tables.intents.noted_before(plan_id, runtime.now() - INDEX_LAG)
                tables.intents.give_up(plan_id, old.intersection(_perhaps_done(rest, accounts)))
                tables.intents.settle(plan_id, old)
                _tell_given_up(runtime, tables, plan_id, rest)


async def settle_for(runtime: Runtime, slack_ids: Iterable[str]) -> None:
    """Find out what became of all rows sent for these people, and record it; a call under way is waited for."""
    with runtime.store.reading() as tables:
        sent = tables.intents.about(runtime.settings.docebo_url, slack_ids)
    await _settle_operations(runtime, sent)


async def settle_sent_by(runtime: Runtime, of: str) -> None:
    """Find out what became of rows sent by *of*, a plan or a flow run, and record it, so that it can be undone."""
    with runtime.store.reading() as tables:
        sent = tables.intents.sent_by(runtime.settings.docebo_url, of)
    if sent:
        await validate(runtime)
    await _settle_operations(runtime, sent)


async def _settle_operations(runtime: Runtime, sent: Mapping[str, Collection[int]]) -> None:
    """Find out what became of operations, given by their numbers by plan, and record it."""
    for plan_id, seqs in sent.items():
        with runtime.store.reading() as tables:
            batch = tables.operations.without_outcome(plan_id, seqs)
        await _settle(runtime, plan_id, batch)


def in_doubt(store: Store, plan_id: str) -> list[Numbered]:
    """Return the operations of the plan that were sent with an unknown outcome."""
    with store.reading() as tables:
        seqs = tables.intents.sent(plan_id)
        return tables.operations.without_outcome(plan_id, seqs) if seqs else []


async def _settle(runtime: Runtime, plan_id: str, batch: Sequence[Numbered]) -> tuple[list[Numbered], Accounts]:
    """Record which rows of *batch*, sent by *plan_id*, are carried out; return the rest, and the accounts by which."""
    fields = {field_id for _, op in batch for name in op.changes if (field_id := field_id_of(name))}
    if fields:
        await know_fields(runtime, fields)  # else a field that no rule names any more would seem to be emptied
    with runtime.store.reading() as tables:
        recorded = partial(record, runtime, plan_id, flow_run=tables.intents.run_of(plan_id))
    by_others = made_by_others(runtime.store, runtime.settings.docebo_url, plan_id, batch)
    recorded(batch, by_others)
    settled = {result.seq for result in by_others}
    verifier = Verifier(runtime, plan_id, Rereading(runtime), recorded)
    rest = await verifier.settle([numbered for numbered in batch if numbered[0] not in settled])
    return rest, verifier.rereading.accounts or Accounts()


def _perhaps_done(rest: Iterable[Numbered], accounts: Accounts) -> set[int]:
    """Return the operations in *rest*, as numbers, but for changes that their account shows not to be carried out."""

    def is_shown_undone(op: Operation) -> bool:
        account = None if op.kind is Kind.CREATE else account_of(accounts, op)
        return account is not None and any(differs(account, name, value) for name, value in op.changes.items())

    return {seq for seq, op in rest if not is_shown_undone(op)}


def _note_in_doubt(tables: Tables, docebo: str, plan_id: str, rest: Sequence[Numbered]) -> None:
    """Note that branch and manager are in doubt for the people in *rest* to whom the plan was to give others.

    Nothing else would show that this was done: if Slack then says the former value again, the new one would stay for
    ever.
    """
    given = [(seq, op, op.docebo_id) for seq, op in rest if op.docebo_id and any(map(is_never_shown, op.changes))]
    if given:
        tables.placements(docebo).doubt(docebo_id for _, op, docebo_id in given if op.kind is Kind.MOVE)
        tables.managers(docebo).doubt(
            {
                (docebo_id, manager_type_of(name)): int(value or 0)
                for _, op, docebo_id in given
                for name, value in op.changes.items()
                if is_manager(name)
            }
        )
        tables.intents.give_up(plan_id, [seq for seq, _, _ in given])


def _tell_given_up(runtime: Runtime, tables: Tables, plan_id: str, rest: Sequence[Numbered]) -> None:
    """Record that the outcome of creations in *rest* stays unknown whose accounts no run looks for any more.

    Until now their outcome said that the next run looks. The account may be why the same creation is refused later.
    """
    looked_for = tables.intents.of(plan_id)
    if given_up := {seq for seq, op in rest if op.kind is Kind.CREATE and seq not in looked_for}:
        said = {
            one.seq for one in tables.unfound.all(runtime.settings.docebo_url) if one.is_said and one.plan_id == plan_id
        }
        told = sorted(given_up - said - tables.operations.still_planned(plan_id, given_up))
        results = [RowOutcome(seq, Outcome.SKIPPED, error=f"{NOT_SHOWN}{SENT_BEFORE}") for seq in told]
        tables.operations.record(plan_id, results, now=runtime.now(), flow_run=runtime.run_id)
