"""Docebo's endpoints for branches, the nodes of its organisation chart."""

import logging
from collections.abc import Iterable

from slack_docebo.clients.docebo_answers import check_count, items_of, refuse_within
from slack_docebo.clients.docebo_requests import DoceboRequests, for_one_call
from slack_docebo.clients.docebo_values import read_id
from slack_docebo.clients.docebo_wire import branches_of, is_one_level, unopened
from slack_docebo.domain.branches import Branch
from slack_docebo.errors import ContractViolation

MOST_IN_VAIN = 50  # questions for what is below a branch that show nothing new
ONLY_THE_TOP = (
    "only the top of the organisation chart is shown, so nobody can tell which branches there are. Until it is, take the rule"
    " for branch out of SLACK | ATTRIBUTES, and empty LEAVERS_BRANCH"
)

_log = logging.getLogger(__name__)


class DoceboBranches:
    """Reads the branches, and which accounts are in one; moves accounts."""

    def __init__(self, requests: DoceboRequests) -> None:
        self._requests = requests

    async def all(self) -> list[Branch]:
        """Return all branches, the nodes of the organisation chart, even if one answer shows only one level.

        Raises ContractViolation if Docebo never shows more than the top: branches not shown must not count as missing.
        """
        found = {branch.id: branch for branch in await self._read()}
        # Else these are all: a branch that has room for more had some that are deleted, or hidden.
        if is_one_level(found.values()):
            await self._add_those_below(found)
        return list(found.values())

    async def _add_those_below(self, found: dict[int, Branch]) -> None:
        """Ask for the branches below each branch of *found* whose place in the tree has room for some, and add them.

        Branches that are not shown then either may be hidden from us: after MOST_IN_VAIN such answers it stops asking.
        """
        asked, in_vain = set[int](), 0
        while to_ask := [one.id for one in unopened(found.values()) if one.id not in asked]:
            for branch_id in to_ask:
                if in_vain == MOST_IN_VAIN:
                    _log.warning("Docebo shows nothing below %d branches that have room for some", in_vain)
                    return
                asked.add(branch_id)
                below = {branch.id: branch for branch in await self._read(node_id=branch_id)}
                if below.keys() <= found.keys():
                    in_vain += 1
                    if below.keys() - {branch_id}:
                        raise ContractViolation("branches", ONLY_THE_TOP)
                found |= below

    async def _read(self, **below: int) -> list[Branch]:
        asked: dict[str, str | int] = {"flattened": "true", **below}
        trees = await self._requests.entries(
            "branches", "/manage/v1/orgchart", asked, read=branches_of, identity=lambda tree: tree[0].id
        )
        return [branch for tree in trees for branch in tree]

    async def accounts_in(self, branch_id: int, *, unlisted: int) -> set[int]:
        """Return the ids of the accounts in one branch, without the branches below it.

        Docebo may count up to *unlisted* accounts that it does not list; raises IncompleteRead if there are more.
        """
        found: set[int] = set()
        counted: int | None = None
        params = {"branch_id": branch_id, "selection_status": 1, "get_total_count": 1}
        async for data, _ in self._requests.pages("accounts of a branch", "/manage/v1/user", params, unlisted=unlisted):
            if counted is None and isinstance(data, dict):
                counted = read_id(data.get("total_count"))
            ids = [
                read_id(item.get("user_id"))
                for item in items_of("accounts of a branch", data)
                if isinstance(item, dict)
            ]
            found.update(docebo_id for docebo_id in ids if docebo_id is not None)
        check_count(f"accounts of branch {branch_id}", len(found), counted, unlisted=unlisted)
        return found

    async def move_to_branch(self, docebo_ids: Iterable[int], branch_id: int) -> None:
        """Move accounts to one branch, out of the branches in which they are; moving twice is like moving once.

        Source: Docebo's description of its API of 2017, `PUT /manage/v1/user/move_to_branch`.
        """
        ids = for_one_call(docebo_ids)
        if ids:
            body = {"branch_ids": [branch_id], "user_ids": ids}
            data = await self._requests.write("move to branch", "PUT", "/manage/v1/user/move_to_branch", body)
            refuse_within("move to branch", data)
