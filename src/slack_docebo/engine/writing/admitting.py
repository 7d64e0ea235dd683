"""Admitting: the checks that every batch has to pass before it is sent, whoever planned it and when."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import chain

from slack_docebo.domain.decisions import reason_by_decision
from slack_docebo.domain.effects import (
    HARMFUL,
    TO_ACCOUNTS,
    account_of,
    accounts_of,
    is_of_returner,
    is_risky,
    managers_of,
    mapping_of,
    people_of,
)
from slack_docebo.domain.grace import OF_LEAVERS, is_of_leaver
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Present, Unknown
from slack_docebo.domain.operations import CONTENDED, Kind, Operation, Outcome
from slack_docebo.domain.people import LastSeen
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.returns import RETURNED
from slack_docebo.domain.situation import (
    reason_by_account,
    reason_by_branch,
    reason_by_managers,
    reason_by_mapping,
    reason_by_sight,
)
from slack_docebo.domain.unfound import reason_by_unfound
from slack_docebo.engine.planning.limits import over_by_now
from slack_docebo.engine.reading.evidence import answers_to, is_shown, observe_account
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo
from slack_docebo.engine.writing.leavers import MADE_BY_RULES, holders_before
from slack_docebo.engine.writing.managers import reasons_by_managers
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import ChangeLimitExceeded, Frozen, Halted, PlanChanged
from slack_docebo.runtime import Runtime
from slack_docebo.safe_points import safe_point
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

SERVED_SINCE = "an event about this person was applied since: plan again"
IN_GRACE = "the person has not been gone for LEAVERS_AFTER_DAYS"
IN_PART = "another change of this person could not be undone: all are undone, or none"
LISTED = timedelta(hours=1)  # other changes rest on no older list, unless to read one takes more than half of that


def standing_order(runtime: Runtime, tables: Tables) -> Halted | None:
    """Return the order, or the setting, by which nothing is written to this Docebo now, or None."""
    if last := runtime.behaviour.frozen_until(runtime.now()):
        return Frozen(
            f"nothing is written until the end of {last} (FREEZE in the settings); what is planned or waits is still there"
        )
    if halt := tables.halts.get(runtime.settings.docebo_url):
        return Halted(
            f"everything is {halt}: `go` (the form in Prefect, or `slack-docebo go`) lets it go on; what is planned or"
            " waits is still there"
        )
    return None


def check_halt(runtime: Runtime, tables: Tables) -> None:
    """Raise the error of `standing_order`, if there is one."""
    if order := standing_order(runtime, tables):
        raise order


def admit(
    runtime: Runtime, plan: Plan, batch: Sequence[Numbered], *, accounts: Accounts | None, policy: Policy
) -> tuple[list[Numbered], list[RowOutcome]]:
    """Return the rows of *batch* that may be sent now, noted as intents, and the outcomes of the others.

    *accounts*, where they were read again since the plan was made, are believed. People who were taken out of the plan
    meanwhile are in neither. What one run did about a person is undone together or not at all. Raises Halted,
    ToBeContinued where this run was told to end, and ChangeLimitExceeded where other runs have used up a limit
    meanwhile.
    """
    safe_point()
    with runtime.store.transaction() as tables:
        tables.intents.take_turns(runtime.settings.docebo_url)
        check_halt(runtime, tables)
        over = over_by_now(runtime, tables, plan.id)
        if not over:
            return _admitted(runtime, tables, plan, batch, accounts=accounts, policy=policy)
    raise ChangeLimitExceeded(
        f"Look at plan {plan.id}, and apply the rest of it if it is right, by the link in its summary or with"
        f" `slack-docebo plan apply {plan.id}`: {'; '.join(over)}; nothing more was written"
    )


def _admitted(
    runtime: Runtime,
    tables: Tables,
    plan: Plan,
    batch: Sequence[Numbered],
    *,
    accounts: Accounts | None,
    policy: Policy,
) -> tuple[list[Numbered], list[RowOutcome]]:
    undoes = plan.kind is PlanKind.UNDO
    admitted: list[Numbered] = []
    skipped: list[RowOutcome] = []
    there = tables.operations.still_planned(plan.id, [seq for seq, _ in batch])
    in_part = tables.operations.not_done(plan.id, [op.slack_id for _, op in batch]) if undoes else set()
    decisions = tables.binding(plan.slack_team)
    former_holders = holders_before(tables, plan, [op for _, op in batch]) if decisions else {}
    outdated = _outdated(tables, runtime, plan, [numbered for numbered in batch if numbered[0] in there])
    seen = _seen(tables, runtime.settings.docebo_url, batch) if accounts is not None else {}
    for seq, op in batch:
        if seq not in there:
            continue
        reason = outdated.get(seq, "") or (IN_PART if op.slack_id in in_part else "")
        reason = (
            reason_by_decision(decisions, op, former_holders)
            or reason
            or reason_by_branch(op, runtime.org_chart.branches)
        )
        if not reason and accounts is not None and op.kind in TO_ACCOUNTS and _shows(accounts, op):
            reason = _reason_by_look(op, accounts, seen, policy, undoes=undoes)
        if reason:
            skipped.append(RowOutcome(seq, Outcome.SKIPPED, error=reason))
        else:
            admitted.append((seq, op))
    sent = [seq for seq, op in admitted if op.kind in TO_ACCOUNTS]
    tables.intents.note(plan.id, sent, flow_run=runtime.run_id, now=runtime.now())
    return admitted, skipped


def _seen(tables: Tables, docebo: str, batch: Sequence[Numbered]) -> dict[int, LastSeen]:
    """Return what the accounts of *batch* were last seen to show."""
    return tables.sightings(docebo).last_seen(accounts_of(operation for _, operation in batch))


def _reason_by_look(
    operation: Operation, accounts: Accounts, seen: Mapping[int, LastSeen], policy: Policy, *, undoes: bool
) -> str:
    """Return why *operation* must not be sent, by what Docebo has shown of its account since the listing, or "".

    Slack is the source: whatever else somebody has changed in Docebo meanwhile, any import would overwrite.
    """
    return reason_by_sight(
        operation, accounts, seen.get(operation.docebo_id or 0, LastSeen()), undoes=undoes
    ) or reason_by_account(operation, accounts, policy, undoes=undoes, attributes=HARMFUL)


def _shows(accounts: Accounts, operation: Operation) -> bool:
    """Tell whether *accounts* are all there are, or hold the one that *operation* is about."""
    return bool(accounts.pages) or account_of(accounts, operation) is not None


def remapped_meanwhile(store: Store, docebo: str, batch: Sequence[Numbered]) -> set[int]:
    """Return the rows of *batch*, as numbers, that no longer fit the mappings, which somebody has changed."""
    with store.reading() as tables:
        return set(_reasons_by_mappings(tables, docebo, batch))


def _outdated(tables: Tables, runtime: Runtime, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return why rows of *batch* are outdated by what is stored now, by number."""
    docebo = runtime.settings.docebo_url
    return (
        _reasons_by_events_and_grace(tables, runtime, plan, batch)
        | _reasons_by_unfound(tables, docebo, plan, batch)
        | reasons_by_managers(runtime, tables, plan, batch)
        | _reasons_by_mappings(tables, docebo, batch)
    )


