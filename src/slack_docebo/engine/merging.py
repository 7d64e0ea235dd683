"""Merging: of all that waits about one person only the newest counts, and what it leaves open is read from Slack."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields
from typing import Any

from slack_docebo.domain.attributes import AttributeRule
from slack_docebo.domain.people import SourceUser
from slack_docebo.storage.inbox import Entry

FIELDS = frozenset(field.name for field in fields(SourceUser))


@dataclass(slots=True)
class Case:
    """What waits about one person."""

    slack_id: str
    event_ids: list[str]  # of the newest stamp: they share what becomes of it
    updated: int  # 0: Slack sent no stamp
    attempts: int
    newest: Entry
    user: SourceUser | None  # None: to be read from Slack
    doubtful: bool = False  # nobody can tell which of several profiles is the newest


def restored(profile: MappingType[str, Any]) -> SourceUser:
    """Return the user whose fields an event's profile holds, maybe stored by another version."""
    return SourceUser(**{name: profile[name] for name in FIELDS & profile.keys()})


def merge(entries: Iterable[Entry]) -> tuple[list[Case], list[str]]:
    """Return one case per person, in the order of arrival, and the ids of the events that are superseded by another.

    Slack stamps by the second: of different profiles with one stamp the last to arrive need not be the last made.
    """
    by_person: dict[str, list[Entry]] = {}
    for entry in entries:
        by_person.setdefault(entry.event.slack_id, []).append(entry)
    cases, superseded = [], []
    for slack_id, about in by_person.items():
        about.sort(key=lambda entry: (_stamp(entry), entry.event.received_at))
        last = about[-1]
        twins = [entry for entry in about if _stamp(entry) == _stamp(last)]
        superseded += [entry.event.event_id for entry in about[: len(about) - len(twins)]]
        cases.append(
            Case(
                slack_id=slack_id,
                event_ids=[entry.event.event_id for entry in twins],
                updated=last.event.updated,
                attempts=max(entry.attempts for entry in twins),
                newest=last,
                user=None if last.event.profile is None else restored(last.event.profile),
                doubtful=not last.event.updated or any(twin.event.profile != last.event.profile for twin in twins),
            )
        )
    return cases, superseded


def is_complete(user: SourceUser, rules: Sequence[AttributeRule]) -> bool:
    """Tell whether *user*, as an event showed it, has everything that *rules* look at.

    Events may come without e-mail address, locale and custom fields. Of people who are not looked after nothing is
    missing.
    """
    if user.bot or user.external or user.forgotten or user.deactivated:
        return True
    wants_locale = any(rule.source == "language" for rule in rules)
    wants_custom = any(rule.is_custom for rule in rules)
    return (
        bool(user.email) and (not wants_locale or bool(user.locale)) and (not wants_custom or user.custom is not None)
    )


def _stamp(entry: Entry) -> float:
    return entry.event.updated or entry.event.received_at.timestamp()
