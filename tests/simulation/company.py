"""What is really so: the people of a company and their accounts, whatever either side shows of it.

Slack and Docebo are the sandbox's models. They change by themselves, by the methods here, between any two calls.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox.docebo.accounts import Account
from sandbox.server import Sandbox
from sandbox.slack.kinds import User
from tests.simulation.wire import caller

SCOPE = "users:read.email"
BATCH = "POST /manage/v1/user/batch"
ODD = "!"  # what Docebo leaves out of names
ALWAYS = float("-inf")


@dataclass
class Absence:
    """When somebody was not in Slack under one id, in unix seconds."""

    since: float
    until: float = float("inf")


@dataclass(eq=False)
class Person:
    """Somebody of the company, and what was so of this person at any time."""

    number: int
    slack_ids: list[str]  # the newest last
    joined_at: float  # under the newest id
    addresses: list[str] = field(default_factory=list)  # the newest last
    last_names: list[str] = field(default_factory=list)  # no two people ever have the same
    absences: dict[str, list[Absence]] = field(default_factory=dict)  # by Slack id
    hidden: bool = False  # Slack does not tell the address, nor the person when asked
    poisoned: bool = False  # Slack answers nonsense when asked for exactly this person
    unfindable: bool = False  # Docebo's search announces this person's account and does not send it
    forgotten_at: float | None = None
    forgotten_as: set[str] = field(default_factory=set)  # ids and addresses by which we knew who was to be forgotten
    readdressed_at: float = ALWAYS

    @property
    def slack_id(self) -> str:
        return self.slack_ids[-1]

    @property
    def address(self) -> str:
        return self.addresses[-1]

    @property
    def gone_since(self) -> float | None:
        """Return since when the person is not in Slack; None: the person is there."""
        latest = self.absences.get(self.slack_id, [])[-1:]
        return latest[0].since if latest and latest[0].until > time.time() else None

    def be_forgotten(self) -> None:
        """Note that we were told to forget the person; what happens to somebody who is forgotten comes to nobody's ears."""
        self.forgotten_as |= {*self.slack_ids, *(self.addresses if self.forgotten_at is None else ())}
        self.forgotten_at = time.time()

    def is_known_as_forgotten(self) -> bool:
        """Tell whether anything by which Slack shows the person now says who it is."""
        return not self.forgotten_as.isdisjoint({self.slack_id, self.address})

    def was_gone(self, slack_id: str, since: float) -> bool:
        """Tell whether the person was not in Slack under *slack_id* at any time from *since* on."""
        return any(absence.until >= since for absence in self.absences.get(slack_id, []))


@dataclass(frozen=True)
class Write:
    """One account changed by one of our processes."""

    at: float
    process: str
    account_id: int
    before: Account | None  # None: it was created
    after: Account


@dataclass(frozen=True)
class Ownership:
    """Whose an account is, and since when; None: of somebody who is not in Slack."""

    person: Person | None
    since: float


