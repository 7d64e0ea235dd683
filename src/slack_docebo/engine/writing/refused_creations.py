"""Creations refused or in doubt: another run may have made the account, or made it for another Slack id."""

from collections.abc import Collection, Sequence
from contextlib import suppress

from slack_docebo.domain.observation import Present, Unknown
from slack_docebo.domain.operations import SENT_BEFORE, Kind, Outcome
from slack_docebo.domain.returns import has_left
from slack_docebo.domain.stamps import TOLERANCE
from slack_docebo.engine.reading.evidence import ask_for_people
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import RemoteError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.store import Store

WRITTEN_MEANWHILE = f"another run has written the same meanwhile{SENT_BEFORE}"


def sent_by_others(store: Store, docebo: str, plan_id: str, batch: Sequence[Numbered]) -> list[Numbered]:
    """Return the creations in *batch* that another plan has also sent, with an unknown outcome."""
    with store.reading() as tables:
        slack_ids = [operation.slack_id for _, operation in batch]
        people = tables.intents.creations(docebo, slack_ids, but_of=plan_id)
    return _about(people, batch)


def given_up(store: Store, docebo: str, batch: Sequence[Numbered]) -> list[Numbered]:
    """Return the creations in *batch* for people who may have an account that no run looks for any more."""
    with store.reading() as tables:
        people = tables.intents.given_up(docebo, [operation.slack_id for _, operation in batch])
    return _about(people, batch)


def _about(people: Collection[tuple[str, str]], batch: Sequence[Numbered]) -> list[Numbered]:
    """Return the rows of *batch* that are about *people*, given by team and Slack id."""
    return [(seq, operation) for seq, operation in batch if (operation.slack_team, operation.slack_id) in people]


def perhaps_made_before(
    store: Store, docebo: str, plan_id: str, batch: Sequence[Numbered], *, why: str
) -> dict[int, RowOutcome]:
    """Return the outcomes, by number, of creations not sent, for *why*, whose account may exist from before."""
    unknown = (*sent_by_others(store, docebo, plan_id, batch), *given_up(store, docebo, batch))
    return {seq: RowOutcome(seq, Outcome.SKIPPED, error=f"{why}{SENT_BEFORE}") for seq, _ in unknown}


def made_by_others(store: Store, docebo: str, plan_id: str, batch: Sequence[Numbered]) -> list[RowOutcome]:
    """Return the outcomes of rows sent by *plan_id* whose account another plan has made or changed since.

    Although the account looks as *plan_id* wanted it, the other plan's call was carried out: had ours been, the other
    plan would have found the account, and found it in line.
    """
    # Who has no Slack id any more was forgotten.
    creations = {op.slack_id: seq for seq, op in batch if op.kind is Kind.CREATE and op.slack_id}
    changes = [(seq, op) for seq, op in batch if op.docebo_id and op.changes and op.slack_id]
    if not (creations or changes):
        return []
    with store.reading() as tables:
        since = tables.plans.read(plan_id).created_at
        # By the clock of another machine. Of changes an earlier one is another one: something else may lie between the two.
        made = tables.operations.made_by_others(plan_id, creations, since=since - TOLERANCE)
        gone = tables.gone_accounts(docebo).since()
        written = tables.operations.written_by_others(plan_id, (op.slack_id for _, op in changes), since=since)
    return [
        *(
            made_already(creations[slack_id], docebo_id)
            for slack_id, docebo_id in made.items()
            if docebo_id not in gone
        ),
        *(
            RowOutcome(seq, Outcome.SKIPPED, op.docebo_id, WRITTEN_MEANWHILE)
            for seq, op in changes
            if any(op.changes.items() & other.items() for other in written.get(op.docebo_id or 0, ()))
        ),
    ]


async def made_before(runtime: Runtime, plan_id: str, batch: Sequence[Numbered]) -> dict[int, RowOutcome]:
    """Return the outcomes, by number, of creations whose account we made meanwhile or for another Slack id."""
    meanwhile = made_meanwhile(runtime.store, runtime.settings.docebo_url, plan_id, batch)
    return meanwhile | await made_for_another_id(runtime, [one for one in batch if one[0] not in meanwhile])


def made_meanwhile(store: Store, docebo: str, plan_id: str, batch: Sequence[Numbered]) -> dict[int, RowOutcome]:
    """Return the outcomes, by number, of creations whose account another run made since the plan was made."""
    found: dict[int, RowOutcome] = {}
    with store.reading() as tables:
        since = tables.plans.read(plan_id).created_at - TOLERANCE  # by the clock of another machine
        applied, gone_accounts = tables.applied(docebo), tables.gone_accounts(docebo)
        for team in {operation.slack_team for _, operation in batch}:
            of_team = {op.slack_id: seq for seq, op in batch if op.slack_team == team}
            given = applied.of(team, list(of_team))
            accounts_given = [known.docebo_id for known in given.values() if known.docebo_id is not None]
            made = set(tables.sightings(docebo).known_since(since, accounts_given)) - gone_accounts.since().keys()
            for slack_id, known in given.items():
                if known.docebo_id in made:
                    found[of_team[slack_id]] = made_already(of_team[slack_id], known.docebo_id)
    return found


async def made_for_another_id(runtime: Runtime, batch: Sequence[Numbered]) -> dict[int, RowOutcome]:
    """Return the outcomes, by number, of creations whose account was made for another Slack id and is not shown yet.

    Slack is asked for the holder: it is the same person where the company has just joined a Grid, and gone where
    somebody has returned under a new id. Where it does not say, nobody can tell whose the account is.
    """
    found: dict[int, RowOutcome] = {}
    with runtime.store.reading() as tables:
        names = [operation.username for _, operation in batch]
        bearing = tables.sightings(runtime.settings.docebo_url).bearing(names)
        given = tables.applied(runtime.settings.docebo_url).given(bearing.values())
    for seq, operation in batch:
        docebo_id = bearing.get(operation.username)
        holders = given.get(docebo_id or 0, set()) - {operation.slack_id}
        with suppress(RemoteError):
            answers = await ask_for_people(runtime, operation.slack_team, sorted(holders))
            if any(isinstance(seen, Present) and operation.slack_id in seen.value.ids for seen in answers.values()):
                found[seq] = made_already(seq, docebo_id)
            elif gone := [slack_id for slack_id, seen in answers.items() if has_left(seen)]:
                said = f"account {docebo_id} was made for {gone[0]}, who is gone, and Docebo does not show it yet"
                found[seq] = RowOutcome(seq, Outcome.SKIPPED, docebo_id, said)
            elif unknown := [(slack_id, seen.why) for slack_id, seen in answers.items() if isinstance(seen, Unknown)]:
                whose, why = unknown[0]
                said = (
                    f"account {docebo_id} was made for {whose}, and nobody can tell whether that is this person: {why}"
                )
                found[seq] = RowOutcome(seq, Outcome.SKIPPED, docebo_id, said)
    return found


def made_already(seq: int, docebo_id: int | None) -> RowOutcome:
    """Return the outcome of a creation whose account, *docebo_id*, another run of ours has made."""
    return RowOutcome(seq, Outcome.SKIPPED, docebo_id, f"account {docebo_id} was made for this person meanwhile")
