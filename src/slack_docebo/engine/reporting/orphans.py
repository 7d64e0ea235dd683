"""Orphans: accounts and mappings without their counterpart, and people with several accounts."""

from collections.abc import Container, Iterable, Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import Account, Mapping, SourceUser
from slack_docebo.storage.store import Store


class OrphanKind(StrEnum):
    """The kinds of orphans."""

    ACCOUNT = "account without Slack user"
    MAPPING_WITHOUT_ACCOUNT = "mapping without account"
    MAPPING_WITHOUT_USER = "mapping without Slack user"
    SEVERAL_ACCOUNTS = "several accounts for one person"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One orphan, and *why* it is one."""

    kind: OrphanKind
    why: str
    slack_id: str = ""
    docebo_ids: tuple[int, ...] = ()
    known_as: str = ""  # by which somebody recognises the person: names, addresses; personal data


class OrphanSearch:
    """Finds orphans page by page, beside another pass over all people.

    The people and *accounts* given to it have to be complete, for it concludes from who is missing. *given* are the ids
    of accounts that the other pass has matched with people in Slack: they are no orphans and are not kept again here.
    """

    def __init__(self, accounts: Accounts, given: Container[int] = ()) -> None:
        self._accounts = accounts
        self._given = given
        self._claimed: set[int] = set()  # accounts of people who are in Slack, besides *given*
        self._left: dict[int, str] = {}  # accounts of people who have left, and their Slack ids
        self._found: list[Orphan] = []

    def look(self, users: Iterable[SourceUser], mappings: MappingType[str, Mapping]) -> None:
        """Look at some of Slack's *users*; *mappings* are theirs, by Slack id."""
        for user in users:
            mapping = mappings.get(user.slack_id)
            found = {} if user.bot or user.external else self._accounts_of(user)
            if mapping and (mapped := self._accounts.get(mapping.docebo_id)):
                found[mapped.docebo_id] = mapped
            if user.deactivated or user.forgotten:
                self._left.update(dict.fromkeys(found, user.slack_id))
                if mapping:
                    self._add(OrphanKind.MAPPING_WITHOUT_USER, "deactivated in Slack", mapping)
            else:
                self._claimed.update(docebo_id for docebo_id in found if docebo_id not in self._given)
                if len(found) > 1:
                    by = "one is mapped, the others bear" if mapping else "they bear"
                    several = Orphan(
                        OrphanKind.SEVERAL_ACCOUNTS,
                        f"{by} the e-mail address",
                        user.slack_id,
                        tuple(sorted(found)),
                        "; ".join(_known_as(found[docebo_id]) for docebo_id in sorted(found)),
                    )
                    self._found.append(several)
            if mapping:
                self._look_for_account(mapping)

    def pass_over(self, users: Iterable[SourceUser]) -> None:
        """Report neither *users*, who were forgotten, nor accounts with their addresses."""
        self._claimed.update(docebo_id for user in users for docebo_id in self._accounts_of(user))

    def look_at_gone(self, mappings: Iterable[Mapping]) -> None:
        """Look at the mappings of people whom Slack no longer lists."""
        for mapping in mappings:
            self._add(OrphanKind.MAPPING_WITHOUT_USER, "gone from Slack", mapping)
            self._left.setdefault(mapping.docebo_id, mapping.slack_id)
            self._look_for_account(mapping)

    def found(self) -> Iterator[Orphan]:
        """Yield every orphan; to be called once everybody was looked at."""
        yield from self._found
        for account in self._accounts:
            if account.docebo_id not in self._given and account.docebo_id not in self._claimed:
                slack_id = self._left.get(account.docebo_id, "")
                why = _why(account, left=bool(slack_id))
                yield Orphan(OrphanKind.ACCOUNT, why, slack_id, (account.docebo_id,), _known_as(account))

    def _accounts_of(self, user: SourceUser) -> dict[int, Account]:
        if not user.email or user.unconfirmed:
            return {}
        namesake = self._accounts.with_username(user.email)
        found = [*self._accounts.with_email(user.email), *([namesake] if namesake else [])]
        return {account.docebo_id: account for account in found}

    def _look_for_account(self, mapping: Mapping) -> None:
        if self._accounts.get(mapping.docebo_id) is None:
            self._add(OrphanKind.MAPPING_WITHOUT_ACCOUNT, "the account is gone from Docebo", mapping)

    def _add(self, kind: OrphanKind, why: str, mapping: Mapping) -> None:
        account = self._accounts.get(mapping.docebo_id)
        known_as = _known_as(account) if account else mapping.slack_name
        self._found.append(Orphan(kind, why, mapping.slack_id, (mapping.docebo_id,), known_as))


def find_orphans(
    store: Store, docebo: str, team: str, *, people: Iterable[list[SourceUser]], accounts: Accounts
) -> Iterator[Orphan]:
    """Return the orphans of workspace *team*: Slack's users, *people*, are compared with *accounts* and mappings."""
    search, seen = OrphanSearch(accounts), set[str]()
    with store.reading() as tables:
        repository = tables.mappings(docebo)
        excluded = tables.exclusions.all()
        for page in people:
            search.look([user for user in page if not excluded.cover(user)], repository.of_people(team, page))
            search.pass_over(user for user in page if excluded.cover(user))
            seen.update(slack_id for user in page for slack_id in user.ids)
        search.look_at_gone(mapping for mapping in repository.all(team) if mapping.slack_id not in seen)
    return search.found()


def _known_as(account: Account) -> str:
    called = f"{account.first_name} {account.last_name}".strip()
    return ", ".join(dict.fromkeys(filter(None, (called, account.email, account.username))))


def _why(account: Account, *, left: bool) -> str:
    why = "the person has left Slack" if left else "nobody in Slack bears its e-mail address"
    notes = []
    if account.administrator:
        notes.append("administrator")
    if not account.active:
        notes.append("inactive")
    return f"{why} ({', '.join(notes)})" if notes else why