def _reasons_by_events_and_grace(
    tables: Tables, runtime: Runtime, plan: Plan, batch: Sequence[Numbered]
) -> dict[int, str]:
    """Return why people in *batch* are not let in, shut out or given another's account by this plan any more, by number."""
    if plan.kind not in MADE_BY_RULES:
        return {}
    holders = holders_before(
        tables, plan, [op for _, op in batch if op.prior is None or op.moves_mapping or op.passes_mapping]
    )
    entering_or_leaving = [
        (seq, op)
        for seq, op in batch
        if op.kind is Kind.CREATE or is_of_leaver(op.kind, op.reason) or is_of_returner(op) or op.slack_id in holders
    ]
    if not entering_or_leaving:
        return {}
    concerned = {seq: {*people_of([op]), *holders.get(op.slack_id, ())} for seq, op in entering_or_leaving}
    people = set(chain.from_iterable(concerned.values()))
    read_since = plan.read_since or plan.created_at
    served = tables.inbox.applied_since(read_since, plan.slack_team, people)
    reasons = {seq: SERVED_SINCE for seq, those in concerned.items() if not served.isdisjoint(those)}
    leavers = {
        seq: op for seq, op in entering_or_leaving if is_of_leaver(op.kind, op.reason) and op.kind in TO_ACCOUNTS
    }
    waiting = tables.standings.waiting_for(
        plan.docebo, plan.slack_team, accounts_of(leavers.values()), RETURNED, since=read_since
    )
    reasons |= {seq: f"{waiting[one]}{CONTENDED}" for seq, op in leavers.items() if (one := op.docebo_id) in waiting}
    if grace := timedelta(days=runtime.behaviour.leavers_after_days):
        leaving = [(seq, op) for seq, op in entering_or_leaving if op.kind in OF_LEAVERS]
        since, due = tables.leavers.since(plan.slack_team, people_of(op for _, op in leaving)), runtime.now() - grace
        reasons |= {seq: IN_GRACE for seq, op in leaving if op.mapped_as not in since or since[op.mapped_as] > due}
    return reasons


