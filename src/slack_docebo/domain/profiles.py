"""Custom profile fields, which Slack shows one person a call: what is known, and who is read when."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b

from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.texts import number_of

PROFILES_A_MINUTE = 90  # that are read: below Slack's limit, for one person may be read for an event meanwhile


@dataclass(frozen=True, slots=True)
class Profile:
    """The mapped custom fields of one person, as they were read."""

    fields: Mapping[str, str | None]  # by the field's id; "" where Slack shows no value, None where it does not say
    # The stamp of the profile that Slack's list showed then, in unix seconds; NOT_BELIEVED once the reading was undone
    updated: int
    read_at: datetime

    @property
    def said(self) -> dict[str, str]:
        """The fields of which Slack has said something."""
        return {field_id: value for field_id, value in self.fields.items() if value is not None}

    def tells(self, wanted: Collection[str]) -> bool:
        """Tell whether all *wanted* fields were read."""
        return self.fields.keys() >= set(wanted)


@dataclass(slots=True)
class Coverage:
    """For how many people in scope the custom fields are known."""

    known: int = 0
    people: int = 0

    def see(self, users: Collection[SourceUser], scope: Scope, wanted: frozenset[str]) -> None:
        """Count those of *users* who are in scope, and those of them whose *wanted* fields are all known."""
        inside = [user for user in users if not scope.reason_against(user)]
        self.people += len(inside)
        self.known += sum(wanted <= (user.custom or {}).keys() for user in inside)


def when_read(people: int, profile_minutes: int) -> str:
    """Say when the custom fields of so many more people will have been read."""
    if not profile_minutes:
        return "no import reads those of others while PROFILE_MINUTES is 0"
    minutes = -(-people // PROFILES_A_MINUTE)
    if minutes <= profile_minutes:
        return f"the others are read after it, in about {number_of('minute', minutes)}"
    return f"the others are read in about {minutes} minutes, spread over {-(-minutes // profile_minutes)} imports"


ReadingOrder = tuple[int, float, str]  # whoever has a smaller one is read earlier
TOO_OLD = 2  # the first item of it, of those who are read again only because their reading is too old
DAY = timedelta(days=1)


def reading_order(
    user: SourceUser, profile: Profile | None, wanted: Collection[str], *, now: datetime, max_age: timedelta
) -> ReadingOrder | None:
    """Return the sort key by which *user* is read among others, or None if the person need not be read.

    First come people who were never read, the newest first; then people whose stamp has changed since they were read,
    or whose changes by that reading were undone. Last come people whose reading is too old, because an edit of a custom
    field may not change the stamp: those who fell due first are read first.
    """
    if profile is None or not profile.tells(wanted):
        return 0, -user.updated, user.slack_id
    if profile.updated != user.updated:
        return 1, profile.read_at.timestamp(), user.slack_id
    fell_due = _last_due(user.slack_id, now, max_age)
    if profile.read_at < min(fell_due, now - DAY / 2):  # nobody is read twice in a night whose moment came in between
        return TOO_OLD, fell_due.timestamp(), user.slack_id
    return None


def daily_share(
    orders: Iterable[ReadingOrder], people: int, *, now: datetime, max_age: timedelta
) -> list[ReadingOrder]:
    """Return *orders*, sorted; of those whose reading is too old, only a day's share of all *people* in scope.

    By chance more fall due on one day than on another. After nights without a run, the shares of these days are read at
    once.
    """
    ordered = sorted(orders)
    too_old = [order for order in ordered if order[0] == TOO_OLD]
    if not too_old:
        return ordered
    days = round((now.timestamp() - too_old[0][1]) / DAY.total_seconds())
    part = max(days, 1) * people * DAY / max_age
    return ordered[: len(ordered) - len(too_old)] + too_old[: max(int(part), 1)]


def _last_due(slack_id: str, now: datetime, max_age: timedelta) -> datetime:
    """Return when the person last fell due: once in *max_age*, at a moment that is spread by Slack id."""
    seconds = max_age.total_seconds()
    place = int.from_bytes(blake2b(slack_id.encode(), digest_size=8).digest()) / 2**64
    return now - timedelta(seconds=(now.timestamp() - place * seconds) % seconds)
