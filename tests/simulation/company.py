"""The truth of a story: the people of a company and their accounts, whatever Slack and Docebo show of them.

Both sides are models of the sandbox. The methods here change them, between any two calls of our processes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from itertools import cycle
from typing import Any

from sandbox.docebo.accounts import Account
from sandbox.server import Sandbox
from sandbox.slack.kinds import User
from tests.simulation.organisation import (
    DEPARTMENT,
    DEPARTMENTS,
    GROUP,
    MANAGER,
    MANAGER_TYPE,
    ODD_JOBS,
    TEAM,
    Said,
    branch_of,
    team_of,
)
from tests.simulation.wire import caller

SCOPE = "users:read.email"
BATCH = "POST /manage/v1/user/batch"
ORGANISATION = "E0GRID"
ODD = "!"  # what Docebo leaves out of names
ALWAYS = float("-inf")
ANSWERS_BEHIND = 9 * 60.0  # seconds that users.info stays behind the events
LIST_BEHIND = 50 * 60.0  # seconds that the list does
FORMS_OF_FIELDS = ("list", "missing", "object", "null")  # in which Slack's list and users.info show custom fields


@dataclass
class Absence:
    """A time, in unix seconds, in which somebody was not in Slack under one id."""

    since: float
    until: float = float("inf")


@dataclass(eq=False)
class Person:
    """Somebody of the company, with the person's history."""

    number: int
    slack_ids: list[str]  # the newest last
    joined_at: float  # under the newest id
    addresses: list[str] = field(default_factory=list)  # the newest last
    last_names: list[str] = field(default_factory=list)  # no two people ever have the same
    absences: dict[str, list[Absence]] = field(default_factory=dict)  # by Slack id
    hidden: bool = False  # Slack does not show the address, nor the person when asked by id
    poisoned: bool = False  # Slack answers nonsense when asked for exactly this person
    unfindable: bool = False  # Docebo's search announces a result for this person's address and sends none
    forgotten_at: float | None = None
    forgotten_as: set[str] = field(default_factory=set)  # ids and addresses that we knew when we were told to forget
    readdressed_at: float = ALWAYS
    linked_at: float = ALWAYS  # when an administrator has linked the person to another account
    regrouped_at: float = ALWAYS  # when the person came to the user group, or left it
    # By Slack id: when the person was in Slack and outside the user group, in stories in which that counts as having left.
    outside: dict[str, list[Absence]] = field(default_factory=dict)
    stamped_at: list[float] = field(default_factory=list)  # when a change has moved the stamp of the profile
    said: dict[str, Said] = field(default_factory=lambda: defaultdict(Said))  # by DEPARTMENT, TEAM and MANAGER
    seen_back_until: dict[str, float] = field(default_factory=dict)  # by Slack id: when we last surely knew of a return

    @property
    def slack_id(self) -> str:
        return self.slack_ids[-1]

    @property
    def address(self) -> str:
        return self.addresses[-1]

    @property
    def gone_since(self) -> float | None:
        """Return since when the person has been gone from Slack; None: the person is there."""
        latest = self.absences.get(self.slack_id, [])[-1:]
        return latest[0].since if latest and latest[0].until > time.time() else None

    @property
    def is_away(self) -> bool:
        """Whether the person is gone from Slack, or outside the user group where that counts as having left."""
        return any(absence.until > time.time() for absence in self._away(self.slack_id))

    def be_forgotten(self, of_others: Collection[str], *, is_known: bool) -> None:
        """Note that we were told to forget the person, and by which ids and addresses we know whom to forget.

        Addresses that others have borne, too, (*of_others*) do not identify the person. The newest address does only if
        it *is known*: something has shown it to us as this person's. To be told once more adds no address: of somebody who
        is forgotten we learn none.
        """
        known = self.addresses if is_known else self.addresses[:-1]
        own = set(known).difference(of_others) if self.forgotten_at is None else ()
        self.forgotten_as |= {*self.slack_ids, *own}
        self.forgotten_at = time.time()

    def is_known_as_forgotten(self) -> bool:
        """Tell whether the id or the address that Slack shows now is one of those that we were told to forget."""
        return not self.forgotten_as.isdisjoint({self.slack_id, self.address})

    def was_gone(self, slack_id: str, since: float) -> bool:
        """Tell whether the person was not in Slack under *slack_id* at any time from *since* on."""
        return any(absence.until >= since for absence in self._away(slack_id))

    def has_been_gone(self, slack_id: str, since: float) -> bool:
        """Tell whether the person left *slack_id* before *since*, and we have not surely seen the person back after that."""
        seen_back = self.seen_back_until.get(slack_id, ALWAYS)
        return any(seen_back <= absence.since <= since for absence in self._away(slack_id))

    def _away(self, slack_id: str) -> list[Absence]:
        return [*self.absences.get(slack_id, []), *self.outside.get(slack_id, [])]


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
    """Whose an account is, and since when; *person* is None for somebody who was never in Slack."""

    person: Person | None
    since: float


