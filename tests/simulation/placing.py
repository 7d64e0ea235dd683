"""Watching branches, managers and custom fields: each write of one is compared with what Slack says."""

from collections.abc import Iterator

from sandbox.docebo.accounts import Account
from slack_docebo.clients.slack import source_user
from slack_docebo.domain.scope import Scope
from slack_docebo.integration_settings import IntegrationSettings
from tests.simulation.company import ALWAYS, SCOPE, Company, Ownership, Person, Write
from tests.simulation.organisation import DEPARTMENT, MANAGER, TEAM, TEAM_FIELD, branch_of, manager_of, member_of
from tests.simulation.processes import Process
from tests.simulation.promises import DAY, FIELDS_READ, LISTED, MINUTE, Breach, Promise

BY_PLAN = ("saved plan", "cut-off plan", "late plan")
UNDO = "undo"
STAMP = 1.0  # seconds, by which Slack stamps


def is_shut_out(account: Account, today: str) -> bool:
    """Tell whether the account is inactive or has expired, so that nobody can sign in with it."""
    return not account.active or bool(account.expiration and account.expiration <= today)


def scope_of(company: Company, behaviour: IntegrationSettings) -> Scope:
    """Return who is in scope, by the user group as it is now."""
    known = behaviour.with_members(company.members, frozenset())
    return known.policy(company.sandbox.slack.team.id).scope


def is_protected(account: Account, behaviour: IntegrationSettings) -> bool:
    """Tell whether the settings say that the account is never touched."""
    return not {account.username.casefold(), account.email.casefold()}.isdisjoint(behaviour.protected_accounts)


