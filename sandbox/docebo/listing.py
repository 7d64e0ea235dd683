"""`GET /manage/v1/user`: search, order and pages; and the pages of shorter lists."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.docebo.accounts import SORT_KEYS, Account
from sandbox.docebo.attributes import LANGUAGES
from sandbox.docebo.platform import Platform

LARGEST_PAGE = 200


class BadQueryError(Exception):
    """A query that is not answered."""


def user_page(
    query: Mapping[str, Any], platform: Platform, *, share: float, counted: bool, empty: bool
) -> dict[str, Any]:
    """Return one page, with the total number if *counted*.

    *share* < 1 ends the listing early, *empty* leaves out the page's items: both are faults.
    """
    size = _number(query, "page_size", LARGEST_PAGE) or LARGEST_PAGE
    if size > LARGEST_PAGE and platform.switches.page_size_over_limit == "reject":
        raise BadQueryError(f"page_size must be no greater than {LARGEST_PAGE}")
    size = min(size, LARGEST_PAGE)
    page = page_number(query, platform)
    if platform.switches.pages_by_cursor and query.get("cursor") != f"c-{page - 1}":
        page = 1
    ids = _matching(query, platform)
    start = (page - 1) * size
    total = len(ids)
    end = min(start + size, start + int(max(0, total - start) * share))
    items = [] if empty else [_item(platform.accounts[user_id], platform) for user_id in ids[start:end]]
    data: dict[str, Any] = {
        "items": items,
        "count": len(items),
        "has_more_data": empty or announced(platform, more=share == 1.0 and start + size < total),
        "cursor": f"c-{page}",
        "current_page": page,
        "current_page_size": size,
    }
    if counted and str(query.get("get_total_count", "0")).lower() in ("1", "true"):
        counted_in_all = total + platform.switches.counted_more
        data |= {"total_count": counted_in_all, "total_page_count": math.ceil(counted_in_all / size)}
    return data


def page_number(query: Mapping[str, Any], platform: Platform) -> int:
    """Return the page that *query* asks for, counted from 1; what is before the first is the first as well."""
    first = platform.switches.first_page
    return max(1, _number(query, "page", first) + 1 - first)


def announced(platform: Platform, *, more: bool) -> bool:
    """Return what a page says of whether there is *more*."""
    return {"always": True, "never": False}.get(platform.switches.more_announced, more)


def page_of(items: Sequence[Mapping[str, Any]], query: Mapping[str, Any], platform: Platform) -> dict[str, Any]:
    """Return the page of *items* that *query* asks for."""
    size = min(_number(query, "page_size", LARGEST_PAGE) or LARGEST_PAGE, LARGEST_PAGE)
    page = page_number(query, platform)
    shown = items[(page - 1) * size : page * size]
    return {
        "items": shown,
        "count": len(shown),
        "has_more_data": announced(platform, more=page * size < len(items)),
        "current_page": page,
        "current_page_size": size,
    }


def _matching(query: Mapping[str, Any], platform: Platform) -> list[int]:
    attribute = str(query.get("sort_attr") or "first_name")
    if attribute not in SORT_KEYS:
        raise BadQueryError(f"sort_attr must be one of {', '.join(SORT_KEYS)}")
    descending = str(query.get("sort_dir") or "desc").lower() != "asc"
    if str(query.get("pending", "0")) == "1":
        return []
    found = _found(query, platform)
    if found is None:
        ids = platform.accounts.order(attribute, descending=descending)
    else:
        ids = platform.accounts.sort(found, attribute, descending=descending)
    excluded = {str(value) for value in query.get("exclude[]", ())}
    if excluded:
        ids = [user_id for user_id in ids if str(user_id) not in excluded]
    if str(query.get("exclude_power_users_and_super_admins", "0")).lower() in ("1", "true"):
        ids = [user_id for user_id in ids if platform.accounts[user_id].level == "user"]
    return ids


def _found(query: Mapping[str, Any], platform: Platform) -> Iterable[Account] | None:
    """Return the accounts that the query searches for, or None if it does not search."""
    text = str(query.get("search_text") or "").casefold()
    branch = None if "branch_id" in platform.switches.ignored.split(",") else query.get("branch_id")
    if not text and branch in (None, ""):
        return None
    accounts: Iterable[Account] = platform.accounts
    if text:
        accounts = _exactly(text, platform) if query.get("match_type") == "full" else _containing(text, accounts)
        accounts = [account for account in accounts if _is_indexed(account, platform)]
    if branch not in (None, ""):
        accounts = [account for account in accounts if str(branch) in map(str, account.branches)]
    return accounts


def _is_indexed(account: Account, platform: Platform) -> bool:
    """Tell whether a search finds the account yet, and count the search."""
    platform.searched[account.user_id] += 1
    return not account.provisioned_by or platform.searched[account.user_id] > platform.switches.searches_behind


def _exactly(text: str, platform: Platform) -> list[Account]:
    if platform.switches.full_search == "addresses":
        found = platform.accounts.by_email(text)
    else:
        found = [one for one in platform.accounts if text in {one.firstname.casefold(), one.lastname.casefold()}]
    accounts = {account.user_id: account for account in found}
    if by_username := platform.accounts.by_username(text):
        accounts[by_username.user_id] = by_username
    if platform.switches.fuzzy_full:
        # The search was for the full text, and finds one account more.
        other = next((account for account in platform.accounts if account.user_id not in accounts), None)
        if other:
            accounts[other.user_id] = other
    return list(accounts.values())


def _containing(text: str, accounts: Iterable[Account]) -> list[Account]:
    return [
        account
        for account in accounts
        if text in account.username.casefold()
        or text in account.email.casefold()
        or text in account.firstname.casefold()
        or text in account.lastname.casefold()
    ]


def _item(account: Account, platform: Platform) -> dict[str, Any]:
    number = platform.shown_number
    user_id = account.user_id
    item = {
        "user_id": number(user_id),
        "username": platform.shown(account.username),
        "first_name": account.firstname,
        "last_name": account.lastname,
        "fullname": f"{account.firstname} {account.lastname}".strip(),
        "email": account.email,
        "uuid": f"{user_id:08x}-0000-4000-8000-{user_id:012x}",
        "level": platform.level(account.level, account.level),
        "status": number(account.active),
        "expired": False,
        "language": LANGUAGES.get(account.language, account.language).capitalize(),
        "lang_code": _language(account, platform),
        "timezone": account.timezone,
        "creation_date": account.created,
        "last_access_date": account.last_access,
        "last_update": account.updated,
        "expiration_date": account.expiration,
        "email_validation_status": number(account.email_validated),
        "is_manager": account.is_manager,
    }
    if platform.switches.columns_listed:
        item |= {"date_format": account.date_format, "country": account.country}
    for field_id, field in platform.fields.items():
        item[f"field_{field_id}"] = platform.shown_value(account, field)
    return item


def _language(account: Account, platform: Platform) -> str:
    named = platform.switches.listed_language == "name"
    return LANGUAGES.get(account.language, account.language) if named else account.language


def _number(query: Mapping[str, Any], name: str, default: int) -> int:
    try:
        return max(0, int(query.get(name) or default))
    except (TypeError, ValueError):
        raise BadQueryError(f"{name} must be an integer") from None
