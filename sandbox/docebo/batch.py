"""`POST /manage/v1/user/batch`: creates and updates in one call, row by row, each row on its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.docebo.accounts import Account, UsernameTakenError
from sandbox.docebo.attributes import RefusedError
from sandbox.docebo.platform import Platform

BRANCH_OPTIONS = ("existing", "do_nothing")
# The code of a real answer to a call without branch_option.
OPTION_NOT_SET = 1006
KEYS = frozenset({"username", "user_id"})  # which say whose row it is
UPDATED_WITH: dict[str, dict[str, Any]] = {
    "force_change": {"force_change": True},
    "branches": {"branches": (0,)},
    "status": {"active": False},
}


class BatchRefusedError(Exception):
    """The whole call is refused, no row was looked at."""

    def __init__(self, message: str, code: int = 0, *, status: int = 400) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status


@dataclass(frozen=True)
class RowResult:
    """The result of one row: *effect* is created, updated, unchanged or failed."""

    effect: str
    username: str | None
    user_id: int | None = None
    error: str | None = None


def check(body: Mapping[str, Any], platform: Platform) -> None:
    """Raise BatchRefusedError when the call is not to be carried out at all."""
    items, options = body.get("items"), body.get("options")
    if not isinstance(items, list):
        raise BatchRefusedError("Required parameter not set: items")
    if not all(isinstance(item, dict) for item in items):
        raise BatchRefusedError("Invalid parameter: items")
    if not isinstance(options, dict) or options.get("branch_option") is None:
        raise BatchRefusedError("Required option not set: branch_option", OPTION_NOT_SET)
    if unknown := sorted(set(platform.switches.unknown_options.split(",")) & options.keys()):
        raise BatchRefusedError(f"Unknown option: {unknown[0]}")
    if options["branch_option"] not in BRANCH_OPTIONS:
        raise BatchRefusedError("Invalid option: branch_option")
    is_branchless = options["branch_option"] == "do_nothing" and not all(map(_names_branch, items))
    if platform.switches.branchless == "400" and is_branchless and not options.get("update_user_info"):
        raise BatchRefusedError("Il ramo è obbligatorio")  # texts are in the platform's language
    if platform.switches.strict_options:
        required = ["update_user_info", *(["destination_branch"] if options["branch_option"] == "existing" else [])]
        for name in required:
            if options.get(name) is None:
                raise BatchRefusedError(f"Required option not set: {name}", OPTION_NOT_SET)
    if len(items) > platform.switches.max_batch_rows:
        raise BatchRefusedError(
            f"Too many items: at most {platform.switches.max_batch_rows} are allowed",
            status=int(platform.switches.batch_too_large),
        )


def _names_branch(item: Mapping[str, Any]) -> bool:
    return any(column.startswith("branch_") for column in item)


def carry_out(
    items: Sequence[Mapping[str, Any]],
    options: Mapping[str, Any],
    platform: Platform,
    refused: Mapping[str, str],
) -> list[RowResult]:
    """Carry out the rows in order. *refused* names usernames whose rows fail whatever they say, and why."""
    results = []
    for item in _as_a_table(items, platform.switches.row_columns):
        username = item.get("username")
        reason = refused.get(str(username).casefold())
        if reason:
            results.append(RowResult("failed", username, error=reason))
            continue
        try:
            results.append(_row(item, options, platform))
        except RefusedError as error:
            results.append(RowResult("failed", username, error=error.reason))
        except UsernameTakenError:
            results.append(RowResult("failed", username, error="Username not available"))
    return results


def _as_a_table(items: Sequence[Mapping[str, Any]], columns: str) -> Iterator[Mapping[str, Any]]:
    """Yield each row as it is or, like a table with one head, with the columns of the first row or of all rows."""
    head = {column for item in items[: 1 if columns == "first" else None] for column in item}
    for item in items:
        if columns == "own":
            yield item
        else:
            rest = {} if columns == "first" else dict.fromkeys(head - item.keys() - KEYS, "")
            yield {column: value for column, value in item.items() if column in head | KEYS} | rest


def count(results: Sequence[RowResult]) -> Counter[str]:
    """Return the number of rows by effect."""
    return Counter(result.effect for result in results)


def _row(item: Mapping[str, Any], options: Mapping[str, Any], platform: Platform) -> RowResult:
    ignored = platform.switches.ignored.split(",")
    item = {column: value for column, value in item.items() if column not in ignored}
    if platform.switches.empty_ignored:
        item = {column: value for column, value in item.items() if value != ""}
    attributes = platform.reader().row(item, options)
    account, username = _find(item, attributes, platform)
    if account is None:
        if platform.switches.branchless == "refused" and "branches" not in attributes:
            raise RefusedError("branch", "Branch required")
        if platform.switches.passwordless == "refused" and not attributes.get("password"):
            raise RefusedError("password", "Password obbligatoria")
        if platform.switches.mandatory_in_rows:
            _check_fields(attributes, platform)
        if platform.switches.names_required:
            _check_names({"firstname": "", "lastname": "", **attributes})
        return _create(username, item, attributes, options, platform)
    if not options.get("update_user_info"):
        raise RefusedError("username", "User already exists")
    if platform.switches.email_as_username and attributes.get("email"):
        attributes["username"] = attributes["email"]
    elif item.get("new_username"):
        attributes["username"] = str(item["new_username"])
    if platform.switches.names_required:
        _check_names(attributes)
    attributes |= UPDATED_WITH.get(platform.switches.updates_also, {})
    effect = "updated" if platform.accounts.change(account.user_id, attributes) else "unchanged"
    return RowResult(effect, account.username, account.user_id)


def _check_fields(attributes: Mapping[str, Any], platform: Platform) -> None:
    """Raise RefusedError where a mandatory field has no value; texts are in the platform's language."""
    given = attributes.get("fields", {})
    for known in platform.fields.values():
        if known.mandatory and not given.get(known.id):
            raise RefusedError(f"field_{known.id}", "Campo obbligatorio")


def _check_names(attributes: Mapping[str, Any]) -> None:
    for name in ("firstname", "lastname"):
        if name in attributes and not attributes[name]:
            raise RefusedError(name, "Nome e cognome sono obbligatori")


def _find(item: Mapping[str, Any], attributes: Mapping[str, Any], platform: Platform) -> tuple[Account | None, str]:
    """Return the account that a row is about, and the username for a new one if there is none."""
    user_id = item.get("user_id")
    username = item.get("username")
    if platform.switches.email_as_username:
        username = attributes.get("email") if user_id is None else None
    if user_id is not None and username:
        raise RefusedError("username", "Only one of username and user_id can be set")
    if user_id is not None:
        account = platform.accounts.get(int(user_id)) if str(user_id).isdigit() else None
        if account is None:
            raise RefusedError("user_id", "User not found")
        return account, account.username
    if not username:
        raise RefusedError("username", "One of username and user_id is required")
    return platform.accounts.by_username(str(username)), platform.reader().name(str(username))


def _create(
    username: str,
    item: Mapping[str, Any],
    attributes: Mapping[str, Any],
    options: Mapping[str, Any],
    platform: Platform,
) -> RowResult:
    account = platform.accounts.add(
        username,
        **attributes,
        force_change=bool(options.get("change_user_password")),
        provisioned_by=options.get("provisioned_by"),
    )
    platform.notified += bool(options.get("send_notification_email"))
    return RowResult("created", str(item.get("username") or username), account.user_id)
