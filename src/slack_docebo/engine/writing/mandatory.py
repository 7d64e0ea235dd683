"""Mandatory fields: Docebo may refuse every new account because no rule fills one of them.

No refusal says so in words that could be read. So the conclusion is stored for a day, and only for these fields with
these rules; while it holds, no new account is sent.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress

from slack_docebo.clients.docebo_fields import DoceboFields
from slack_docebo.clients.docebo_wire import UserField
from slack_docebo.domain.attributes import fingerprint
from slack_docebo.domain.dialect import MANDATORY_FIELDS
from slack_docebo.domain.formulas import as_in_rules
from slack_docebo.domain.operations import NOT_SENT, Kind, Outcome
from slack_docebo.domain.quoting import MEANINGS
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.targets import TITLED
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.errors import RemoteError
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime

ENOUGH = 3  # new people who are refused, and nobody taken, before it is for none of theirs


async def reason_not_to_create(runtime: Runtime) -> str:
    """Return why no new account is sent, or ""; it takes one call if all new accounts were refused before."""
    known = known_dialect(runtime).answer(MANDATORY_FIELDS)
    if not known:
        return ""
    fields = await _unfilled(runtime.docebo.fields, runtime.behaviour.attributes)
    if known != _answer(runtime.behaviour, fields):
        return ""
    names = ", ".join(as_in_rules(f"{TITLED}{field.title}") for field in fields)
    return (
        f"{NOT_SENT}Docebo has refused everybody new, and no rule fills its mandatory {names}. Add a rule for it to SLACK |"
        " ATTRIBUTES, or let it be optional in Docebo; if that was for something else, let *mandatory fields* be forgotten in"
        " the form How this Docebo answers"
    )


async def learn_what_is_mandatory(runtime: Runtime, plan_id: str) -> None:
    """Store that Docebo has refused all new accounts, if it has and has mandatory fields that no rule fills.

    That is concluded only if all were refused in the same words, which are not known to mean something else.
    """
    with runtime.store.reading() as tables:
        outcomes = Counter[Outcome]()
        for kind, _, outcome, count in tables.operations.tally(plan_id):
            if kind is Kind.CREATE:
                outcomes[outcome] += count
        if outcomes[Outcome.APPLIED] or outcomes[Outcome.FAILED] < ENOUGH:
            return
        with closing(tables.operations.told(plan_id, Kind.CREATE)) as told:
            failed = (row.error for row in told if row.outcome == Outcome.FAILED)
            words = {error.partition("; ")[0].partition(". ")[0] for error in failed}
    if len(words) > 1 or words <= MEANINGS:
        return
    with suppress(RemoteError):  # then the next run learns it
        if fields := await _unfilled(runtime.docebo.fields, runtime.behaviour.attributes):
            answer = _answer(runtime.behaviour, fields)
            learn(runtime, MANDATORY_FIELDS, answer, source="new accounts, of which each was refused")


async def _unfilled(user_fields: DoceboFields, rules: Iterable[AttributeRule]) -> list[UserField]:
    filled = {rule.field_id for rule in rules}
    return [field for field in await user_fields.all() if field.mandatory and field.id not in filled]


def _answer(behaviour: IntegrationSettings, fields: list[UserField]) -> str:
    """Return the answer to store, which changes with the fields, the rules and the branch of new accounts."""
    rules = [*map(str, behaviour.attributes), str(behaviour.destination_branch)]
    digest = fingerprint({str(number): rule for number, rule in enumerate(rules)})
    ids = ", ".join(f"field_{number}" for number in sorted(field.id for field in fields))
    return f"{ids}, with the rules of digest {digest}" if fields else ""
