"""Automations: what Prefect's server does by itself about a run whose process and worker are gone."""

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

from deployments.lost_runs import ENDED
from slack_docebo.engine.reporting.troubles import A_CRASH, Trouble, state_message
from tasks.links import TAG

SILENCE_SECONDS = 600  # a run sends a heartbeat every 180 seconds: less than three times that gives false alarms
_OURS = {"description", "trigger", "actions"}


async def ensure_automations(client: PrefectClient) -> bool:
    """Make the automations that are missing or differ; tell whether one was written."""
    written = False
    for wanted in automations():
        present = await client.read_automations_by_name(wanted.name)
        if not present:
            written = True
            await client.create_automation(wanted)
            present = await client.read_automations_by_name(wanted.name)  # others may have made it at once
        kept, *more = sorted(present, key=lambda one: str(one.id))  # the same one, whoever looks
        for one in more:
            await client.delete_automation(one.id)
        if kept.model_dump(include=_OURS) != wanted.model_dump(include=_OURS):
            written = True
            # An operator may have switched it off: then it stays off.
            wanted.enabled = kept.enabled
            await client.update_automation(kept.id, wanted)
    return written


def automations(silence_seconds: int = SILENCE_SECONDS) -> list[AutomationCore]:
    """Return the automations: what Prefect's server does about a run whose process and worker are gone."""
    signs_of_life = "prefect.flow-run.heartbeat"
    # Events bear the names of states, ours among them. Not all of them, by a wildcard: the event of a run's beginning
    # can come after its first sign of life, and would pass for the next one.
    ends = {ENDED, *(f"prefect.flow-run.{end}" for end in (*Trouble, "Completed", "TimedOut", "Cancelling"))}
    return [
        AutomationCore(
            name="slack-docebo: a run without signs of life has crashed",
            description="Its process or machine is gone. What it had begun is done by the next run; nothing is lost.",
            trigger=EventTrigger(
                posture=Posture.Proactive,
                after={signs_of_life},
                expect={signs_of_life, *ends},
                match={"prefect.resource.id": "prefect.flow-run.*"},
                match_related={
                    "prefect.resource.role": "tag",
                    "prefect.resource.id": f"prefect.tag.{TAG}",
                },
                for_each={"prefect.resource.id"},
                threshold=1,
                within=silence_seconds,
            ),
            actions=[
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    message=state_message(
                        A_CRASH,
                        f"no sign of life for {silence_seconds / 60:g} minutes, for its process or machine is gone",
                    ),
                )
            ],
        )
    ]
