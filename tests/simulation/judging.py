"""Judging events, outcomes and runs once all processes have ended."""

import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from sandbox.docebo.accounts import Account as ModelAccount
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.attributes import differences, wanted
from slack_docebo.domain.operations import SENT_BEFORE, Kind, Outcome
from slack_docebo.domain.people import Account, PeopleShown
from slack_docebo.engine.realtime.upkeep import parked_rows
from slack_docebo.engine.reporting.outcomes import table
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.storage.events import FINISHED, EventState, InboxEntry
from slack_docebo.storage.schema import intent, operation, plan
from slack_docebo.storage.store import Store
from tests.simulation.company import ALWAYS, Company, Person, Write, kept
from tests.simulation.following import FollowUpJudge
from tests.simulation.organisation import shown
from tests.simulation.placing import is_protected, scope_of
from tests.simulation.processes import Process
from tests.simulation.promises import DAY, FRESH, Breach, Promise
from tests.simulation.runs import NAMED
from tests.simulation.watching import Mapping

TO_ACCOUNTS = (Kind.CREATE, Kind.UPDATE, Kind.MOVE, Kind.DEACTIVATE)
NAMES = ("first_name", "last_name", "email")
READERS = (
    "import ",
    "trusting import ",
    "named run ",
    "real time ",
    "sweep ",
)  # runs that write what they have read themselves


