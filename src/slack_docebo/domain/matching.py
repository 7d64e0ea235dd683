"""Matching: which Docebo account belongs to a Slack user."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.people import Account, Known, Mapping, SourceUser
from slack_docebo.domain.texts import some_of, unseen, without_unseen

UNCONFIRMED = "address not confirmed in Slack"


class MatchBy(StrEnum):
    """Which attribute of accounts is compared with a Slack user's e-mail address while there is no mapping."""

    EMAIL = "email"
    USERNAME = "username"
    BOTH = "email-and-username"


class FoundBy(StrEnum):
    """How an account was found."""

    NOTHING = ""
    MAPPING = "mapping"
    FORMER_MAPPING = "former mapping"
    EMAIL = "e-mail"
    USERNAME = "username"
    NAME = "former mapping, and the name alone"
    FORMER_ENTRY = "the address of a former entry in Slack"


@dataclass(frozen=True, slots=True)
class Match:
    """The account and how it was found, or no account; with a *problem*, no account may be created either."""

    account: Account | None = None
    by: FoundBy = FoundBy.NOTHING
    problem: str = ""  # why nobody can tell which account it is; then nothing may be written
    likeliest: Account | None = None  # of several, the only one that shows the person's e-mail address


class Accounts:
    """The target's accounts, found by id, and by e-mail or username as mailboxes are compared.

    Either may lead to several: e-mail addresses are not unique in Docebo, and usernames that differ by an HTML escape are
    read alike. The state of an account that is not in this collection is unknown until Docebo was asked for its id.
    """

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self.pages = 0  # of the listing, if these are all accounts; 0 if they were looked up
        self._answers: dict[int, Observation[Account]] = {}
        self._by_id: dict[int, Account] = {}
        self._by_email: dict[str, int | list[int]] = {}  # a bare id for the usual single hit saves memory
        self._by_username: dict[str, int | list[int]] = {}
        self._lookalikes: dict[str, int] = {}  # by the visible part of an address with invisible characters
        self._bearers: dict[int, str] = {}  # who has the account's e-mail address in Slack; "" where nobody can tell
        # To whom accounts were given whose username is the address of somebody, perhaps of another person.
        self._given: dict[int, str] = {}
        self._former_holders: dict[int, str] = {}  # of unmapped accounts, if they may still be in Slack
        self._unlisted: set[int] = set()
        # Docebo answered 400 for these: a search for the last username can tell whether one is gone.
        self.ambiguous: set[int] = set()
        self._searched: set[str] = set()
        self._hidden: dict[str, int] = {}  # accounts that exist and are not here, by username and address
        self.add(accounts)

    def add(self, accounts: Iterable[Account]) -> None:
        """Add *accounts*, or replace those with the same id."""
        for account in accounts:
            if known_so_far := self._by_id.get(account.docebo_id):
                if known_so_far == account:
                    continue
                self._take_out(known_so_far)
            self._by_id[account.docebo_id] = account
            self._unlisted.discard(account.docebo_id)
            username = _shared(mailbox(account.username), account.username)
            _enter(self._by_username, username, account.docebo_id)
            if account.email:
                _enter(self._by_email, _shared(mailbox(account.email), username), account.docebo_id)
            for text in (account.username, account.email):
                if (seen := without_unseen(text)) != text:
                    self._lookalikes[mailbox(seen)] = account.docebo_id

    def _take_out(self, account: Account) -> None:
        """Remove *account* from the indexes by address and username."""
        for known, text in ((self._by_username, account.username), (self._by_email, account.email)):
            known[mailbox(text)] = [i for i in _ids(known.get(mailbox(text), [])) if i != account.docebo_id]

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_id.values())

    def get(self, docebo_id: int) -> Account | None:
        return self._by_id.get(docebo_id)

    def keep_answer(self, docebo_id: int, answer: Observation[Account]) -> None:
        """Keep Docebo's answer to the question for exactly this account."""
        self._answers[docebo_id] = answer
        if not isinstance(answer, Unknown):
            self._unlisted.discard(docebo_id)
        if isinstance(answer, Present):
            self._hidden |= {mailbox(text): docebo_id for text in (answer.value.username, answer.value.email) if text}

    def note_unlisted(self, docebo_ids: Iterable[int]) -> None:
        """Note that these accounts were listed before, and count as unlisted unless they are settled."""
        self._unlisted |= {docebo_id for docebo_id in docebo_ids if not self.is_settled(docebo_id)}

    def note_searched(self, address: str) -> None:
        """Note that Docebo was searched for *address*."""
        self._searched.add(mailbox(address))

    @property
    def unlisted(self) -> list[int]:
        """The accounts that were listed before, are not here, and were not asked for."""
        return sorted(self._unlisted - self._answers.keys())

    def may_lack(self, address: str) -> bool:
        """Tell whether an account with *address* may exist that is not here."""
        return bool(self._unlisted) and mailbox(address) not in self._searched

    def hidden(self, address: str) -> int | None:
        """Return the account with *address* that exists, as Docebo has answered, and is not here."""
        found = self._hidden.get(mailbox(address))
        return None if found in self._by_id else found

    def is_settled(self, docebo_id: int) -> bool:
        """Tell whether the account is here, or Docebo was asked for it."""
        return docebo_id in self._by_id or docebo_id in self._answers

    def look(self, docebo_id: int) -> Observation[Account]:
        """Return what is known of this account; an answer to a question by id lacks attributes that a list has."""
        if account := self._by_id.get(docebo_id):
            return Present(account)
        return self._answers.get(docebo_id, Unknown(f"Docebo does not show account {docebo_id}"))

    @property
    def overlooked(self) -> list[int]:
        """The accounts that exist, as Docebo has answered, and are not here."""
        return [i for i, seen in self._answers.items() if isinstance(seen, Present) and i not in self._by_id]

    def with_email(self, email: str) -> list[Account]:
        return [self._by_id[i] for i in _ids(self._by_email.get(mailbox(email), []))]

    def named(self, username: str) -> list[Account]:
        return [self._by_id[i] for i in _ids(self._by_username.get(mailbox(username), []))]

    def with_username(self, username: str) -> Account | None:
        return next(iter(self.named(username)), None)

    def lookalike(self, address: str) -> Account | None:
        """Return the account that has *address* with invisible characters in it, as a table may have brought them."""
        found = self._by_id.get(self._lookalikes.get(mailbox(address), -1))
        return found if found and mailbox(address) in map(_seen_mailbox, (found.username, found.email)) else None

    def note_bearer(self, docebo_id: int, slack_id: str) -> None:
        """Note that the e-mail address of the account belongs to the person *slack_id*."""
        self._bearers[docebo_id] = slack_id

    def note_given(self, docebo_id: int, slack_id: str) -> None:
        """Note that the account, whose username is somebody's address, was given to *slack_id* before."""
        self._given[docebo_id] = slack_id

    def note_former_holder(self, docebo_id: int, slack_id: str) -> None:
        """Note that the unmapped account was given before to *slack_id*, who may still be in Slack."""
        self._former_holders[docebo_id] = slack_id

    def former_holder(self, account: Account, user: SourceUser) -> str:
        """Return the Slack id of somebody else who was given the account before and may still be in Slack, or ""."""
        holder = self._former_holders.get(account.docebo_id, "")
        return "" if holder in user.ids else holder

    def note_unknown_bearer(self, docebo_id: int) -> None:
        """Note that nobody can tell to whom the e-mail address of the account belongs."""
        self._bearers.setdefault(docebo_id, "")

    def has_unknown_bearer(self, account: Account) -> bool:
        return self._bearers.get(account.docebo_id) == ""

    def has_other_bearer(self, account: Account, user: SourceUser) -> bool:
        """Tell whether the e-mail address of the account is known to belong to another person in Slack."""
        return bool(bearer := self._bearers.get(account.docebo_id)) and bearer not in user.ids

    def named_after(self, user: SourceUser) -> Account | None:
        """Return the account that has the address of *user* as its username, and another e-mail address.

        Its owner may have given up the address that is still the username, and *user* may have got it since.
        """
        account = self.with_username(user.email) if user.email else None
        return account if account and account.email and mailbox(account.email) != mailbox(user.email) else None

    def is_of_another(self, account: Account, user: SourceUser) -> bool:
        """Tell whether the account, or its e-mail address, is known to belong to another person."""
        owners = (theirs.get(account.docebo_id, user.slack_id) for theirs in (self._bearers, self._given))
        return any(owner not in user.ids for owner in owners)


