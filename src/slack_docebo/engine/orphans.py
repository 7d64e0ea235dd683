"""Orphans: accounts and mappings that have lost their other side, and people with more than one account."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.store import Store


class OrphanKind(StrEnum):
    """What is missing, or there too often."""

    ACCOUNT = "account without Slack user"
    MAPPING_WITHOUT_ACCOUNT = "mapping without account"
    MAPPING_WITHOUT_USER = "mapping without Slack user"
    SEVERAL_ACCOUNTS = "several accounts for one person"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One finding, by ids alone."""

    kind: OrphanKind
    why: str
    slack_id: str = ""
    docebo_ids: tuple[int, ...] = ()


def find_orphans(store: Store, team: str, people: Iterable[list[SourceUser]], accounts: Accounts) -> Iterator[Orphan]:
    """Yield what does not fit together between Slack's users, Docebo's *accounts* and the mappings of *team*.

    *people* and *accounts* have to be proven complete: this is about who is missing.
    """
    claimed: set[int] = set()  # accounts of people who are in Slack
    left: dict[int, str] = {}  # accounts of people who were deactivated there
    here: dict[str, bool] = {}  # Slack ids, and whether they are active
    with store.reading() as connection:
        repository = MappingRepository(connection)
        for page in people:
            mappings = repository.of(team, [user.slack_id for user in page])
            for user in page:
                active = not (user.deactivated or user.forgotten)
                here[user.slack_id] = active
                mapping = mappings.get(user.slack_id)
                found = {} if user.bot or user.external else _accounts_of(user, accounts)
                if mapping and (mapped := accounts.get(mapping.docebo_id)):
                    found[mapped.docebo_id] = mapped
                if not active:
                    left |= dict.fromkeys(found, user.slack_id)
                    continue
                claimed |= found.keys()
                if len(found) > 1:
                    by = "one is mapped, the others bear" if mapping else "they bear"
                    yield Orphan(
                        OrphanKind.SEVERAL_ACCOUNTS, f"{by} the e-mail address", user.slack_id, tuple(sorted(found))
                    )
        for mapping in repository.all(team):
            if accounts.get(mapping.docebo_id) is None:
                why = "the account is gone from Docebo"
                yield Orphan(OrphanKind.MAPPING_WITHOUT_ACCOUNT, why, mapping.slack_id, (mapping.docebo_id,))
            if not here.get(mapping.slack_id):
                why = "deactivated in Slack" if mapping.slack_id in here else "gone from Slack"
                yield Orphan(OrphanKind.MAPPING_WITHOUT_USER, why, mapping.slack_id, (mapping.docebo_id,))
                left.setdefault(mapping.docebo_id, mapping.slack_id)
    for account in accounts:
        if account.docebo_id not in claimed:
            yield Orphan(OrphanKind.ACCOUNT, _why(account, left), left.get(account.docebo_id, ""), (account.docebo_id,))


def _accounts_of(user: SourceUser, accounts: Accounts) -> dict[int, Account]:
    if not user.email:
        return {}
    namesake = accounts.with_username(user.email)
    found = [*accounts.with_email(user.email), *([namesake] if namesake else [])]
    return {account.docebo_id: account for account in found}


def _why(account: Account, left: dict[int, str]) -> str:
    why = "the person has left Slack" if account.docebo_id in left else "nobody in Slack bears its e-mail address"
    notes = ["administrator"] * account.administrator + ["inactive"] * (not account.active)
    return f"{why} ({', '.join(notes)})" if notes else why