class Judge:
    """Compares what the store says with the truth."""

    def __init__(self, company: Company, store: Store, mapping: Mapping, behaviour: IntegrationSettings) -> None:
        self._company = company
        self._store = store
        self._mapping = mapping
        self._behaviour = behaviour
        self._team = company.sandbox.slack.team.id
        self.following = FollowUpJudge(company, store, mapping, behaviour)

    def after(self, processes: Sequence[Process]) -> Iterator[Breach]:
        """Yield what is wrong once all *processes* have ended."""
        entries = self._entries()
        yield from self._waiting_events(entries)
        yield from self._stale_accounts(entries)
        yield from self._older_writes(entries, processes)
        yield from self._outcomes(processes)
        yield from self._what_is_told()
        for process in processes:
            yield from self._run(process)

    def at_rest(self, processes: Sequence[Process], imports: Sequence[Process]) -> Iterator[Breach]:
        """Yield what is still wrong after the last *imports*, during which nothing changes; *processes* are all."""
        failures = [process.failure for process in imports if process.failure]
        if self._company.is_other_platform and failures:
            return  # they are right to stop and say so
        for failure in failures:
            if not isinstance(failure, ChangeLimitExceeded):
                yield Breach(Promise.UNDISTURBED, f"nothing changes, and yet: {failure}")
        if failures:
            return
        last = imports[-1]
        if last.calls["write"]:
            yield Breach(
                Promise.QUIET, f"the {len(imports)}th import in a row, while which nothing changes, still writes"
            )
        yield from self._outcomes(processes)  # what was in doubt is known by now
        yield from self._people_without_account(last)
        if not (last.failed_people or last.undecided_people):
            yield from self.following.left_behind()

    # -- events ------------------------------------------------------------------------------------------------------

    def _entries(self) -> list[InboxEntry]:
        with self._store.reading() as tables:
            return tables.inbox.oldest(10_000)

    def _waiting_events(self, entries: Sequence[InboxEntry]) -> Iterator[Breach]:
        for entry in entries:
            if entry.state not in (*FINISHED, EventState.PARKED):
                person = self._company.person_of(entry.event.slack_id)
                who = person.number if person else "?"
                yield Breach(Promise.EVENTS, f"the event about person {who} is neither done nor parked for hours")

    def _stale_accounts(self, entries: Sequence[InboxEntry]) -> Iterator[Breach]:
        """Yield accounts that we wrote after their people's newest events had come, with something older than these."""
        newest: dict[str, InboxEntry] = {}
        for entry in entries:
            known = newest.get(entry.event.slack_id)
            if known is None or entry.event.updated >= known.event.updated:
                newest[entry.event.slack_id] = entry
        for slack_id, entry in newest.items():
            person = self._company.person_of(slack_id)
            account_id = self._mapping.rows.get(slack_id)
            account = self._company.account(account_id) if account_id else None
            if person is None or account is None or entry.state not in FINISHED or person.gone_since is not None:
                continue
            user = source_user(self._company.profile(person))
            if scope_of(self._company, self._behaviour).reason_against(user):
                continue  # nobody looks after such an account
            is_newest = (user.slack_id, user.updated) == (slack_id, entry.event.updated)
            written = self._written_by_us(account.user_id, person, entry.event.received_at.timestamp())
            if is_newest and written:
                yield from self._stale_account(person, account, written)

    def _older_writes(self, entries: Sequence[InboxEntry], processes: Sequence[Process]) -> Iterator[Breach]:
        """Yield writes that give an account a former name, though an event with a newer one was applied before the run began."""
        by_name = {process.name: process for process in processes}
        for write in self._company.writes:
            process, person = by_name.get(write.process), self._company.owner_of(write.account_id)
            if process is None or person is None or not process.name.startswith(READERS):
                continue
            names, name = person.last_names, write.after.lastname
            if write.before is None or write.before.lastname == name or name not in names:
                continue
            for entry in entries:
                told = (entry.event.profile or {}).get("last_name")
                is_of_person = self._company.person_of(entry.event.slack_id) is person
                if not is_of_person or entry.state is not EventState.APPLIED or entry.done_at is None:
                    continue
                if (
                    told in names
                    and entry.done_at.timestamp() < process.begun
                    and names.index(told) > names.index(name)
                ):
                    how = f"{write.process} gives account {write.account_id} of person {person.number} {name}"
                    yield Breach(Promise.NEWEST, f"{how}, and {told} was applied before by an event")

    def _written_by_us(self, account_id: int, person: Person, since: float) -> set[str]:
        """Return which of NAMES our runs changed in *person*'s account after *since*; none where somebody changed it after that."""
        writes = [write for write in self._company.writes if write.account_id == account_id]
        changed_by_hand = account_id in self._company.corrected or account_id in self._company.promoted
        is_theirs = self._company.owner_of(account_id) is person and not changed_by_hand
        if not is_theirs or not writes or writes[-1].process.startswith("undo"):
            return set()
        return set().union(*(_changed_names(write) for write in writes if write.at > since))

    def _stale_account(self, person: Person, account: ModelAccount, written: Collection[str]) -> Iterator[Breach]:
        user = source_user(self._company.profile(person))
        rules = [rule for rule in self._behaviour.attributes if rule.target in written]
        there = wanted(user, rules, creating=False)
        seen = Account(
            account.user_id, account.username, account.email, first_name=account.firstname, last_name=account.lastname
        )
        differing, _ = differences({name: kept(name, value) for name, value in there.items()}, seen)
        if differing and account.active and not is_protected(account, self._behaviour):
            how = f"the account of person {person.number} was written with an older {', '.join(differing)}"
            yield Breach(Promise.NEWEST, f"{how} after the newest event had come")

    # -- outcomes ----------------------------------------------------------------------------------------------------

    def _outcomes(self, processes: Sequence[Process]) -> Iterator[Breach]:
        columns = operation.c
        query = select(
            columns.slack_id, columns.kind, columns.outcome, columns.docebo_id, columns.changes, columns.done_at,
            columns.error, columns.flow_run, plan.c.flow_run.label("planned_by"), intent.c.seq.is_not(None).label("is_in_doubt"),
        ).join(plan, plan.c.id == columns.plan_id).outerjoin(
            intent, (intent.c.plan_id == columns.plan_id) & (intent.c.seq == columns.seq)
        ).where(columns.kind.in_(TO_ACCOUNTS))  # fmt: skip
        with self._store.reading() as tables:
            rows = list(tables.connection.execute(query))
        by_name = {process.name: process for process in processes}
        for write in self._company.writes:
            owner = self._company.owner_of(write.account_id)
            person = self._company.person_with(write.after.lastname) or owner
            if owner is None or person is None or self._company.account(write.account_id) is None:
                continue
            if person.forgotten_at is not None:
                continue  # what was recorded about the person was deleted
            theirs = [row for row in rows if row.kind != Kind.CREATE or self._company.person_of(row.slack_id) is person]
            about = [row for row in theirs if _is_about(row, write)]
            yield from self._outcome(write, person, about, by_name.get(write.process))

    def _outcome(
        self, write: Write, person: Person, about: Sequence[Row[Any]], process: Process | None
    ) -> Iterator[Breach]:
        done = "made" if write.before is None else "changed"
        what = f"{write.process} has {done} account {write.account_id} of person {person.number}"
        of_process = [row for row in about if write.process in (row.flow_run, row.planned_by)]
        if any(_failed_after(row, write) for row in (about if write.before is None else of_process)):
            yield Breach(Promise.TRUE_OUTCOME, f"{what}, and the person is recorded as failed")
            return
        ended_well = process is not None and process.has_ended and not process.is_dead and not process.failure
        # Of what Docebo does not show yet nobody knows, and the store says so until the next import finds out.
        # Of two that send the same creation at once nobody can tell whose was carried out: one of them says that it was.
        of_those = of_process if write.before else [row for row in about if row.kind == Kind.CREATE]
        is_told = any(row.outcome == Outcome.APPLIED or row.is_in_doubt for row in of_those)
        if ended_well and not (is_told or any(self._is_hidden(write, row, about) for row in of_process)):
            yield Breach(Promise.RECORDED, f"{what}, and no outcome says so")

    def _is_hidden(self, write: Write, row: Row[Any], about: Sequence[Row[Any]]) -> bool:
        """Tell whether *row* says that nobody can tell what became of *write*, and is right.

        Nobody could tell if, by then, another run of ours had written something else, or the same once more, as the rows
        *about* it say; if Docebo did not show the new account; or if somebody had given the account to somebody else.
        """
        if row.done_at is None or not row.error.endswith(SENT_BEFORE):
            return False
        until, (lag_began, lag_ended) = row.done_at.timestamp(), self._company.lagged
        if write.before is None and lag_began <= write.at and until < lag_ended:
            return True
        if write.at < self._company.passed_on.get(write.account_id, ALWAYS) <= until:
            return True
        others = (other for other in self._company.writes if other.account_id == write.account_id)
        if any(write.at < other.at <= until and other.process != write.process for other in others):
            return True
        done = [
            one.done_at.timestamp() for one in about if one.outcome == Outcome.APPLIED and one.flow_run != write.process
        ]
        return any(write.at < at <= until for at in done)

    def _what_is_told(self) -> Iterator[Breach]:
        """Yield texts in Prefect's tables, which show people by their ids alone, that name somebody."""
        with self._store.reading() as tables:
            failed = select(operation.c.plan_id).where(operation.c.error != "").distinct().order_by(operation.c.plan_id)
            plans = list(tables.connection.scalars(failed))
        shown = [str(row["why"]) for plan_id in plans for row in table(self._store, plan_id, PeopleShown.IDS)]
        shown += [str(row["error"]) for row in parked_rows(self._store, PeopleShown.IDS)]
        for text in shown:
            named = [p for p in self._company.people if any(data in text for data in (*p.addresses, *p.last_names))]
            if named:
                yield Breach(Promise.PRIVATE, f"a table names person {named[0].number} in the reason of a refusal")

    # -- runs --------------------------------------------------------------------------------------------------------

    def _run(self, process: Process) -> Iterator[Breach]:
        # A list that was really cut short was rightly refused, even if it left out somebody who had joined during the run.
        joined = [
            person
            for person in self._company.people
            if process.begun < person.joined_at and person.number not in process.left_out
        ]
        # Somebody who joined right before may have been mapped only while the list was read: that proves nothing of the list.
        new = {person.number for person in self._company.people if process.begun - FRESH < person.joined_at}
        # Nor does somebody whom Slack does not show when asked: nobody can tell whether the list should have shown them.
        left_out = process.left_out - new - process.not_shown
        if left_out and process.line and process.failure is None and not process.is_dead:
            some = ", ".join(map(str, sorted(left_out)))
            how = f"the list that {process.name} read did not show the mapped people {some}; it ends as: {process.line}"
            yield Breach(Promise.SHORT_READ, how)
        if not isinstance(process.failure, IncompleteRead):
            return
        # A run for a named person has to fail while Slack still shows that person as before an event.
        is_behind = process.name.startswith(NAMED) and "as before an event" in str(process.failure)
        if not is_behind and any(person.slack_id in str(process.failure) for person in joined):
            yield Breach(Promise.UNDISTURBED, f"somebody joined while {process.name} was at work: {process.failure}")
        if process.left_out:
            with self._store.reading() as tables:
                measure = tables.reads.last(f"slack:{self._team}")
            if measure and measure.flow_run == process.name:
                yield Breach(Promise.MEASURE, f"the next read is measured by what {process.name} read and refused")

    def _people_without_account(self, last: Process) -> Iterator[Breach]:
        scope = scope_of(self._company, self._behaviour)
        # Somebody with the address of a forgotten person counts as that person, until somebody says otherwise.
        excluded = {address for person in self._company.people for address in person.forgotten_as}
        ids = [person.slack_id for person in self._company.people]
        with self._store.reading() as tables:  # without mappings, what was given tells which account is whose
            given = tables.applied(last.runtime.settings.docebo_url).of(self._team, ids)
        for person in self._company.people:
            user = source_user(self._company.profile(person))
            if scope.reason_against(user) or person.forgotten_at or self._company.is_other_platform:
                continue
            if person.address in excluded:
                continue
            accounts = self._company.accounts_of(person)
            mapped = self._mapping.rows.get(user.slack_id)
            theirs = mapped or (given[user.slack_id].docebo_id if user.slack_id in given else None)
            known = self._company.sandbox.docebo.accounts
            taken = known.by_username(person.address) or known.by_email(person.address)
            # That theirs was handed over, nobody can tell by an address that nobody else bears now, or that they have had.
            bears = {other.address for other in self._company.people if other is not person}
            account = self._company.account(theirs) if theirs is not None else None
            seems_theirs = account is not None and (account.email in person.addresses or account.email not in bears)
            if not accounts and not taken and not seems_theirs and not (last.failed_people or last.undecided_people):
                yield Breach(
                    Promise.EVERYBODY, f"person {person.number} has none, and the last import says nothing of it"
                )
            lately = time.time() - self._company.rehired.get(person.number, time.time()) < DAY
            if (
                self._behaviour.map_slack_user_data
                and mapped is None
                and person.number in self._company.rehired
                and lately
                and not last.undecided_people
            ):
                how = f"person {person.number} has come back under {user.slack_id}, which no account is mapped to"
                yield Breach(Promise.EVERYBODY, f"{how}; the last import: {last.line}")


def _changed_names(write: Write) -> set[str]:
    """Return which of NAMES the write has changed."""
    before = write.before
    return {name for name in NAMES if before is None or shown(before, name) != shown(write.after, name)}


def _is_about(row: Row[Any], write: Write) -> bool:
    if write.before is None and row.kind == Kind.CREATE:
        return str(row.changes.get("username", "")).casefold() == write.after.username.casefold()
    return bool(row.docebo_id == write.account_id)


def _failed_after(row: Row[Any], write: Write) -> bool:
    """Tell whether *row*, recorded within a day after *write*, says that exactly this change has failed."""
    if row.outcome != Outcome.FAILED or row.done_at is None or not 0 <= row.done_at.timestamp() - write.at < DAY:
        return False
    return bool(row.kind == Kind.CREATE) or all(
        shown(write.after, name) == str(value) for name, value in row.changes.items()
    )
