"""Leavers, and who is back: where Slack said so long ago, it is asked again right before anything is done."""

from collections.abc import Sequence
from datetime import timedelta

from slack_docebo.domain.effects import activates
from slack_docebo.domain.grace import is_of_leaver
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.policy import Policy
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.plans import Plan, PlanKind

OF_THE_RULES = frozenset({PlanKind.BULK_IMPORT, PlanKind.CUSTOM_FIELDS, PlanKind.MOVES, PlanKind.REALTIME_SYNC})


async def ask_whether_still_so(
    runtime: Runtime, plan: Plan, batch: Sequence[Numbered], policy: Policy
) -> list[RowOutcome]:
    """Return who of *batch* is to be skipped, for Slack does not say any more that the person has left, or is back.

    Slack is asked, one call each, for those whom the plan would deactivate, unmap or move as leavers, and for those whose
    accounts it would activate. It is not asked where this run has made the plan by a list that is younger than
    EVIDENCE_MINUTES.
    """
    if plan.kind not in OF_THE_RULES or _is_fresh(runtime, plan):
        return []
    asked = [(seq, op) for seq, op in batch if is_of_leaver(op.kind, op.reason) or activates(op)]
    if not asked:
        return []
    answers = await ask_for_people(runtime, plan.slack_team, [operation.slack_id for _, operation in asked])
    reasons = {
        seq: _reason(answers[op.slack_id], policy, expects_leaver=is_of_leaver(op.kind, op.reason)) for seq, op in asked
    }
    return [RowOutcome(seq, Outcome.SKIPPED, error=reason) for seq, reason in reasons.items() if reason]


def _is_fresh(runtime: Runtime, plan: Plan) -> bool:
    age = runtime.now() - (plan.read_since or runtime.begun)
    return plan.flow_run == runtime.run_id and age <= timedelta(minutes=runtime.behaviour.evidence_minutes)


def _reason(seen: Observation[SourceUser], policy: Policy, *, expects_leaver: bool) -> str:
    match seen:
        case Present(user) if is_leaver(user, policy) is not expects_leaver:
            return "the person is in Slack again" if expects_leaver else "the person has left Slack again"
        case Gone() if not expects_leaver:
            return "the person has left Slack again"
        case Unknown(why):
            return why
    return ""
