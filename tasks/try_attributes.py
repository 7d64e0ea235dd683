"""The attribute mapping tried out, as an artifact."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from slack_docebo.domain.people import PeopleShown
from slack_docebo.domain.texts import people
from slack_docebo.engine.looking.explaining import Compared, explain
from slack_docebo.engine.looking.trying import Tried, try_rules
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime
from tasks.artifacts import publish_steps, publish_table
from tasks.change_settings import with_rules
from tasks.policies import RETRIED

SAVE = "Put these rules into the settings: see first what that changes"


@task(name="Try attributes", task_run_name="Try attributes", cache_policy=NO_CACHE, **RETRIED)
async def try_attributes(runtime: Runtime, who: str, rules: str = "") -> str:
    """Publish what the rules make of one person, or of a sample if *who* is ""; return that in numbers.

    From *rules* that are not saved, a link leads to the settings with them.
    Values are shown where people are shown by names; elsewhere it is said whether there is one, and what is not known.
    """
    if who:
        found = await explain(runtime, who)
        if found.user is None:
            raise ConfigurationError(f"Slack shows nobody for {who}")
        tried = [Tried(found.slack_id, found.attributes)]
    else:
        tried = await try_rules(runtime)
    named = runtime.behaviour.people_shown is PeopleShown.NAMES
    rows = [_row(one.slack_id, compared, named) for one in tried for compared in one.attributes]
    what = f"What the rules make of {people(len(tried))}{'' if named else ', without values'}"
    await publish_table(rows, key="tried-attributes", description=what)
    if rules:
        await publish_steps([await with_rules(SAVE, rules)], key="tried-attributes-next")
    without = sum(not compared.source for one in tried for compared in one.attributes)
    return f"tried on {people(len(tried))}; rules that give a value: {len(rows) - without}, that give none: {without}"


def _row(slack_id: str, compared: Compared, named: bool) -> dict[str, str | int | None]:
    return {
        "Slack user": slack_id,
        "rule": compared.rule,
        "reads": compared.reads if named else _unsaid(compared),
        "gives": compared.source if named else _given(compared),
        "note": compared.note,
    }


def _given(compared: Compared) -> str:
    return "a value" if compared.source else ""


def _unsaid(compared: Compared) -> str:
    return f"not said by Slack: {compared.unsaid}" if compared.unsaid else "all is said"
