"""Rereading: what Docebo shows of accounts after rows were sent to them."""

from collections.abc import Iterable, Sequence

from slack_docebo.clients.docebo_requests import PAGE_SIZE
from slack_docebo.domain.effects import account_of, is_carried_out
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reading.sides import read_target
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.runtime import Runtime

FEW = 5  # accounts that are asked for one by one, where nobody knows how many calls a list of all takes


class Rereading:
    """Reads accounts again during one plan; `accounts` is what was read so far, and is believed from then on."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.accounts: Accounts | None = None

    def believe(self, looked_at: Iterable[Account]) -> None:
        """Let what was *looked at* again be what the next batch is held against."""
        self.accounts = self.accounts or Accounts()
        self.accounts.add(looked_at)

    async def carried_out(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return place and account of the operations that their accounts show to be carried out."""
        moved = await self._moved([numbered for numbered in batch if numbered[1].kind is Kind.MOVE])
        batch = [numbered for numbered in batch if numbered[1].kind is not Kind.MOVE]
        if not batch:
            return moved
        pages = len(self.accounts or ()) // PAGE_SIZE
        if len(batch) <= max(FEW, pages):
            accounts = Accounts()
            for _, operation in batch:
                accounts.add(await self._asked(operation))
            self.believe(accounts)
        else:
            accounts = self.accounts = await read_target(self._runtime)
        return moved + [
            (seq, account.docebo_id)
            for seq, operation in batch
            if (account := account_of(accounts, operation)) and is_carried_out(operation, account)
        ]

    async def _moved(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return place and account of those who are in the branch to which they were moved: one listing for each branch."""
        there: dict[int, set[int]] = {}
        for branch_id in sorted({int(operation.changes[BRANCH]) for _, operation in batch}):
            there[branch_id] = await self._runtime.docebo.in_branch(branch_id)
        return [
            (seq, operation.docebo_id)
            for seq, operation in batch
            if operation.docebo_id and operation.docebo_id in there[int(operation.changes[BRANCH])]
        ]

    async def _asked(self, operation: Operation) -> list[Account]:
        """Return what Docebo shows of the account of *operation*: by its id or, of a creation, by its username."""
        if operation.docebo_id is None:
            return await self._runtime.docebo.find_users(str(operation.changes.get("username", "")))
        seen = await self._runtime.docebo.user(operation.docebo_id)
        if not isinstance(seen, Present) or is_carried_out(operation, seen.value):
            return [seen.value] if isinstance(seen, Present) else []
        # The view of one user lacks attributes that the listing has.
        listed = await self._runtime.docebo.find_users(seen.value.username)
        return [account for account in listed if account.docebo_id == operation.docebo_id] or [seen.value]
