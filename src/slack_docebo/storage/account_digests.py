"""The digests of accounts, as far as they tell who one person is."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, FromClause, Select, exists, or_, select, update

from slack_docebo.domain.disputes import digest
from slack_docebo.domain.operations import Outcome
from slack_docebo.storage.schema import account, applied, identity, mapping, operation, plan, platform

# Of an operation on an account that was the person's, or was to be; when it was skipped, it may be somebody else's.
FOR_THE_PERSON = [outcome.value for outcome in (Outcome.PLANNED, Outcome.APPLIED, Outcome.FAILED)]


def addresses_of_accounts(connection: Connection, slack_ids: Iterable[str]) -> set[str]:
    """Return digests of the addresses of accounts given only to this person, if nobody else's account has the address.

    So is that of an account which the person had before, as the journal tells: somebody has linked another one since;
    and of one that the person would have got by a plan which nobody has carried out.
    """
    ids = list(slack_ids)
    theirs = select(identity.c.person_id).where(identity.c.slack_id.in_(ids))
    to_person, to_others = _given(theirs)
    in_journal = _in_journal(ids, operation.c.outcome.in_(FOR_THE_PERSON))
    other = account.alias()
    is_theirs_too, _ = _given(theirs, of=other)  # on another platform, say
    is_shared = exists().where(
        other.c.address_digest == account.c.address_digest, other.c.user_id != account.c.user_id, ~is_theirs_too
    )
    is_own = or_(to_person, in_journal), ~to_others, ~is_shared
    return set(connection.scalars(select(account.c.address_digest).where(*is_own, account.c.address_digest != "")))


def blank_accounts_of(connection: Connection, slack_id: str, addresses: Iterable[str]) -> None:
    """Remove the digests from accounts that were given only to this person, or that have one of *addresses*.

    Accounts that were given to nobody have digests after a dry run.
    """
    theirs = select(identity.c.person_id).where(identity.c.slack_id == slack_id)
    to_person, to_others = _given(theirs)
    planned = _in_journal([slack_id])
    digests = sorted(set(map(digest, addresses)))
    bears = or_(account.c.username_digest.in_(digests), account.c.address_digest.in_(digests))
    blank = {"username_digest": "", "address_digest": ""}
    connection.execute(update(account).where(or_(to_person, planned, bears), ~to_others).values(blank))


def _in_journal(slack_ids: list[str], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return the condition that an operation on an account, which fulfils *conditions*, was for the person with *slack_ids*."""
    return exists().where(
        operation.c.slack_id.in_(slack_ids),
        operation.c.docebo_id == account.c.user_id,
        operation.c.plan_id == plan.c.id,
        plan.c.docebo == platform.c.address,
        platform.c.id == account.c.platform_id,
        *conditions,
    )


def _given(theirs: Select[tuple[int]], of: FromClause = account) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return two conditions: that an account was given to one of *theirs*, keys of people, and to somebody else."""
    given = [
        (table.c.platform_id == of.c.platform_id, table.c.user_id == of.c.user_id, table.c.person_id)
        for table in (mapping, applied)
    ]
    to_person = or_(*(exists().where(platform, user, key.in_(theirs)) for platform, user, key in given))
    to_others = or_(*(exists().where(platform, user, key.not_in(theirs)) for platform, user, key in given))
    return to_person, to_others
