"""Merging the events of one person: only the newest counts. What it does not say is read from Slack afterwards."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields, replace
from typing import Any

from slack_docebo.domain.attributes import AttributeRule
from slack_docebo.domain.people import SourceUser
from slack_docebo.storage.inbox import Entry

FIELDS = frozenset(field.name for field in fields(SourceUser))


@dataclass(slots=True)
class Case:
    """The waiting events of one person as one: what the newest says, and which events share its outcome."""

    slack_id: str
    event_ids: list[str]  # of all events that bear the newest stamp
    updated: int  # 0: Slack sent no stamp
    attempts: int
    newest: Entry
    user: SourceUser | None  # None: to be read from Slack
    doubtful: bool = False  # several profiles may be the newest, or there is no stamp: Slack has to be asked


def restored(profile: MappingType[str, Any]) -> SourceUser:
    """Return the user that the *profile* of a stored event describes; fields of another version are passed over."""
    user = SourceUser(**{name: profile[name] for name in FIELDS & profile.keys()})
    return replace(user, teams=tuple(user.teams))  # JSON knows lists alone


def merge(entries: Iterable[Entry]) -> tuple[list[Case], list[str]]:
    """Return a case for each person, in the order of arrival, and the ids of events that a newer one supersedes.

    Slack stamps by the second: of two profiles with the same stamp, the one that arrived last need not be the newer.
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


def one_each(cases: Iterable[Case]) -> list[Case]:
    """Return *cases* with one for each person, the newest, where events of several ids turned out to be of one."""
    found: dict[str, Case] = {}
    for case in cases:
        other = found.setdefault(case.slack_id, case)
        if other is not case:
            newest, older = (case, other) if case.updated > other.updated else (other, case)
            newest.event_ids += older.event_ids
            found[case.slack_id] = newest
    return list(found.values())


def is_complete(user: SourceUser, rules: Sequence[AttributeRule]) -> bool:
    """Tell whether *user*, as an event showed it, has every value that *rules* read.

    Events may lack e-mail address, locale and custom fields, and on Enterprise Grid the workspaces, without which nobody
    can tell whether it is about a member. People whose attributes are not written are complete.
    """
    if user.bot or user.external or user.forgotten or user.deactivated:
        return True
    if not user.workspaces or (user.organisation and not user.teams):
        return False
    wants_locale = any(rule.source == "language" for rule in rules)
    wants_custom = any(rule.is_custom for rule in rules)
    return (
        bool(user.email) and (not wants_locale or bool(user.locale)) and (not wants_custom or user.custom is not None)
    )


def _stamp(entry: Entry) -> float:
    return entry.event.updated or entry.event.received_at.timestamp()