def match(user: SourceUser, accounts: Accounts, known: Known | None, by: MatchBy) -> Match:
    """Return the account of *user*: the mapped one, else the only one that has the e-mail address.

    Somebody who was given an account before gets another one only if Docebo says that the first is gone, or if Docebo
    shows the first and it is no longer mapped. An unconfirmed address finds nobody, for it may be anybody's. An account
    whose own address belongs to another person is not found by its username.
    """
    if known:
        account = accounts.get(known.docebo_id)
        if account and isinstance(known, Mapping):
            return Match(account, FoundBy.MAPPING)
        match accounts.look(known.docebo_id):
            case Unknown(why):
                return Match(problem=why)
            case Present() if account is None:
                return Match(problem=f"account {known.docebo_id} is there, but Docebo's list did not show it")
    if user.unconfirmed:
        return Match(problem=UNCONFIRMED)
    if (hidden := accounts.hidden(user.email)) is not None:
        return Match(problem=f"account {hidden} is there, but Docebo's list did not show it")
    hits: dict[int, tuple[Account, FoundBy]] = {}
    if by is not MatchBy.USERNAME:
        hits |= {account.docebo_id: (account, FoundBy.EMAIL) for account in accounts.with_email(user.email)}
    for account in () if by is MatchBy.EMAIL else accounts.named(user.email):
        if account.docebo_id not in hits and accounts.has_unknown_bearer(account):
            return Match(
                problem=f"account {account.docebo_id} has this address as its username, and Slack does not say who has its e-mail"
                " address: the next import decides"
            )
        if not accounts.is_of_another(account, user):
            hits.setdefault(account.docebo_id, (account, FoundBy.USERNAME))
    match list(hits.values()):
        case []:
            if lookalike := accounts.lookalike(user.email):
                what = unseen(lookalike.username) or unseen(lookalike.email)
                return Match(
                    problem=f"account {lookalike.docebo_id} bears this address with characters that nobody can see ({what}):"
                    " correct it in Docebo"
                )
            return Match()
        case [(account, found_by)]:
            if holder := accounts.former_holder(account, user):
                return Match(
                    problem=f"account {account.docebo_id} was given to {holder} before: the next import, which sees everybody,"
                    " decides"
                )
            return Match(account, found_by)
        case _:
            by_email = [account for account, found_by in hits.values() if found_by is FoundBy.EMAIL]
            likeliest = by_email[0] if len(by_email) == 1 else None
            return Match(problem=f"several accounts match: {some_of(sorted(hits))}", likeliest=likeliest)


def _enter(known: dict[str, int | list[int]], key: str, docebo_id: int) -> None:
    """Add an account under *key* to those *known*."""
    found = known.setdefault(key, docebo_id)
    if isinstance(found, list):
        found.append(docebo_id)
    elif found != docebo_id:
        known[key] = [found, docebo_id]


def _ids(found: int | list[int]) -> list[int]:
    return [found] if isinstance(found, int) else found


def _seen_mailbox(text: str) -> str:
    return mailbox(without_unseen(text))


def _shared(key: str, original: str) -> str:
    """Return the original object where it equals the key, so that a hundred thousand keys are not held twice."""
    return original if key == original else key
