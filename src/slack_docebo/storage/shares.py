"""Shares: how often one person is looked at in an hour, so that nobody uses up the calls of all."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, exists, or_, select

from slack_docebo.storage.schema import inbox_event, person_share
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text

HOUR = 3600.0
PER_HOUR = 120  # looks at one person: half of them at once, the others evenly
INTERVAL = HOUR / (PER_HOUR / 2)
ALL = 1.0

share = person_share.c
ARRIVALS = WhereIn(select(share.slack_id, share.arrival), share.slack_id)
# The condition that an event's person has to wait: nobody who was not looked at within the last minute has to.
HAS_TO_WAIT = exists().where(
    share.slack_id == inbox_event.c.slack_id,
    share.arrival > bindparam("latest"),
    share.arrival <= bindparam("in_an_hour"),  # what is later was booked before the clock was set back
)
BOOK = insertion_text(share, "(slack_id) DO UPDATE SET arrival = excluded.arrival")


class ShareRepository:
    """The table `person_share`; the caller owns the transaction.

    As in the budget of calls, all that is remembered is one number, the *arrival*: when the next look would be due if
    all looks so far had been spread evenly. It is at most an hour ahead.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def spend(self, slack_ids: Iterable[str], now: datetime) -> None:
        """Book one look at each of these people, even where the share is used up."""
        present = now.timestamp()
        people = sorted(set(slack_ids))
        known = {row.slack_id: row.arrival for row in ARRIVALS.rows(self._connection, people)}
        arrivals = {slack_id: max(known.get(slack_id, 0.0), present) + INTERVAL for slack_id in people}
        rows = (
            {"slack_id": slack_id, "arrival": min(arrival, present + HOUR)} for slack_id, arrival in arrivals.items()
        )
        carry_out(self._connection, BOOK, rows)

    def purge(self, now: datetime) -> None:
        """Delete the rows of people who have their whole share again, and rows booked before the clock was set back."""
        present = now.timestamp()
        over = or_(share.arrival <= present, share.arrival > present + HOUR)
        self._connection.execute(delete(person_share).where(over))

    def forget(self, slack_id: str) -> None:
        """Delete what is known of one person."""
        self._connection.execute(delete(person_share).where(share.slack_id == slack_id))


def spent(now: datetime, left: float) -> dict[str, object]:
    """Return the parameters of HAS_TO_WAIT: people wait who have spent more of their share than *left*, 0 to 1."""
    present = now.timestamp()
    return {"latest": max(present, present + left * HOUR - INTERVAL), "in_an_hour": present + HOUR}