class Company:
    """People, accounts, and who has which; *announce* is called with every event Slack would send."""

    def __init__(self, sandbox: Sandbox, announce: Callable[[User], None]) -> None:
        self.sandbox = sandbox
        self.people: list[Person] = []
        self.owners: dict[int, Ownership] = {}
        self.writes: list[Write] = []
        self.corrected: dict[int, float] = {}  # account -> when an administrator changed it
        self.promoted: dict[int, float] = {}  # account -> when it became an administrator's
        self.remapped: set[str] = set()  # Slack ids whose mapping an administrator has corrected
        self.rehired: dict[int, float] = {}  # person -> when
        self.on_grid = False
        self.is_other_platform = False
        self.lagging_since: float | None = None  # Docebo shows no account that was made since
        sandbox.slack.announce = lambda _types, user: announce(self.shown(user))
        self._watch()

    # -- what Slack does ---------------------------------------------------------------------------------------------

    def hire(self, *, address: str = "") -> Person:
        """Somebody new joins."""
        number = len(self.people)
        address, last_name = address or f"p{number}@example.com", f"Last{number}"
        user = self.sandbox.slack.add(f"First{number}", last_name, address)
        person = Person(number, [user["id"]], time.time(), [address], [last_name])
        self.people.append(person)
        return person

    def leave(self, person: Person) -> None:
        if person.gone_since is None:
            person.absences.setdefault(person.slack_id, []).append(Absence(time.time()))
            self.sandbox.slack.deactivate(person.slack_id)

    def come_back(self, person: Person) -> None:
        if person.gone_since is not None:
            person.absences[person.slack_id][-1].until = person.joined_at = time.time()
            self.sandbox.slack.reactivate(person.slack_id)

    def rehire(self, person: Person) -> None:
        """Somebody leaves and comes back under a new Slack id, with the same address."""
        self.leave(person)
        user = self.sandbox.slack.add(f"First{person.number}", person.last_names[-1], person.address)
        person.slack_ids.append(user["id"])
        person.joined_at = self.rehired[person.number] = time.time()

    def rename(self, person: Person) -> None:
        if person.gone_since is None:
            person.last_names.append(f"Name{person.number}x{int(time.time())}")
            self._change(person, last_name=person.last_names[-1])

    def take_odd_name(self, person: Person) -> None:
        """Somebody takes a name that Docebo keeps in a form of its own."""
        if person.gone_since is None:
            self._change(person, first_name=f"Ann{ODD}")

    def swap_addresses(self, one: Person, other: Person) -> None:
        if one is not other and one.gone_since is None and other.gone_since is None:
            first, second = one.address, other.address
            self._readdress(one, second)
            self._readdress(other, first)

    def take_over_address(self, newcomer: Person, former: Person) -> None:
        """Somebody gets another address, and the old one is given to somebody else, as companies do."""
        if newcomer is not former and newcomer.gone_since is None and former.gone_since is None:
            address = former.address
            self._readdress(former, f"p{former.number}.new{int(time.time())}@example.com")
            self._readdress(newcomer, address)

    def pass_address_on(self, former: Person) -> None:
        """Somebody gets another address, and somebody new is hired at the old one."""
        if former.gone_since is None:
            address = former.address
            self._readdress(former, f"p{former.number}.new{int(time.time())}@example.com")
            self.hire(address=address)

    def hide(self, person: Person) -> None:
        """Slack does not show the address of somebody any more, nor the person when asked."""
        person.hidden = True

    def poison(self, person: Person) -> None:
        """Slack answers nonsense when asked for somebody."""
        person.poisoned = True

    def lose_scope(self) -> None:
        """Slack's app may not read addresses any more."""
        self.sandbox.slack.scopes = self.sandbox.slack.scopes - {SCOPE}

    def join_grid(self) -> None:
        """The workspace joins an organisation: everybody gets an id of it, beside the local one."""
        self.on_grid = True

    # -- what an administrator of Docebo does ------------------------------------------------------------------------

    def correct(self, person: Person) -> None:
        """Somebody changes a name in Docebo by hand."""
        if account := self.account_of(person):
            self.sandbox.docebo.edit(account.user_id, {"lastname": f"Hand{int(time.time())}"})
            self.corrected[account.user_id] = time.time()

    def hand_over(self, person: Person) -> None:
        """An account is given to somebody who is not in Slack."""
        if account := self.account_of(person):
            self._give_away(account)

    def delete_account(self, person: Person) -> None:
        if account := self.account_of(person):
            self.sandbox.docebo.delete(account.user_id)

    def delete_customer_and_add_one(self) -> None:
        """The account of somebody else goes and another comes: their number stays the same."""
        customers = (account for account in self.sandbox.docebo.accounts if account.username.startswith("0customer"))
        if first := next(customers, None):
            self.sandbox.docebo.delete(first.user_id)
        self.add_account(None, f"zz{int(time.time())}@customers.example")

    def promote(self, person: Person) -> None:
        if account := self.account_of(person):
            self.sandbox.docebo.edit(account.user_id, {"level": "godadmin"})
            self.promoted.setdefault(account.user_id, time.time())

    def restore_another_platform(self) -> None:
        """Other people are behind the ids of Docebo: a tenant was restored, or another is at the address."""
        self.is_other_platform = True
        for account in self.sandbox.docebo.accounts:
            if account.level == "user":
                self._give_away(account)

    def refuse_rows(self, person: Person) -> None:
        """Docebo refuses what is next written about anybody, for a reason that names *person*."""
        names = [address for somebody in self.people for address in somebody.addresses]
        names += [f"p{number}@example.com" for number in range(len(self.people), len(self.people) + 3)]
        reason = f"The e-mail address {person.address} is taken by {person.last_names[-1]}"
        self.sandbox.docebo_gate.faults.add(BATCH, "rows_refused", usernames=names, message=reason)

    def lag(self) -> None:
        """Docebo's lists and searches do not show what is made from now on."""
        self.lagging_since = time.time()

    def hide_from_search(self, person: Person) -> None:
        """Docebo's search announces results for somebody's address and sends none."""
        person.unfindable = True

    # --------------------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Let both sides behave; what has changed stays changed."""
        self.sandbox.docebo_gate.faults.clear()
        self.sandbox.slack.scopes = self.sandbox.slack.scopes | {SCOPE}
        self.lagging_since = None
        for person in self.people:
            person.hidden = person.poisoned = person.unfindable = False

    def add_account(
        self, person: Person | None, address: str, *, username: str = "", since: float | None = None
    ) -> Account | None:
        """An administrator makes an account by hand; None where the username is taken."""
        accounts = self.sandbox.docebo.accounts
        if accounts.by_username(username or address):
            return None
        made = accounts.add(username or address, email=address, firstname="Before", lastname="Import")
        self.owners[made.user_id] = Ownership(person, time.time() if since is None else since)
        return made

    # -- what is so --------------------------------------------------------------------------------------------------

    def account(self, account_id: int) -> Account | None:
        return self.sandbox.docebo.accounts.get(account_id)

    def account_of(self, person: Person) -> Account | None:
        """Return the oldest account that is *person*'s."""
        return next(iter(self.accounts_of(person)), None)

    def accounts_of(self, person: Person) -> list[Account]:
        mine = sorted(account_id for account_id, owner in self.owners.items() if owner.person is person)
        return [account for account_id in mine if (account := self.account(account_id))]

    def owner_of(self, account_id: int) -> Person | None:
        return self.owners[account_id].person if account_id in self.owners else None

    def person_of(self, slack_id: str) -> Person | None:
        """Return whose id this is, local or of the organisation."""
        local = self.local_id(slack_id)
        return next((person for person in self.people if local in person.slack_ids), None)

    def ids_of(self, person: Person) -> set[str]:
        """Return every id that Slack has given to *person*, local ones and the organisation's."""
        return {*person.slack_ids, *map(self.organisation_id, person.slack_ids)}

    def person_with(self, last_name: str) -> Person | None:
        """Return who has, or once had, this name; no two people have the same."""
        return next((person for person in self.people if last_name in person.last_names), None)

    def local_id(self, slack_id: str) -> str:
        return f"U0{slack_id[2:]}" if slack_id.startswith("W9") else slack_id

    def organisation_id(self, slack_id: str) -> str:
        return f"W9{slack_id[2:]}"

    def profile(self, person: Person) -> User:
        """Return *person* as Slack shows this person now."""
        return self.shown(self.sandbox.slack.get(person.slack_id))

    def shown(self, user: User) -> User:
        """Return *user* as Slack shows it now: with the organisation's id once there is one, without hidden addresses."""
        person = next((person for person in self.people if user["id"] in person.slack_ids), None)
        if person is None:
            return user
        if person.hidden or SCOPE not in self.sandbox.slack.scopes:
            user["profile"].pop("email", None)
        if self.on_grid and not user["deleted"]:
            user["enterprise_user"] = {"id": self.organisation_id(user["id"]), "teams": [self.sandbox.slack.team.id]}
        return user

    # -- how it is kept ----------------------------------------------------------------------------------------------

    def _give_away(self, account: Account) -> None:
        address = f"stranger{account.user_id}x{int(time.time())}@customers.example"
        stranger = {"email": address, "username": address, "firstname": "Stranger", "lastname": f"Of{account.user_id}"}
        self.sandbox.docebo.edit(account.user_id, stranger)
        self.owners[account.user_id] = Ownership(None, time.time())

    def _readdress(self, person: Person, address: str) -> None:
        person.addresses.append(address)
        person.readdressed_at = time.time()
        self._change(person, email=address)

    def _change(self, person: Person, **profile: str) -> None:
        self.sandbox.slack.change(person.slack_id, {"profile": profile})

    def _watch(self) -> None:
        """Note every change that one of our processes makes to an account, and whose a new one is."""
        accounts = self.sandbox.docebo.accounts
        add, change = accounts.add, accounts.change

        def noted_add(*arguments: Any, **attributes: Any) -> Account:
            account = add(*arguments, **_kept(attributes))
            if process := caller.get():
                owner = self.person_with(account.lastname)
                self.owners[account.user_id] = Ownership(owner, time.time())
                self.writes.append(Write(time.time(), process, account.user_id, None, replace(account)))
            return account

        def noted_change(user_id: int, attributes: Any) -> bool:
            before = replace(accounts[user_id])
            changed = change(user_id, _kept(attributes))
            if changed and (process := caller.get()):
                self.writes.append(Write(time.time(), process, user_id, before, replace(accounts[user_id])))
            return changed

        accounts.add, accounts.change = noted_add, noted_change  # type: ignore[method-assign]


def kept(name: str, value: Any) -> Any:
    """Return the form in which Docebo keeps *value* as an account's *name*."""
    return value.replace(ODD, "") if name in {"firstname", "first_name"} else value


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: kept(name, value) for name, value in attributes.items()}
