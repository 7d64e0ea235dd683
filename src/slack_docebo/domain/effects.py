"""Effects: which account and mapping an operation is about, and whether the account shows what it was to do."""

from collections.abc import Iterable
from collections.abc import Mapping as MappingType

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import current_value, same
from slack_docebo.domain.grace import IS_BACK
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.operations import Kind, Operation, Value
from slack_docebo.domain.people import Account, Mapping
from slack_docebo.domain.targets import EXPIRATION, USERNAME, field_id_of, is_manager, is_never_shown

TO_ACCOUNTS = (Kind.CREATE, Kind.UPDATE, Kind.MOVE, Kind.DEACTIVATE)
ACCESS = frozenset({"active", EXPIRATION})  # attributes that decide whether somebody gets in
# Attributes whose wrong value locks somebody out, or lets somebody in.
HARMFUL = ACCESS | {USERNAME}


def account_of(accounts: Accounts, operation: Operation) -> Account | None:
    """Return the account that *operation* is about, or None if *accounts* does not hold it."""
    if operation.docebo_id is not None:
        return accounts.get(operation.docebo_id)
    return accounts.with_username(operation.username)


def accounts_of(operations: Iterable[Operation]) -> list[int]:
    """Return the accounts that *operations* are about, without those that are still to be made."""
    return [operation.docebo_id for operation in operations if operation.docebo_id is not None]


def people_of(operations: Iterable[Operation]) -> list[str]:
    """Return the Slack ids under which the mappings that *operations* change may stand."""
    return [slack_id for operation in operations for slack_id in (operation.slack_id, operation.mapped_as)]


def managers_of(operation: Operation) -> set[int]:
    """Return the accounts that *operation* makes managers."""
    return {int(value) for name, value in operation.changes.items() if is_manager(name) and value}


def mapping_of(operation: Operation, mappings: MappingType[str, Mapping]) -> Mapping | None:
    """Return the mapping that *operation* would replace: under its own Slack id, else under the one of before."""
    return mappings.get(operation.slack_id) or mappings.get(operation.mapped_as)


def is_carried_out(operation: Operation, account: Account) -> bool:
    """Tell whether *account* shows what *operation* was to do.

    For a creation, username and address are enough: the next run sees what Docebo has made of the names. The username
    alone may be that of somebody else, whose account was created meanwhile or is not listed yet.
    """
    if operation.kind is Kind.CREATE:
        sent = {mailbox(str(operation.changes.get(name, ""))) for name in (USERNAME, "email")}
        return not account.email or mailbox(account.email) in sent
    return all(holds(account, name, value) for name, value in operation.changes.items())


def holds(account: Account, name: str, value: Value) -> bool:
    """Tell whether *account* shows *value* for the attribute *name*."""
    if isinstance(value, bool):
        return account.active == value and name not in account.unshown
    shown = current_value(account, name)
    if shown is None and field_id_of(name):  # an empty field may be shown by nothing at all
        return value == ""
    return shown is not None and same(name, value, shown)


def differs(account: Account, name: str, value: Value) -> bool:
    """Tell whether *account* shows another value than *value* for the attribute; False if it shows none."""
    return current_value(account, name) is not None and not holds(account, name, value)


def is_looked_for(operation: Operation) -> bool:
    """Tell whether a later run has to find out what became of *operation* once it was sent.

    That is so for a new account, a branch and a manager, and for who gets in: a list shows that, and not whose doing it
    was. Any other change can be seen in a list.
    """
    return operation.kind is Kind.CREATE or changes_access(operation) or any(map(is_never_shown, operation.changes))


def is_risky(operation: Operation) -> bool:
    """Tell whether *operation* would do immediate harm if the facts it rests on are outdated."""
    return operation.kind is not Kind.CREATE and (not HARMFUL.isdisjoint(operation.changes) or operation.moves_mapping)


def changes_access(operation: Operation) -> bool:
    """Tell whether *operation* changes the status or the expiration date, on which access depends."""
    return not ACCESS.isdisjoint(operation.changes)


def activates(operation: Operation) -> bool:
    """Tell whether *operation* lets somebody in again, by the status or by replacing the expiration date we set."""
    if operation.changes.get("active") is True:
        return True
    if operation.prior is None:  # nothing here tells whether we had let it expire
        return operation.changes.get(EXPIRATION) == ""
    return EXPIRATION in operation.changes and operation.prior.deactivated and not operation.deactivated


def is_of_returner(operation: Operation) -> bool:
    """Tell whether *operation* is done only because somebody is back: access, or a move out of the leavers' branch."""
    return activates(operation) or (operation.kind is Kind.MOVE and operation.reason == IS_BACK)
