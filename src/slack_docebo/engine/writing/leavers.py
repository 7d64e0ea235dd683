"""Leavers, people who are back, and former holders: Slack is asked again before anything is done."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.effects import accounts_of, activates, is_of_returner, people_of
from slack_docebo.domain.grace import is_of_leaver
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import Kind, Operation, Outcome
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.returns import has_left, reported_given
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.reading.overtaken import overtaken
from slack_docebo.engine.reading.user_groups import read_user_groups
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind
from slack_docebo.storage.tables import Tables

MADE_BY_RULES = frozenset(PlanKind) - {PlanKind.UNDO, PlanKind.RESET_MAPPINGS}  # others do what somebody asked for
NO_ACCOUNT_BY_NOW = "the person is not to have an account by now: "  # before the reason


async def ask_whether_still_so(
    runtime: Runtime, plan: Plan, batch: Sequence[Numbered], policy: Policy
) -> list[RowOutcome]:
    """Return the outcomes of rows to skip, because Slack no longer says that the person has left, or is back.

    Slack is asked, one call each, for people whom the plan would deactivate, unmap or move as leavers, and for those
    whose accounts it would activate or move back. Where it would give somebody the mapping or the former account of
    another person, both are asked for. Nobody is asked for if this run has made the plan by a list that is younger than
    EVIDENCE_MINUTES. Where the scope names user groups, they are read again as well, at most once a minute; *policy* is
    that by which they were read before. Raises what `read_user_groups` raises.
    """
    if plan.kind not in MADE_BY_RULES or _is_fresh(runtime, plan):
        return []
    with runtime.store.reading() as tables:
        holders = holders_before(tables, plan, [operation for _, operation in batch])
    about = [
        (seq, op)
        for seq, op in batch
        if is_of_leaver(op.kind, op.reason) or is_of_returner(op) or op.slack_id in holders
    ]
    if not about:
        return []
    if runtime.behaviour.reads_user_groups:
        await read_user_groups(runtime, plan.slack_team, if_older=True)
        policy = runtime.behaviour.policy(plan.slack_team)
    asked = dict.fromkeys([*(op.slack_id for _, op in about), *sorted(chain(*holders.values()))])
    answers = await ask_for_people(runtime, plan.slack_team, asked)
    answers |= await to_completion(overtaken, runtime, plan.slack_team, answers)
    reasons = {seq: _reason(op, answers[op.slack_id], policy) for seq, op in about}
    for seq, op in about:
        for holder in sorted(holders.get(op.slack_id, ())):
            reasons[seq] = reasons[seq] or _reason_by_holder(op, holder, answers[holder], policy)
    return [RowOutcome(seq, Outcome.SKIPPED, error=reason) for seq, reason in reasons.items() if reason]


def holders_before(tables: Tables, plan: Plan, operations: Collection[Operation]) -> dict[str, set[str]]:
    """Return the former holders of mappings and accounts that *operations* give, by the Slack id of who gets them.

    The former holder of an account counts only if it is unmapped now and was never given before to the one who gets it.
    """
    given = [one for one in operations if one.kind in {Kind.UPDATE, Kind.MAP} and one.docebo_id is not None]
    former = tables.applied(plan.docebo).former_holders(accounts_of(given))
    found = {slack_id: {holder} for slack_id, holder in passed_on_to(tables, plan.slack_team, operations).items()}
    for one in given:
        others = former.get(one.docebo_id or 0, set())
        if others and one.slack_id not in others:
            found[one.slack_id] = found.get(one.slack_id, set()) | others
    return found


def passed_on_to(tables: Tables, team: str, operations: Collection[Operation]) -> dict[str, str]:
    """Return whose mapping *operations* pass on, by the Slack id of the person who gets it."""
    passed_on = [one for one in operations if one.passes_mapping]
    keys = tables.people.of(team, people_of(passed_on)) if passed_on else {}
    return {
        one.slack_id: one.mapped_as
        for one in passed_on
        if one.slack_id not in keys or keys[one.slack_id] != keys.get(one.mapped_as)
    }


def _is_fresh(runtime: Runtime, plan: Plan) -> bool:
    age = runtime.now() - (plan.read_since or runtime.begun)
    return plan.flow_run == runtime.run_id and age <= timedelta(minutes=runtime.behaviour.evidence_minutes)


def _reason(operation: Operation, seen: Observation[SourceUser], policy: Policy) -> str:
    expects_leaver = is_of_leaver(operation.kind, operation.reason)
    match seen:
        case Present(user) if is_leaver(user, policy) is not expects_leaver:
            return "the person is in Slack again" if expects_leaver else "the person has left Slack again"
        case Gone() if not expects_leaver:
            return "the person has left Slack again"
        case Present(user) if not expects_leaver:
            against = policy.scope.reason_against(user)
            against = against or (policy.scope.kind_in_doubt(user) if activates(operation) else "")
            return f"{NO_ACCOUNT_BY_NOW}{against}" if against else ""
        case Unknown(why):
            return why
    return ""


def _reason_by_holder(operation: Operation, holder: str, seen: Observation[SourceUser], policy: Policy) -> str:
    if isinstance(seen, Present) and operation.slack_id in seen.value.ids:
        return ""
    if has_left(seen):
        is_reported = holder != operation.mapped_as and policy.reports_former_holders
        return reported_given(operation.docebo_id or 0, holder) if is_reported else ""
    whose = "whose mapping this is" if holder == operation.mapped_as else "to whom the account was given before"
    return f"{holder}, {whose}, is not gone from Slack"