def _reasons_by_unfound(tables: Tables, docebo: str, plan: Plan, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return why creations in *batch* are not sent, by number: another plan may have made the account."""
    creations = [(seq, op) for seq, op in batch if op.kind is Kind.CREATE]
    if not creations:
        return {}
    unfound = tables.unfound.all(docebo, but_of=plan.id)
    found = {seq: reason_by_unfound(op, people_of([op]), unfound) for seq, op in creations}
    return {seq: reason for seq, reason in found.items() if reason}


def _reasons_by_mappings(tables: Tables, docebo: str, batch: Sequence[Numbered]) -> dict[int, str]:
    """Return why rows of *batch* no longer fit the mappings, by number."""
    mappings = tables.mappings(docebo)
    reasons: dict[int, str] = {}
    for team in {operation.slack_team for _, operation in batch}:
        of_team = [(seq, op) for seq, op in batch if op.slack_team == team]
        of_people = mappings.of(team, people_of(op for _, op in of_team))
        holders = mappings.holders(team, accounts_of(op for _, op in of_team))
        for seq, op in of_team:
            holder = holders.get(op.docebo_id, "") if op.docebo_id is not None else ""
            if reason := reason_by_mapping(op, mapping_of(op, of_people), holder):
                reasons[seq] = reason
    return reasons


def check_admitted(runtime: Runtime, plan_id: str, batch: Sequence[Numbered]) -> None:
    """Raise PlanChanged if a row of *batch* was taken out or is outdated since; raise what `check_halt` raises, too."""
    with runtime.store.transaction(durable=False) as tables:
        check_halt(runtime, tables)
        if len(tables.operations.still_planned(plan_id, [seq for seq, _ in batch])) < len(batch):
            raise PlanChanged(f"somebody was taken out of plan {plan_id}")
        if _outdated(tables, runtime, tables.plans.read(plan_id), batch):
            raise PlanChanged(f"what plan {plan_id} rests on has changed")


async def ask_before_harm(
    runtime: Runtime, plan: Plan, batch: Sequence[Numbered], *, looked_at: datetime, policy: Policy
) -> list[RowOutcome]:
    """Return the outcomes of rows in *batch* to skip, by what Docebo says of their accounts now.

    Before an account is shut it is asked for, one call each, whatever a list or a search has shown, up to
    EVIDENCE_CALLS. Other accounts are asked for if the list, read at *looked_at*, is too old: for risky changes
    (activation, another username, a moved mapping, a deactivation beyond EVIDENCE_CALLS) older than EVIDENCE_MINUTES;
    for any other change older than an hour and than twice the time that reading it took. Where Docebo shows no account
    at all by its id, a young list tells who is shut out. Those whom an account is to have as managers are asked for with
    it, as a row names a manager by the username, which may be another account's by now. What was asked for is sent right
    after, so a platform that lists slowly keeps no run from its end.
    """
    age = runtime.now() - looked_at
    shut = _to_be_asked_before_shutting(runtime, batch)
    asked = {
        seq: operation
        for seq, operation in batch
        if operation.docebo_id is not None and (seq in shut or _is_too_old(runtime, age, operation))
    }
    if not asked:
        return []
    managers = set(chain.from_iterable(map(managers_of, asked.values())))
    ids = dict.fromkeys([*(operation.docebo_id or 0 for operation in asked.values()), *sorted(managers)])
    with runtime.store.reading() as tables:
        seen = tables.sightings(runtime.settings.docebo_url).last_seen(ids)
    watch = OutageWatch(partial(ping_docebo, runtime.docebo))
    answers = {
        one: answer async for one, answer in answers_to(runtime, ids, partial(observe_account, runtime.docebo), watch)
    }
    shown = Accounts(answer.value for answer in answers.values() if isinstance(answer, Present))
    runtime.managers.usernames |= {one.docebo_id: one.username for one in shown if one.docebo_id in managers}
    is_fresh = age <= timedelta(minutes=runtime.behaviour.evidence_minutes)
    is_silent = is_fresh and any(isinstance(answers[asked[seq].docebo_id or 0], Unknown) for seq in shut)
    by_list = shut if is_silent and not await is_shown(runtime.docebo.shows_listed) else []
    skipped = []
    for seq, operation in asked.items():
        match answers[operation.docebo_id or 0]:
            case Present():
                undoes = plan.kind is PlanKind.UNDO
                reason = _reason_by_look(operation, shown, seen, policy, undoes=undoes) or next(
                    (answer.why for one in managers_of(operation) if isinstance(answer := answers[one], Unknown)),
                    reason_by_managers(operation, shown, seen),
                )
            case Gone(evidence):
                reason = evidence
            case Unknown(why):
                reason = "" if seq in by_list else why
        if reason:
            skipped.append(RowOutcome(seq, Outcome.SKIPPED, error=reason))
    return skipped


def _to_be_asked_before_shutting(runtime: Runtime, batch: Sequence[Numbered]) -> list[int]:
    """Return the deactivations in *batch*, at most as many as EVIDENCE_CALLS leaves this run, and count them."""
    shut = [seq for seq, operation in batch if operation.kind is Kind.DEACTIVATE]
    shut = shut[: runtime.behaviour.evidence_calls - runtime.evidence.last_looks]
    runtime.evidence.at_most += len(shut)
    runtime.evidence.last_looks += len(shut)
    return shut


def _is_too_old(runtime: Runtime, age: timedelta, operation: Operation) -> bool:
    """Tell whether a list of this *age* is too old for *operation*."""
    if is_risky(operation):
        return age > timedelta(minutes=runtime.behaviour.evidence_minutes)
    return operation.kind in {Kind.UPDATE, Kind.MOVE} and age > max(LISTED, 2 * runtime.listing.took)