class Placements:
    """Looks at each write to the account of a person of the company."""

    def __init__(self, company: Company, behaviour: IntegrationSettings) -> None:
        self._company = company
        self._behaviour = behaviour
        # By account and person: the branch to which we brought the account for that person last, and since when we surely know.
        self._placed: dict[tuple[int, int], tuple[int, float]] = {}
        self._moved: list[tuple[float, int]] = []  # when, and the account of which person
        # By account: the process that wrote it last while it was not protected, and how many reads it had made by then.
        self._unprotected: dict[int, tuple[str, int]] = {}
        self._undone: set[int] = set()  # accounts whose team or manager an undo was the last to write

    def look_at(self, write: Write, process: Process, person: Person) -> Iterator[Breach]:
        """Yield what is wrong with *write* to an account of *person*."""
        what = f"{write.process} writes account {write.account_id} of person {person.number}"
        yield from self._look_at_shield(write, process, person, what)
        if not self._company.is_organised:
            return
        yield from self._look_at_branch(write, process, person, what)
        yield from self._look_at_manager(write, process, person, what)
        yield from self._look_at_team(write, process, person, what)

    def note_branch(self, write: Write, process: Process, person: Person) -> None:
        """Note that *write* brought an account of *person* to its branch, even if it was there already."""
        if (branch := branch_of(write.after)) is not None:
            noted_at = ALWAYS if process.faults or write.process.startswith(UNDO) else write.at
            self._placed[write.account_id, person.number] = branch, noted_at

    def _since(self, write: Write, process: Process) -> float:
        """Return since when Slack may have said what *write* rests on."""
        begun = process.planned_at if write.process.startswith(BY_PLAN) else process.begun
        return min(begun, write.at) - LISTED

    def _read_since(self, write: Write, process: Process, person: Person) -> float:
        """Return since when Slack may have said the custom fields that *write* rests on.

        They may be older if no stamp has told of a change. But fields that were undone are read again before a write.
        """
        since = self._since(write, process)
        if write.account_id in self._undone:
            self._undone.discard(write.account_id)
            return since
        stamped = max((at for at in person.stamped_at if at < since), default=ALWAYS)
        return min(since, max(since - FIELDS_READ, stamped + STAMP))

    def _look_at_shield(self, write: Write, process: Process, person: Person, what: str) -> Iterator[Breach]:
        before, after = write.before, write.after
        is_undo, at_work = write.process.startswith(UNDO), (write.process, process.calls["read"])
        if before is None or not is_protected(before, self._behaviour):
            self._unprotected[write.account_id] = at_work
        elif not is_undo and self._unprotected.get(write.account_id) != at_work:
            # Else this write is the rest of a row that put the account under protection, and that Docebo takes only in parts.
            yield Breach(Promise.SHIELDED, f"{what}, which is protected")
        is_status = before and (before.active, before.expiration) != (after.active, after.expiration)
        if is_undo or is_status or person.hidden:
            return
        user = source_user(self._company.profile(person))
        against = scope_of(self._company, self._behaviour).reason_against(user)
        since = max(person.readdressed_at, person.regrouped_at, person.gone_since or ALWAYS, person.joined_at)
        if against and SCOPE in self._company.sandbox.slack.scopes and since < self._since(write, process):
            yield Breach(Promise.SHIELDED, f"{what}, who has long been out of scope: {against}")

    def _look_at_branch(self, write: Write, process: Process, person: Person, what: str) -> Iterator[Breach]:
        before, after = write.before and branch_of(write.before), branch_of(write.after)
        if before == after or after is None:
            return
        account = write.account_id
        placed, noted_at = self._placed.get((account, person.number), (None, ALWAYS))
        self.note_branch(write, process, person)
        if write.before is not None and not write.process.startswith("late plan"):
            yield from self._count(write.at, person)
        if write.process.startswith(UNDO):
            return
        said = person.said[DEPARTMENT]
        wanted = {branch: title for title, branch in self._company.branches.items()}
        title = wanted.get(after, "")
        if title not in said.since(self._since(write, process)):
            yield Breach(Promise.PLACED, f"{what}: to {title or after}, where Slack has not had the person for long")
        elif before == placed and wanted.get(before or 0) and said.ended(title) <= noted_at:
            yield Breach(Promise.NEWEST, f"{what}: moved from {wanted[before or 0]} back to {title}, which is older")
        is_moved = account in self._company.moved and account not in self._company.given_by_hand
        # For another Slack id of its person, an account counts as never brought anywhere.
        since = max(self._company.undone_at, self._company.rehired.get(person.number, ALWAYS))
        if placed == after and is_moved and noted_at > since:
            yield Breach(Promise.STAYS, f"{what}: back to {title}, from where an administrator has moved it")

    def _count(self, at: float, person: Person) -> Iterator[Breach]:
        limit = self._behaviour.limit_branch_moves.count
        self._moved.append((at, person.number))
        lately = {number for when, number in self._moved if when > at - DAY}
        if limit is not None and len(lately) > limit:
            yield Breach(Promise.LIMITS, f"{len(lately)} people were moved within a day, {limit} are allowed")
            self._moved.clear()

    def _look_at_manager(self, write: Write, process: Process, person: Person, what: str) -> Iterator[Breach]:
        before, after = (manager_of(write.before) if write.before else 0), manager_of(write.after)
        if before == after:
            return
        if self._is_in_a_circle(write.account_id):
            yield Breach(Promise.PLACED, f"{what}: its manager reports to it, be it by way of others")
        if write.process.startswith(UNDO):
            self._undone.add(write.account_id)
            return
        said = person.said[MANAGER].since(self._read_since(write, process, person))
        if not after:
            if "" not in said:
                yield Breach(Promise.KNOWN, f"{what}: without a manager, and Slack has always told one")
            return
        owner = self._company.owners.get(after, Ownership(None, ALWAYS))
        of_owner = self._company.ids_of(owner.person) if owner.person else set[str]()
        is_known = after not in self._company.given_by_hand and after not in self._company.of_two
        if of_owner.isdisjoint(said) and owner.since < write.at - LISTED and is_known:
            whose = f"person {owner.person.number}" if owner.person else "somebody who is not in Slack"
            yield Breach(Promise.PLACED, f"{what}: the manager is {whose}, whom Slack does not name")

    def _is_in_a_circle(self, account_id: int) -> bool:
        """Tell whether the account reports to itself, by managers all of whom we have set."""
        line = [account_id]
        while (account := self._company.account(line[-1])) and (above := manager_of(account)):
            if account.user_id in self._company.managed:
                return False
            if above in line:
                return above == account_id
            line.append(above)
        return False

    def _look_at_team(self, write: Write, process: Process, person: Person, what: str) -> Iterator[Breach]:
        before = write.before.fields.get(TEAM_FIELD, "") if write.before else ""
        after = write.after.fields.get(TEAM_FIELD, "")
        if before == after:
            return
        if write.process.startswith(UNDO):
            self._undone.add(write.account_id)
            return
        if not after and "" not in person.said[TEAM].since(self._read_since(write, process, person) - MINUTE):
            yield Breach(Promise.KNOWN, f"{what}: without a team, and Slack has always told one")
        number = member_of(after)
        if number is not None and number != person.number:
            yield Breach(Promise.OWN_DATA, f"{what} with the team of person {number}")
