"""Docebo's calls on branches and managers."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from sandbox.docebo.attributes import nested
from sandbox.docebo.calls import ApiError
from sandbox.docebo.listing import BadQueryError, page_of
from sandbox.docebo.platform import Platform
from sandbox.docebo.users import account_of


class OrganisationCalls:
    """What `/manage/v1/orgchart` and `/manage/v1/managers` do."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def orgchart(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        items = [
            {
                "id": self.platform.shown_number(branch.id),
                "code": branch.code,
                "title": branch.title,
                "lev": level,
                "i_left": left,
                "i_right": right,
                "selectable": 1,
            }
            for branch, level, left, right in nested(self.platform.branches)
        ]
        return self._page_of(items, request)

    async def manager_types(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with an envelope even if `as_array` is set: the client that sends it reads `data.items`."""
        items = [
            {"id": self.platform.shown_number(key), "title": title}
            for key, title in self.platform.manager_types.items()
        ]
        return self._page_of(items, request)

    async def candidates(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with the accounts that may become managers, in the two keys that a known client reads.

        Which accounts Docebo leaves out is not known.
        """
        text = request.query_params.get("search_text", "").casefold()
        items = [
            {"manager_id": self.platform.shown_number(account.user_id), "manager_email": account.email}
            for account in self.platform.accounts
            if account.active and (text in account.email.casefold() or text in account.username.casefold())
        ]
        return self._page_of(items, request)

    async def subordinates(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        """Answer with the accounts that have this one as manager, of any type, in the keys that clients read first."""
        manager = account_of(self.platform, request.path_params["id"])
        items = [
            {"user_id": self.platform.shown_number(account.user_id), "username": self.platform.shown(account.username)}
            for account in self.platform.accounts
            if manager.user_id in account.managers.values()
        ]
        return self._page_of(items, request)

    def _page_of(self, items: list[dict[str, Any]], request: Request) -> dict[str, Any]:
        try:
            return page_of(items, request.query_params, self.platform)
        except BadQueryError as error:
            raise ApiError(400, str(error)) from error
