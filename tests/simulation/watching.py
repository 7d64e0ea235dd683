"""Watching the calls of our processes as they are made: each write is compared with the truth."""

import csv
import sqlite3
import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from sandbox.docebo.accounts import Account
from slack_docebo.domain.returns import Rehires
from slack_docebo.integration_settings import IntegrationSettings
from tests.simulation.company import ALWAYS, Company, Ownership, Person, Write
from tests.simulation.locks import Locks
from tests.simulation.placing import BY_PLAN, Placements, is_shut_out
from tests.simulation.processes import Process
from tests.simulation.promises import DAY, FRESH, LISTED, MINUTE, Breach, Promise

NOBODY = Ownership(None, ALWAYS)
NEVER = float("inf")
UNDER_WAY = 1.0  # seconds that may pass from the last check of a call until it is sent
ON_REQUEST = ("undo", "reset", "restore", "relink")  # runs that change mappings because somebody has asked for it


class Mapping:
    """The mapping table, read directly from the database."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self._version = -1
        self.rows: dict[str, int] = {}  # account by Slack id

    def look(self) -> dict[str, int]:
        """Read the present rows, and return those of the last look."""
        before = self.rows
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._version = version
            self.rows = dict(self._connection.execute("SELECT slack_id, user_id FROM slack_user ORDER BY slack_id"))
        return before

    def holders(self, account_id: int) -> list[str]:
        """Return the Slack ids that are mapped to the account."""
        return [slack_id for slack_id, mapped in self.rows.items() if mapped == account_id]

    def close(self) -> None:
        self._connection.close()


class Watch:
    """Looks at every call, and notes the breaches that a call shows by itself."""

    def __init__(self, company: Company, mapping: Mapping, locks: Locks, behaviour: IntegrationSettings) -> None:
        self.breaches: list[Breach] = []
        self.let_through: set[int] = set()  # people whose events somebody has let through over a limit
        self.told_gone: dict[int, float] = {}  # person -> when an event first told us that this person is gone
        self._company = company
        self._mapping = mapping
        self._locks = locks
        self._behaviour = behaviour
        self._seen = 0  # writes looked at so far
        self._shown_as_administrators: dict[str, set[int]] = defaultdict(set)  # accounts by process
        self._deactivated: list[tuple[float, int]] = []  # when, and whose
        self._busy_until = 0.0
        self._looks: dict[
            int, list[tuple[float, Process]]
        ] = {}  # at accounts that somebody has set by hand, since then
        self._given_by_address: dict[
            int, Ownership
        ] = {}  # accounts that came to whoever bore their address: whose before
        self._placements = Placements(company, behaviour)

    def found(self, promise: Promise, how: str) -> None:
        """Note a breach."""
        self.breaches.append(Breach(promise, how))

    @property
    def mapped(self) -> Collection[str]:
        """Return the Slack ids that are mapped."""
        return self._mapping.rows.keys()

    def before_write(self, process: Process, *, begun: float, busy_seconds: float) -> None:
        """Look at a call that writes, before it is carried out: when it was *begun*, and how long it keeps Docebo busy."""
        if by := self._locks.taken_over(process.name):
            self.found(Promise.FENCED, f"{process.name} writes after {by} took its lock over")
        # What was let through before the day began may be under way.
        moments = [datetime.fromtimestamp(moment, UTC) for moment in (begun - UNDER_WAY, begun)]
        if all(map(self._behaviour.frozen_until, moments)):
            self.found(Promise.FROZEN, f"{process.name} writes on a day that is frozen")
        if time.time() < self._busy_until:
            self.found(Promise.ONE_BATCH, f"{process.name} writes while another batch is under way")
        self._busy_until = time.time() + busy_seconds

    def after_write(self) -> None:
        """Note that Docebo has answered."""
        self._busy_until = 0.0

    def shown(self, process: Process, items: Iterable[dict[str, Any]]) -> None:
        """Note which accounts a page has shown to *process*, and which of them as those of administrators."""
        levels = [(int(item["user_id"]), item["level"]) for item in items]
        for account_id, _ in levels:
            if (looks := self._looks.get(account_id)) is not None:
                if "import" in process.name and not process.plan_id:  # the last list that it reads counts
                    looks[:] = [look for look in looks if look[1] is not process]
                looks.append((time.time(), process))
        self._shown_as_administrators[process.name] |= {account_id for account_id, level in levels if level != "user"}

    def after_call(self, process: Process) -> None:
        """Look at what a call has changed."""
        for write in self._company.writes[self._seen :]:
            self._look_at(write, process)
        self._seen = len(self._company.writes)
        for write in self._company.moves_in_place:
            if person := self._company.owner_of(write.account_id):
                self._placements.note_branch(write, process, person)
        self._company.moves_in_place.clear()

    def look_at_mapping(self, process: Process | None) -> None:
        """Compare each change of the mapping since the last look, while *process* was at work, with the truth."""
        before, now = self._mapping.look(), self._mapping.rows
        name = process.name if process else ""
        if process and process.backup:
            self._look_at_backup(process.backup, before, now)
        if process and process.restored:
            self._look_at_restored(process.restored)
        if before is now or name.startswith(ON_REQUEST):
            return
        for slack_id, account_id in before.items():
            person = self._company.person_of(slack_id)
            after = now.get(slack_id)
            is_theirs = self._company.account(account_id) and self._company.owner_of(account_id) is person
            is_kept = person is not None and account_id in {now.get(known) for known in self._company.ids_of(person)}
            if person is None or is_kept or not is_theirs or person.forgotten_at is not None:
                continue
            if after is None and self._was_undone(account_id):
                continue  # somebody has asked for it, whichever process was at work when it was recorded
            if after is not None and name.startswith(BY_PLAN) and slack_id in self._company.remapped:
                how = f"{name} moves {slack_id} back to account {after}, which an administrator had corrected"
                self.found(Promise.BY_HAND, how)
            elif after is not None:
                how = (
                    f"{slack_id} of person {person.number} is moved from account {account_id}, still there, to {after}"
                )
                self.found(Promise.MOVED_MAPPING, how)
            elif not person.was_gone(self._company.local_id(slack_id), time.time() - FRESH):
                self.found(Promise.ABSENCE, f"{slack_id} is unmapped, and person {person.number} is in Slack")
            elif self._is_passed_on(account_id, now):
                continue  # without a write, if it is protected, or in line
            elif self._behaviour.leavers != "unmap":
                how = f"{slack_id} is unmapped as if account {account_id} were gone, which is there"
                self.found(Promise.ABSENCE, how)
            else:
                self._look_at_grace(person, [self._company.local_id(slack_id)], time.time(), f"{slack_id} is unmapped")
        for slack_id in now.keys() - before.keys():
            person = self._company.person_of(slack_id)
            if person and self._was_forgotten_before(person, time.time()):
                self.found(Promise.FORGOTTEN, f"{slack_id} of person {person.number} is mapped again")

    def _is_passed_on(self, account_id: int, now: dict[str, int]) -> bool:
        """Tell whether REHIRES has given the account to somebody who bears the address that it shows."""
        account = self._company.account(account_id)
        heirs = [self._company.person_of(slack_id) for slack_id, mapped in now.items() if mapped == account_id]
        is_theirs = any(person and account and account.email in person.addresses for person in heirs)
        return is_theirs and self._behaviour.rehires is Rehires.HAND_OVER

    def _was_undone(self, account_id: int) -> bool:
        """Tell whether an undo made the newest write to the account."""
        writers = (write.process for write in reversed(self._company.writes) if write.account_id == account_id)
        return next(writers, "").startswith("undo")

    def _look_at_restored(self, backup: Path) -> None:
        for slack_id, account_id in _kept_in(backup):
            person = self._company.person_of(slack_id)
            ids = self._company.ids_of(person) if person else {slack_id}
            if account_id not in {self._mapping.rows.get(one) for one in ids}:
                self.found(
                    Promise.BACKED_UP,
                    f"a backup maps {slack_id} to account {account_id}, and once restored nobody does",
                )

    def _look_at_backup(self, backup: Path, before: dict[str, int], now: dict[str, int]) -> None:
        kept = _kept_in(backup)
        for slack_id in before.keys() - now.keys():
            person = self._company.person_of(slack_id)
            if person and before[slack_id] in {now.get(one) for one in self._company.ids_of(person)}:
                continue  # it has passed to another id of this person, and is not deleted
            if (slack_id, before[slack_id]) not in kept:
                how = f"the mapping of {slack_id} to account {before[slack_id]} is deleted, and no backup holds it"
                self.found(Promise.BACKED_UP, how)

    def set_by_hand(self, account_id: int | None = None) -> None:
        """Take the mapping as it is, for somebody has just changed it by hand, perhaps to *account_id*."""
        self._mapping.look()
        if account_id is not None:
            self._looks[account_id] = []

    # -- one write ---------------------------------------------------------------------------------------------------

    def _look_at(self, write: Write, process: Process) -> None:
        owner = self._company.owners.get(write.account_id, NOBODY)
        if write.before is None:
            if owner.person is not None:
                self._look_at_creation(write, owner.person)
                self.breaches += self._placements.look_at(write, process, owner.person)
            return
        what = f"{write.process} writes account {write.account_id}"
        status = (write.before.active, write.before.expiration) != (write.after.active, write.after.expiration)
        hurts = status or write.before.username != write.after.username
        self._look_at_level(write, write.before, what, FRESH if hurts else LISTED)
        self._look_at_correction(write, write.before, process, what)
        if owner.person is None:
            if self._first_known(write.account_id) > owner.since:
                return  # an administrator has said whose it is, and no run has seen it since
            if write.at - owner.since > (FRESH if hurts else LISTED):
                self.found(Promise.ONLY_OWN, f"{what}, which belongs to somebody who is not in Slack")
            return
        if write.account_id in self._company.passed_on:
            is_late = write.at - self._company.passed_on[write.account_id] > (FRESH if hurts else LISTED)
            # A write planned for the former owner may still be on its way. And if Slack shows nothing of the new owner that
            # the account shows, nobody can know who that is. After such a write the account shows data of both.
            if write.account_id in self._company.of_two or not (is_late and _shows(write.before, owner.person)):
                self._company.of_two.add(write.account_id)
                return
        self._look_at_status(write, write.before, owner.person, what)
        self._look_at_data(write, write.before, owner.person, what)
        if person := self._company.owner_of(write.account_id):  # which `_look_at_data` may have changed
            self.breaches += self._placements.look_at(write, process, person)

    def _first_known(self, account_id: int) -> float:
        """Return when a run that has kept what it saw first saw the account, after somebody had mapped it by hand."""
        if account_id not in self._looks:
            return ALWAYS
        return min((at for at, process in self._looks[account_id] if not process.came_to_nothing), default=NEVER)

    def _look_at_creation(self, write: Write, person: Person) -> None:
        what = f"{write.process} creates account {write.account_id} for person {person.number}"
        others = [account for account in self._company.accounts_of(person) if account.user_id != write.account_id]
        if known := next((account for account in others if self._is_known(account, person, write.at)), None):
            self.found(Promise.SECOND_ACCOUNT, f"{what}, whose account {known.user_id} is there")
        self._look_at_leaver(write, person, what)
        if self._was_forgotten_before(person, write.at):
            self.found(Promise.FORGOTTEN, f"{what}, who was forgotten before")

    def _was_forgotten_before(self, person: Person, at: float) -> bool:
        is_known = person.is_known_as_forgotten()
        return is_known and person.forgotten_at is not None and at - person.forgotten_at > 2 * MINUTE

    def _is_known(self, account: Account, person: Person, now: float) -> bool:
        """Tell whether *person*'s mapping leads to the account, or the address does, if nobody has changed it lately."""
        ids = (person.slack_id, self._company.organisation_id(person.slack_id))
        mapped = any(self._mapping.rows.get(slack_id) == account.user_id for slack_id in ids)
        changed_at = max(person.readdressed_at, self._company.passed_on.get(account.user_id, ALWAYS))
        return mapped or (account.email == person.address and now - changed_at > FRESH)

    def _look_at_leaver(self, write: Write, person: Person, what: str) -> None:
        """Note a breach if an older state of things gives an active account to somebody who has left."""
        if person.gone_since is None or write.process.startswith("undo"):
            return
        if write.at - person.gone_since > LISTED:
            self.found(Promise.NEWEST, f"{what}, who left more than an hour before")
        told = self.told_gone.get(person.number, ALWAYS)  # perhaps of an earlier leave
        if write.process.startswith(("real time", "sweep")) and person.gone_since < told < write.at - FRESH:
            self.found(Promise.NEWEST, f"{what}, of whom an event told long before that this person has left")

    def _look_at_level(self, write: Write, before: Account, what: str, allowed: float) -> None:
        if before.level == "user":
            return
        if write.account_id in self._shown_as_administrators[write.process]:
            self.found(Promise.ADMINISTRATORS, f"{what}, and was shown that it is an administrator's")
        elif write.at - self._company.promoted.get(write.account_id, ALWAYS) > allowed:
            self.found(Promise.ADMINISTRATORS, f"{what}, which has long been an administrator's")

    def _look_at_status(self, write: Write, before: Account, person: Person, what: str) -> None:
        today = f"{datetime.fromtimestamp(write.at, UTC):%Y-%m-%d}"
        was_out, is_out = is_shut_out(before, today), is_shut_out(write.after, today)
        if is_out and not was_out and not write.process.startswith("undo"):
            holders = [slack_id for slack_id in self._mapping.holders(write.account_id) if slack_id]
            ids = [self._company.local_id(slack_id) for slack_id in holders] or person.slack_ids
            if not any(person.was_gone(slack_id, write.at - FRESH) for slack_id in ids):
                self.found(Promise.ABSENCE, f"{what}: deactivated, and person {person.number} is in Slack")
            self._look_at_grace(person, ids, write.at, f"{what}: deactivated")
            self._count(write.at, person)
        if was_out and not is_out:
            # Without a mapping, an account goes to the person who has its address now, and gets that person's name.
            bearer = self._company.person_with(write.after.lastname) or person
            self._look_at_leaver(write, bearer, f"{what}: activated for person {bearer.number}")

    def _look_at_grace(self, person: Person, ids: Iterable[str], at: float, what: str) -> None:
        """Note a breach if *person* has not been gone for the days of grace, as far as we can know."""
        grace = self._behaviour.leavers_after_days * 24 * 60 * MINUTE
        if grace and not any(person.has_been_gone(slack_id, at - grace) for slack_id in ids):
            self.found(Promise.GRACE, f"{what}, and person {person.number} has not been gone for long enough")

    def _count(self, at: float, person: Person) -> None:
        limit = self._behaviour.limit_deactivations.count
        if person.number in self.let_through:
            return
        self._deactivated.append((at, person.number))
        lately = {number for when, number in self._deactivated if when > at - DAY}
        if limit is not None and len(lately) > limit:
            self.found(Promise.LIMITS, f"{len(lately)} people were deactivated within a day, {limit} are allowed")
            self._deactivated.clear()

    def _look_at_data(self, write: Write, before: Account, person: Person, what: str) -> None:
        """Note a breach if the write gives the account another person's name or address."""
        after = write.after
        other = self._company.person_with(after.lastname) if after.lastname != before.lastname else None
        if other is None and after.email != before.email and after.email not in person.addresses:
            other = next((somebody for somebody in self._company.people if after.email in somebody.addresses), None)
        if other is None or other is person:
            return
        holders = {self._company.person_of(slack_id) for slack_id in self._mapping.holders(write.account_id)}
        former = self._given_by_address.get(write.account_id, NOBODY)
        if former.person is other and write.process.startswith("undo"):
            # The undo takes back that the account was given to the next person with its address.
            self._company.owners[write.account_id] = self._given_by_address.pop(write.account_id)
            return
        if before.email in other.addresses and (person not in holders or self._goes_to_next(write)):
            # The address alone says whose it is.
            self._given_by_address[write.account_id] = self._company.owners[write.account_id]
            self._company.owners[write.account_id] = Ownership(other, write.at)
            return
        self.found(Promise.OWN_DATA, f"{what} of person {person.number} with the data of person {other.number}")

    def _goes_to_next(self, write: Write) -> bool:
        """Tell whether the account's holders have left, so that REHIRES gives it to the next person with its address."""
        holders = map(self._company.local_id, self._mapping.holders(write.account_id))
        people = [(self._company.person_of(holder), holder) for holder in holders]
        are_gone = all(person and person.was_gone(holder, write.at - FRESH) for person, holder in people)
        return are_gone and self._behaviour.rehires is Rehires.HAND_OVER

    def _look_at_correction(self, write: Write, before: Account, process: Process, what: str) -> None:
        corrected = self._company.corrected.get(write.account_id)
        if corrected is None or not write.process.startswith(BY_PLAN):
            return
        overwritten = before.lastname.startswith("Hand") and before.lastname != write.after.lastname
        if overwritten and process.planned_at < corrected < write.at - 2 * MINUTE:
            self.found(Promise.BY_HAND, f"{what}, which an administrator had corrected meanwhile")


def _kept_in(backup: Path) -> set[tuple[str, int]]:
    """Return the mappings that a backup holds: Slack ids and accounts."""
    with backup.open(newline="", encoding="utf-8") as file:
        return {(row["slack_id"], int(row["user_id"])) for row in csv.DictReader(file)}


def _shows(account: Account, person: Person) -> bool:
    """Tell whether the account shows the address or the name by which Slack shows the person."""
    return (account.email == person.address and not person.hidden) or account.lastname == person.last_names[-1]


def is_write(request: httpx.Request) -> bool:
    """Tell whether the call changes accounts."""
    changing = {"/manage/v1/user/batch", "/manage/v1/user/change_status", "/manage/v1/user/move_to_branch"}
    return request.url.path in changing
