"""Merging the waiting events of each person into one case: only what the newest event says counts."""

from collections.abc import Iterable, Sequence
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from slack_docebo.domain.people import NOT_STORED, Known, Mapping, SourceUser
from slack_docebo.domain.rules import AttributeRule, custom_fields, reads_scim
from slack_docebo.domain.sources import OF_LOCALE
from slack_docebo.domain.stamps import TOLERANCE, believed
from slack_docebo.domain.targets import MANAGER
from slack_docebo.storage.events import InboxEntry

FIELDS = frozenset(field.name for field in fields(SourceUser))


@dataclass(frozen=True, slots=True)
class Case:
    """The waiting events of one person: what the newest one says, and the events that share its outcome."""

    slack_id: str
    event_ids: list[str]  # of all events with the newest stamp
    updated: int  # UNSTAMPED: Slack sent no stamp, or an impossible one
    attempts: int
    newest: InboxEntry
    user: SourceUser | None  # None: to be read from Slack
    doubtful: bool = False  # nobody can tell which profile is the newest, so Slack is asked for it
    read: bool = False  # *user* is Slack's answer, and not what the event says
    tried: bool = False  # one of the person's events has failed before, or is looked at again
    incident: str = ""  # with which the newest of the events that were ever held back waits, or waited
    known: Known | None = None  # which account the person has, or had last
    settled: MappingType[str, Any] | None = None  # the profile of the last applied event, if no fingerprint tells it

    @property
    def mapping(self) -> Mapping | None:
        """The person's mapping."""
        return self.known if isinstance(self.known, Mapping) else None

    @property
    def person(self) -> SourceUser:
        """The person, once known."""
        assert self.user is not None  # noqa: S101  (whoever is not known is read from Slack before)
        return self.user

    @property
    def pair(self) -> tuple[SourceUser, Mapping | None]:
        """The person, once known, and the mapping."""
        return self.person, self.mapping


def event_ids(cases: Iterable[Case]) -> list[str]:
    """Return the ids of the events of *cases*."""
    return [event_id for case in cases for event_id in case.event_ids]


def restored(profile: MappingType[str, Any] | None) -> SourceUser | None:
    """Return the user that the *profile* of a stored event describes, or None if it describes none.

    Fields that only another version knows are ignored.
    """
    try:
        user = None if profile is None else SourceUser(**{name: profile[name] for name in FIELDS & profile.keys()})
        return user and replace(user, teams=tuple(user.teams), unsaid=tuple(user.unsaid))  # JSON knows lists alone
    except TypeError:
        return None


def merge(entries: Iterable[InboxEntry]) -> tuple[list[Case], list[str]]:
    """Return a case for each person, in the order of arrival, and the ids of events that a newer one supersedes.

    A case is doubtful if its stamps do not tell which profile is the newest. Slack's stamps are whole seconds: of two
    profiles with the same stamp, the one that arrived last need not be the newer one. A profile without a credible stamp
    counts as new as its arrival, and may be older.
    """
    by_person: dict[str, list[InboxEntry]] = {}
    for entry in entries:
        by_person.setdefault(entry.event.slack_id, []).append(entry)
    cases, superseded = [], []
    for slack_id, about in by_person.items():
        about.sort(key=lambda entry: (_time(entry), entry.event.received_at))
        last = about[-1]
        twins = [entry for entry in about if _time(entry) == _time(last)]
        superseded += [entry.event.event_id for entry in about[: len(about) - len(twins)]]
        cases.append(
            Case(
                slack_id=slack_id,
                event_ids=[entry.event.event_id for entry in twins],
                updated=_stamp(last),
                attempts=max(entry.attempts for entry in twins),
                newest=last,
                user=restored(last.event.profile),
                incident=next((entry.incident for entry in reversed(about) if entry.incident), ""),
                tried=any(entry.error for entry in about),
                doubtful=not all(map(_stamp, about)) or any(twin.event.profile != last.event.profile for twin in twins),
            )
        )
    return cases, superseded


def joined(cases: Iterable[Case]) -> list[Case]:
    """Return one case for each person; two cases of one person, under two Slack ids, become one with the events of both.

    If Slack was asked for one of them, that one counts. If not, the joined case is doubtful, so that Slack is asked.
    """
    people: list[list[Case]] = []
    places: dict[str, int] = {}
    for case in cases:
        ids = {case.slack_id, *_ids(case)}
        known = sorted({places[slack_id] for slack_id in ids if slack_id in places})
        alike = [twin for place in known for twin in people[place]] + [case]
        for place in known:
            people[place] = []
        people.append(alike)
        places |= {slack_id: len(people) - 1 for twin in alike for slack_id in {twin.slack_id, *_ids(twin)}}
    return [_as_one(alike) for alike in people if alike]


def is_newer(case: Case, read_at: datetime) -> bool:
    """Tell whether the newest event is surely newer than what was read from Slack at *read_at*.

    An event may arrive late, so its stamp has to be newer as well.
    """
    seen = read_at + TOLERANCE
    return case.newest.event.received_at > seen and case.updated > seen.timestamp()


def is_outdone(case: Case, other: InboxEntry) -> bool:
    """Tell whether the *other* event, of the same person, says something that may be newer."""
    ahead = _time(other) - _time(case.newest)
    return ahead > 0 or (not ahead and other.event.profile != case.newest.event.profile)


def is_complete(user: SourceUser, rules: Sequence[AttributeRule]) -> bool:
    """Tell whether *user*, as an event shows them, has every value that *rules* read.

    An event may lack the e-mail address, the locale, custom fields and, on Enterprise Grid, the workspaces, without
    which nobody can tell whether the person is a member. Some values are not stored with events. People whose attributes
    are not written are complete.
    """
    if user.bot or user.external or user.forgotten or user.deactivated:
        return True
    if "deactivated" in user.unsaid or not user.workspaces or (user.organisation and not user.teams):
        return False
    # Nobody is read from Slack for the manager alone, which waits for the next import.
    rules = [rule for rule in rules if rule.target != MANAGER]
    wanted = {source for rule in rules for source in rule.sources}
    return (
        bool(user.email)
        and (OF_LOCALE.isdisjoint(wanted) or bool(user.locale))
        and (user.scim is not None or not reads_scim(rules))
        and custom_fields(rules) <= (user.custom or {}).keys()
        and all(getattr(user, name) is not None for name in wanted.intersection(NOT_STORED))
    )


def _as_one(alike: Sequence[Case]) -> Case:
    """Return the case that counts of those about one person, with the events of all."""
    case = next((twin for twin in reversed(alike) if twin.read), alike[-1])
    return replace(
        case,
        doubtful=case.doubtful or (len(alike) > 1 and not case.read),
        event_ids=event_ids(alike),
        updated=max(twin.updated for twin in alike),
        attempts=max(twin.attempts for twin in alike),
        incident=max(twin.incident for twin in alike),
        tried=any(twin.tried for twin in alike),
    )


def _ids(case: Case) -> tuple[str, ...]:
    return case.user.ids if case.user else ()


def _stamp(entry: InboxEntry) -> int:
    return believed(entry.event.updated, entry.event.received_at)


def _time(entry: InboxEntry) -> float:
    return _stamp(entry) or entry.event.received_at.timestamp()