class Company:
    """Knows the people, the accounts, and whose each is; calls *announce* with every event that Slack would send."""

    def __init__(
        self,
        sandbox: Sandbox,
        announce: Callable[[User], None],
        *,
        is_organised: bool = False,
        outsiders_leave: bool = False,
    ) -> None:
        self.sandbox = sandbox
        self.outsiders_leave = outsiders_leave  # whoever is not in the user group counts as having left
        self.is_organised = is_organised  # people have departments, teams and managers
        self.branches: dict[str, int] = {}  # by department
        self.people: list[Person] = []
        self.owners: dict[int, Ownership] = {}
        self.writes: list[Write] = []
        # Not looked at yet: moves to the branch in which the account was already, perhaps by hand.
        self.moves_in_place: list[Write] = []
        self.corrected: dict[int, float] = {}  # account -> when an administrator changed it
        self.promoted: dict[int, float] = {}  # account -> when it became an administrator's
        self.remapped: set[str] = set()  # Slack ids whose mapping an administrator has corrected
        self.rehired: dict[int, float] = {}  # person -> when
        self.smallest_group = 0  # nobody believes in a user group with fewer members
        self.on_grid = False
        self.shows_local_ids = True  # beside the ids of the organisation
        self.is_other_platform = False
        self.behind_since = ALWAYS  # when Slack's answers last began to be behind its events
        self._as_before: dict[str, User] = {}  # by local id: what these answers show
        self.lagging_since: float | None = None  # Docebo shows no account that was made after that
        self.lagged = (float("inf"), float("inf"))  # when that began for the first time, and when it ended
        self.moved: dict[int, float] = {}  # account -> when an administrator moved it
        self.managed: dict[int, float] = {}  # account -> when an administrator gave it a manager
        self.passed_on: dict[int, float] = {}  # account -> when an administrator gave it to somebody new in Slack
        self.of_two: set[int] = set()  # those of them that were written for the former owner afterwards
        self.given_by_hand: set[int] = set()  # accounts to which an administrator has set a mapping
        self.undone_at = ALWAYS  # when anything was undone last
        self.fields_in_events = True
        self._forms_of_fields = cycle(FORMS_OF_FIELDS)
        sandbox.slack.announce = lambda _types, user: announce(self._announced(user))
        if is_organised:
            docebo = sandbox.docebo
            self.branches = {title: docebo.add_branch(code, title).id for title, code in DEPARTMENTS.items()}
            docebo.add_field("Team", "textfield", mandatory=False, invisible_to_user=False)
            for field_id in (TEAM, MANAGER):
                sandbox.slack.profile_fields.append({"id": field_id, "label": field_id, "type": "text"})
        self._watch()

    # -- what happens in Slack ---------------------------------------------------------------------------------------------

    def hire(self, *, address: str = "") -> Person:
        """Somebody new joins."""
        number = len(self.people)
        address, last_name = address or f"p{number}@example.com", f"Last{number}"
        person = Person(number, slack_ids=[], joined_at=time.time(), addresses=[address], last_names=[last_name])
        if self.is_organised:
            person.said[DEPARTMENT].say(list(DEPARTMENTS)[number % len(DEPARTMENTS)])
            person.said[TEAM].say(team_of(number, 0))
            person.said[MANAGER].say(self.people[number // 3].slack_id if number else "")
        user = self.sandbox.slack.add(f"First{number}", last_name, address, self._said_of(person))
        person.slack_ids.append(user["id"])
        self.people.append(person)
        self._note_membership(person)
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
        of_person = self._said_of(person)
        user = self.sandbox.slack.add(f"First{person.number}", person.last_names[-1], person.address, of_person)
        person.slack_ids.append(user["id"])
        person.joined_at = self.rehired[person.number] = time.time()
        self._note_membership(person)

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
        """Slack no longer shows somebody's address, nor the person when asked by id."""
        person.hidden = True

    def poison(self, person: Person) -> None:
        """Slack answers nonsense when asked for exactly this person."""
        person.poisoned = True

    def lose_scope(self) -> None:
        """Slack's app may not read addresses any more."""
        self.sandbox.slack.scopes = self.sandbox.slack.scopes - {SCOPE}

    def join_grid(self) -> None:
        """The workspace joins an organisation: everybody gets an id of the organisation beside the local one."""
        self.on_grid = True

    def leave_grid(self) -> None:
        """The workspace leaves the organisation: everybody is known by the local id again."""
        self.on_grid = False

    def drop_local_ids(self) -> None:
        """Slack begins, or ceases, to show everybody under the id of the organisation alone."""
        self.shows_local_ids = not self.shows_local_ids

    def found_group(self) -> None:
        """Somebody makes the user group of those who are in scope; most people belong to it."""
        ids = [person.slack_id for person in self.people if person.number % 4 != 3]
        self.smallest_group = len(ids) // 2 + 1
        self.sandbox.slack.group(GROUP, *ids)
        for person in self.people:
            self._note_membership(person)

    def change_membership(self, person: Person) -> None:
        """Somebody comes to the user group, or leaves it."""
        if self.members is not None and person.gone_since is None:
            changed = self.members ^ {person.slack_id}
            if len(changed) >= self.smallest_group:
                person.regrouped_at = time.time()
                self.sandbox.slack.group(GROUP, *changed)
                self._note_membership(person)

    def fall_behind(self) -> None:
        """Slack's list and its answers stay as they are now for some time, whatever its events say."""
        if time.time() >= self.behind_since + LIST_BEHIND:
            self.behind_since = time.time()
            self._as_before = {user["id"]: user for user in self.sandbox.slack}

    def change_department(self, person: Person) -> None:
        """Somebody goes to the next department; for the last one there is no branch."""
        if self.is_organised and person.gone_since is None:
            titles = [*DEPARTMENTS, ODD_JOBS]
            self._say(person, DEPARTMENT, titles[(titles.index(person.said[DEPARTMENT].now) + 1) % len(titles)])

    def change_team(self, person: Person) -> None:
        """Somebody is in another team, of which no event tells."""
        if self.is_organised and person.gone_since is None:
            self._say(person, TEAM, team_of(person.number, len(person.said[TEAM].values)))

    def lose_team(self, person: Person) -> None:
        """Somebody is in no team any more, and Slack says so."""
        if self.is_organised and person.gone_since is None:
            self._say(person, TEAM, "")

    def change_manager(self, person: Person, manager: Person) -> None:
        if self.is_organised and person.gone_since is None and person is not manager:
            self._say(person, MANAGER, manager.slack_id)

    def lose_manager(self, person: Person) -> None:
        if self.is_organised and person.gone_since is None:
            self._say(person, MANAGER, "")

    def show_fields_otherwise(self) -> None:
        """Slack's list shows custom fields in another form, and its events begin, or cease, to leave them out."""
        self.sandbox.slack.switches = replace(self.sandbox.slack.switches, fields_form=next(self._forms_of_fields))
        self.fields_in_events = not self.fields_in_events

    def keep_stamps(self) -> None:
        """From now on, a change of custom fields alone does not move the stamp of a profile."""
        self.sandbox.slack.switches = replace(self.sandbox.slack.switches, fields_move_stamps=False)

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

    def pass_account_on(self, former: Person) -> None:
        """Somebody is hired and given the account of somebody else, which keeps its username."""
        account, newcomer = self.account_of(former), self.hire()
        if account:
            names = {"firstname": f"First{newcomer.number}", "lastname": newcomer.last_names[-1]}
            self.sandbox.docebo.edit(account.user_id, {"email": newcomer.address, **names})
            self.owners[account.user_id] = Ownership(newcomer, time.time())
            self.passed_on[account.user_id] = time.time()

    def delete_account(self, person: Person) -> None:
        if account := self.account_of(person):
            self.sandbox.docebo.delete(account.user_id)

    def delete_customer_and_add_one(self) -> None:
        """Somebody deletes a customer's account and adds another one, so that their number stays the same."""
        customers = (account for account in self.sandbox.docebo.accounts if account.username.startswith("0customer"))
        if first := next(customers, None):
            self.sandbox.docebo.delete(first.user_id)
        self.add_account(None, f"zz{int(time.time())}@customers.example")

    def promote(self, person: Person) -> None:
        if account := self.account_of(person):
            self.sandbox.docebo.edit(account.user_id, {"level": "godadmin"})
            self.promoted.setdefault(account.user_id, time.time())

    def move_by_hand(self, person: Person) -> None:
        """Somebody moves an account to the next branch."""
        if self.is_organised and (account := self.account_of(person)):
            ids = list(self.branches.values())
            now = branch_of(account)
            following = ids[(ids.index(now) + 1) % len(ids)] if now in ids else ids[0]
            self.sandbox.docebo.edit(account.user_id, {"branches": (following,)})
            self.moved[account.user_id] = time.time()

    def manage_by_hand(self, person: Person) -> None:
        """Somebody gives an account a manager of whom Slack knows nothing."""
        customers = (account for account in self.sandbox.docebo.accounts if account.username.startswith("0customer"))
        if self.is_organised and (account := self.account_of(person)) and (customer := next(customers, None)):
            self.sandbox.docebo.edit(account.user_id, {"managers": {MANAGER_TYPE: customer.user_id}})
            self.managed[account.user_id] = time.time()

    def restore_another_platform(self) -> None:
        """The accounts belong to other people: Docebo was restored, or another platform is at its address."""
        self.is_other_platform = True
        for account in self.sandbox.docebo.accounts:
            if account.level == "user" or self.owner_of(account.user_id):
                self._give_away(account)

    def refuse_rows(self, person: Person) -> None:
        """Docebo refuses the next rows, whomever they are about, with a reason that names *person*."""
        names = [address for somebody in self.people for address in somebody.addresses]
        names += [f"p{number}@example.com" for number in range(len(self.people), len(self.people) + 3)]
        reason = f"The e-mail address {person.address} is taken by {person.last_names[-1]}"
        self.sandbox.docebo_gate.faults.add(BATCH, "rows_refused", usernames=names, message=reason)

    def lag(self) -> None:
        """Docebo's lists and searches show no account that is made from now on."""
        self.lagging_since = time.time()
        self.lagged = min(self.lagged[0], time.time()), float("inf")

    def hide_from_search(self, person: Person) -> None:
        """Docebo's search announces results for this person's addresses and sends none."""
        person.unfindable = True

    # --------------------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Let both sides behave well again; what has changed stays changed."""
        self.sandbox.docebo_gate.faults.clear()
        self.sandbox.slack.scopes = self.sandbox.slack.scopes | {SCOPE}
        self.sandbox.slack.switches = replace(self.sandbox.slack.switches, fields_form="null", fields_move_stamps=True)
        self.behind_since = ALWAYS
        self.lagging_since = None
        self.lagged = self.lagged[0], time.time()
        for person in self.people:
            person.hidden = person.poisoned = person.unfindable = False

    def add_account(
        self, person: Person | None, address: str, *, username: str = "", since: float | None = None
    ) -> Account | None:
        """An administrator makes an account by hand; return it, or None if the username is taken."""
        accounts = self.sandbox.docebo.accounts
        if accounts.by_username(username or address):
            return None
        made = accounts.add(username or address, email=address, firstname="Before", lastname="Import")
        if person and person.number % 2 and (branch := self.branches.get(person.said[DEPARTMENT].now)):
            accounts.change(made.user_id, {"branches": (branch,)})
        self.owners[made.user_id] = Ownership(person, time.time() if since is None else since)
        return made

    # -- what is so --------------------------------------------------------------------------------------------------

    @property
    def is_organisation(self) -> bool:
        """Tell whether Slack shows people under the ids of the organisation alone."""
        return self.on_grid and not self.shows_local_ids

    @property
    def members(self) -> frozenset[str] | None:
        """Return the Slack ids of those in the user group; None where there is none."""
        group = self.sandbox.slack.groups.get(GROUP)
        return group.members if group else None

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
        """Return the person with this id, be it local or of the organisation."""
        local = self.local_id(slack_id)
        return next((person for person in self.people if local in person.slack_ids), None)

    def ids_of(self, person: Person) -> set[str]:
        """Return every id that Slack has given to *person*, local ones and the organisation's."""
        return {*person.slack_ids, *map(self.organisation_id, person.slack_ids)}

    def person_with(self, last_name: str) -> Person | None:
        """Return the person who has, or once had, this last name."""
        return next((person for person in self.people if last_name in person.last_names), None)

    def local_id(self, slack_id: str) -> str:
        return f"U0{slack_id[2:]}" if slack_id.startswith("W9") else slack_id

    def organisation_id(self, slack_id: str) -> str:
        return f"W9{slack_id[2:]}"

    def profile(self, person: Person) -> User:
        """Return *person* as Slack shows this person now."""
        return self.shown(self.sandbox.slack.get(person.slack_id))

    def answered(self, user: User, *, behind: float) -> User | None:
        """Return *user* as Slack answers, for *behind* seconds as before `fall_behind`; None: Slack knows nobody."""
        if time.time() >= self.behind_since + behind:
            return self._sent(self.shown(user))
        former = self._as_before.get(user["id"])
        return self._sent(self.shown(deepcopy(former))) if former else None

    def shown(self, user: User) -> User:
        """Return *user* as Slack shows it now: without a hidden address, and with the organisation's id if there is one."""
        person = next((person for person in self.people if user["id"] in person.slack_ids), None)
        if person is None:
            return user
        if person.hidden or SCOPE not in self.sandbox.slack.scopes:
            user["profile"].pop("email", None)
        if self.on_grid and not user["deleted"]:
            user["enterprise_user"] = {"id": self.organisation_id(user["id"]), "teams": [self.sandbox.slack.team.id]}
        return user

    # -- how it is kept ----------------------------------------------------------------------------------------------

    def _sent(self, user: User) -> User:
        """Return *user* under the organisation's id alone, if Slack shows no local ids."""
        if self.is_organisation and "enterprise_user" in user:
            user["id"] = user["enterprise_user"]["id"]
            user["enterprise_user"]["enterprise_id"] = ORGANISATION
        return user

    def _announced(self, user: User) -> User:
        """Return *user* as an event shows it."""
        user = self._sent(self.shown(user))
        if not self.fields_in_events:
            user["profile"]["fields"] = None
        return user

    def _said_of(self, person: Person) -> dict[str, Any]:
        """Return the part of the profile that says department, team and manager of *person*."""
        if not self.is_organised:
            return {}
        fields = {name: {"value": value, "alt": ""} for name in (TEAM, MANAGER) if (value := person.said[name].now)}
        return {"profile": {"title": person.said[DEPARTMENT].now, "fields": fields}}

    def _note_membership(self, person: Person) -> None:
        if self.members is None or not self.outsiders_leave:
            return
        outside = person.outside.setdefault(person.slack_id, [])
        if person.slack_id not in self.members:
            outside.append(Absence(time.time()))
        elif outside:
            outside[-1].until = time.time()

    def _say(self, person: Person, name: str, value: str) -> None:
        person.said[name].say(value)
        profile = self._said_of(person)["profile"]
        self._change(person, **{key: profile[key] for key in ([DEPARTMENT] if name == DEPARTMENT else ["fields"])})

    def _give_away(self, account: Account) -> None:
        address = f"stranger{account.user_id}x{int(time.time())}@customers.example"
        stranger = {"email": address, "username": address, "firstname": "Stranger", "lastname": f"Of{account.user_id}"}
        self.sandbox.docebo.edit(account.user_id, stranger)
        self.owners[account.user_id] = Ownership(None, time.time())

    def _readdress(self, person: Person, address: str) -> None:
        person.addresses.append(address)
        person.readdressed_at = time.time()
        self._change(person, email=address)

    def _change(self, person: Person, **profile: Any) -> None:
        if profile.keys() != {"fields"} or self.sandbox.slack.switches.fields_move_stamps:
            person.stamped_at.append(time.time())
        self.sandbox.slack.change(person.slack_id, {"profile": profile})

    def _watch(self) -> None:
        """Note each change that one of our processes makes to an account, and the owner of each account that one makes."""
        accounts = self.sandbox.docebo.accounts
        add, change = accounts.add, accounts.change

        def noted_add(*arguments: Any, **attributes: Any) -> Account:
            account = add(*arguments, **_kept(attributes))
            if process := caller.get():
                owner = self.person_with(account.lastname)
                self.owners[account.user_id] = Ownership(owner, time.time())
                self.writes.append(
                    Write(time.time(), process, account_id=account.user_id, before=None, after=replace(account))
                )
            return account

        def noted_change(user_id: int, attributes: Any) -> bool:
            before = replace(accounts[user_id])
            changed = change(user_id, _kept(attributes))
            if (process := caller.get()) and (changed or "branches" in attributes):
                writes = self.writes if changed else self.moves_in_place
                writes.append(
                    Write(time.time(), process, account_id=user_id, before=before, after=replace(accounts[user_id]))
                )
            return changed

        accounts.add, accounts.change = noted_add, noted_change  # type: ignore[method-assign]


def kept(name: str, value: Any) -> Any:
    """Return *value* as Docebo keeps it as the attribute *name* of an account."""
    return value.replace(ODD, "") if name in {"firstname", "first_name"} else value


def _kept(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: kept(name, value) for name, value in attributes.items()}
