"""The fields of both sides, and which rule of the attribute mapping reads or fills them. Nothing is written."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.clients.docebo_wire import UserField
from slack_docebo.clients.slack import SlackClient
from slack_docebo.clients.slack_wire import ProfileField
from slack_docebo.domain.branches import Branches
from slack_docebo.domain.formulas import as_in_rules
from slack_docebo.domain.names import as_compared
from slack_docebo.domain.options import Options
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.sources import CUSTOM, SCIM_SOURCES, SOURCES
from slack_docebo.domain.targets import BRANCH, MANAGER, TARGETS, TITLED
from slack_docebo.errors import AccessDenied, RemoteError
from slack_docebo.runtime import Runtime

OPTIONS_SHOWN = 20
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FieldShown:
    """What can be read of a person in Slack, or filled in Docebo."""

    side: str
    name: str  # as rules name it
    rules: tuple[str, ...]  # that read or fill it
    id: str = ""  # where it is a field that somebody has made
    type: str = ""  # in the words of its side
    mandatory: bool = False  # in Docebo
    options: tuple[str, ...] = ()

    @property
    def options_told(self) -> str:
        """The options in one line, the first of them where there are many."""
        more = len(self.options) - OPTIONS_SHOWN
        return ", ".join(self.options[:OPTIONS_SHOWN]) + (f" and {more} more" if more > 0 else "")

    @property
    def row(self) -> dict[str, str]:
        """What a table shows of it, by the titles of the columns."""
        return {
            "side": self.side,
            "name": self.name,
            "id": self.id,
            "type": self.type,
            "mandatory": "yes" if self.mandatory else "",
            "options": self.options_told,
            "rules": "; ".join(self.rules),
        }


async def show_fields(runtime: Runtime) -> tuple[list[FieldShown], list[str]]:
    """Return all fields, Slack's first, and what could not be read: five calls, and one for each field with options.

    Names that fit no field, or several, are no error here: this is where somebody looks for the right ones.
    """
    rules = runtime.behaviour.attributes
    labels, fields, session = await asyncio.gather(
        _profile_fields(runtime.slack), runtime.docebo.fields.all(), runtime.docebo.session()
    )
    await runtime.docebo.fields.read_options(fields)
    custom, notes = labels
    branches, why_none = await _read(runtime.docebo.branches.all(), "Docebo's branches")
    types, why_no_types = await _read(runtime.docebo.manager_types(), "Docebo's types of managers")
    options = {
        "language": tuple(sorted(filter(None, session.languages))),
        BRANCH: Branches.of(branches).names,
        MANAGER: tuple(sorted(one.title for one in types)),
    }
    shown = [
        *(FieldShown(side="Slack", name=name, rules=_reading(rules, name)) for name in (*SOURCES, *SCIM_SOURCES)),
        *(_of_slack(rules, field) for field in custom),
        *(
            FieldShown(side="Docebo", name=name, rules=_filling(rules, name), options=options.get(name, ()))
            for name in TARGETS
        ),
        *(_of_docebo(runtime.docebo, rules, field) for field in fields),
    ]
    return shown, [*notes, *why_none, *why_no_types]


async def _profile_fields(slack: SlackClient) -> tuple[list[ProfileField], list[str]]:
    try:
        return await slack.profile_fields(), []
    except AccessDenied as error:
        return [], [f"Slack's custom profile fields could not be read: {error}"]


async def _read(listed: Awaitable[list[T]], what: str) -> tuple[list[T], list[str]]:
    """Return what is *listed*, or why it is not: not every platform has it, and the rest is still worth a look."""
    try:
        return await listed, []
    except RemoteError as error:
        return [], [f"{what} could not be read: {error}"]


def _of_slack(rules: Iterable[AttributeRule], field: ProfileField) -> FieldShown:
    name = f"{CUSTOM}{field.label}"
    names = {name, f"{CUSTOM}{field.id}"}
    return FieldShown(
        side="Slack",
        name=as_in_rules(name),
        id=field.id,
        type=field.type,
        options=field.options,
        rules=_reading(rules, *names),
    )


def _of_docebo(docebo: DoceboClient, rules: Iterable[AttributeRule], field: UserField) -> FieldShown:
    held = docebo.fields.options.get(field.id)
    options = tuple(filter(None, held.labels.values())) if isinstance(held, Options) else ()
    name, filling = as_in_rules(f"{TITLED}{field.title}"), rules_filling(rules, field)
    return FieldShown(
        side="Docebo",
        name=name,
        id=f"field_{field.id}",
        type=field.type,
        mandatory=field.mandatory,
        options=options,
        rules=filling,
    )


def rules_filling(rules: Iterable[AttributeRule], field: UserField) -> tuple[str, ...]:
    """Return the rules that fill the additional *field*, by its title or its id."""
    return _filling(rules, f"{TITLED}{field.title}", f"field_{field.id}")


def _reading(rules: Iterable[AttributeRule], *names: str) -> tuple[str, ...]:
    known = set(map(as_compared, names))
    return tuple(str(rule) for rule in rules if not known.isdisjoint(map(as_compared, rule.sources)))


def _filling(rules: Iterable[AttributeRule], *names: str) -> tuple[str, ...]:
    known = set(map(as_compared, names))
    return tuple(str(rule) for rule in rules if as_compared(rule.target) in known)
