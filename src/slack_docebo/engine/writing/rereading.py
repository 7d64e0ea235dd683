"""Rereading: what Docebo shows of accounts after rows were sent to them."""

import asyncio
from collections.abc import Iterable, Sequence
from enum import Enum, auto

from slack_docebo.domain.effects import ACCESS, account_of, differs, holds, is_carried_out
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import Account, View
from slack_docebo.domain.targets import BRANCH, field_id_of
from slack_docebo.engine.reading.accounts import are_few, read_target
from slack_docebo.engine.reading.dialects import known_dialect
from slack_docebo.engine.reading.evidence import counted, reserve_calls
from slack_docebo.engine.reading.lagging import as_viewed
from slack_docebo.engine.reading.searching import find_by_address
from slack_docebo.engine.writing.recording import Numbered
from slack_docebo.errors import IncompleteRead, RemoteError
from slack_docebo.runtime import Runtime

SHOWN_AFTER = (0, 1, 2, 4, 8)  # seconds from one look to the next, until an account shows what was done to it


class Effect(Enum):
    """What an account shows of an operation that opens or shuts it."""

    DONE = auto()
    NOT_DONE = auto()
    PERHAPS_NOT = auto()  # a search alone shows it otherwise, which may be behind
    UNKNOWN = auto()  # nobody says, or nobody answers


class Rereading:
    """Reads accounts again during one plan; `accounts` are those read so far, which later checks believe."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._views: dict[int, View] = {}  # what accounts have shown that were asked for by id, and not written since
        self.accounts: Accounts | None = None

    async def view(self, docebo_id: int) -> View | None:
        """Return everything that Docebo shows of one account, or None if it does not show it."""
        seen = await self._runtime.docebo.view(docebo_id)
        if not isinstance(seen, Present):
            self._views.pop(docebo_id, None)
            return None
        self._views[docebo_id] = seen.value
        self._believe([seen.value.account])
        return seen.value

    async def account(self, docebo_id: int) -> Account | None:
        """Return one account, or None if Docebo does not show it."""
        view = await self.view(docebo_id)
        return view.account if view else None

    def note_sent(self, batch: Iterable[Numbered]) -> None:
        """Forget the views of the accounts in *batch*, whose rows are being sent."""
        for _, operation in batch:
            self._views.pop(operation.docebo_id or 0, None)

    async def with_address(self, address: str) -> list[Account]:
        """Return the accounts whose username or e-mail address is *address*."""
        found = await find_by_address(self._runtime, address)
        self._believe(found)
        return found

    async def with_username(self, username: str) -> list[Account]:
        """Return the accounts that Docebo's search finds for *username*, with more than the view of one shows."""
        found = await self._runtime.docebo.find_users(username)
        self._believe(found)
        return found

    def _believe(self, shown: Iterable[Account]) -> None:
        """Keep the accounts that were *shown*, for whatever reason they were read, to check the next batch.

        What the view of an account has shown stays, because the index of a search or a list may be behind it.
        """
        self.accounts = self.accounts or Accounts()
        views = ((account, self._views.get(account.docebo_id)) for account in shown)
        self.accounts.add(as_viewed(account, view) if view else account for account, view in views)

    async def carried_out(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return number and account of the operations that are carried out, as their accounts show."""
        moved = await self._moved([numbered for numbered in batch if numbered[1].kind is Kind.MOVE])
        batch = [numbered for numbered in batch if numbered[1].kind is not Kind.MOVE]
        if not batch:
            return moved
        if are_few(self._runtime, len(batch)):
            accounts = Accounts()
            for _, operation in batch:
                accounts.add(await self._asked(operation))
        else:
            accounts = self.accounts = await read_target(self._runtime)
            self._believe([listed for listed in map(accounts.get, self._views) if listed])
        return moved + [
            (seq, account.docebo_id)
            for seq, operation in batch
            if (account := account_of(accounts, operation)) and is_carried_out(operation, account)
        ]

    async def contradicted(self, batch: Sequence[Numbered]) -> dict[int, Effect]:
        """Return the operations of *batch* that are not done, or perhaps not, although Docebo says so.

        The first account is looked at, and the others only if it contradicts. Where nobody can tell, Docebo's answer
        stands.
        """
        found: dict[int, Effect] = {}
        for seq, operation in batch:
            shown = await self._shown(operation, SHOWN_AFTER if not found else (0,))
            if shown in {Effect.NOT_DONE, Effect.PERHAPS_NOT}:
                found[seq] = shown
            elif not found:
                break
        return found

    async def shown_status(self, batch: Sequence[Numbered]) -> dict[int, Effect]:
        """Return what the accounts of *batch* show of their status, about which Docebo's answer says nothing.

        A list may be behind: accounts that it does not show as changed are asked for, within EVIDENCE_CALLS; beyond
        that nothing is returned for them. The first one that is not shown as changed either is asked for several times.
        """
        with counted(self._runtime):
            found = dict.fromkeys((seq for seq, _ in await self.carried_out(batch)), Effect.DONE)
        after: Sequence[int] = SHOWN_AFTER
        for seq, operation in batch:
            if seq in found or "active" not in operation.changes:
                continue
            if not reserve_calls(self._runtime, accounts=1):
                break
            found[seq] = await self._shown(operation, after)
            if found[seq] is not Effect.DONE:
                after = (0,)
        return found

    async def _shown(self, operation: Operation, after: Sequence[int]) -> Effect:
        """Return the effect that the account shows; look *after* so many seconds each time, until it is done."""
        shown = Effect.UNKNOWN
        for seconds in after:
            await asyncio.sleep(seconds)
            try:
                with counted(self._runtime):
                    shown = await self._look(operation)
            except (RemoteError, IncompleteRead):
                return Effect.UNKNOWN
            if shown in {Effect.DONE, Effect.UNKNOWN}:
                break
        return shown

    async def _look(self, operation: Operation) -> Effect:
        """Return the effect that the account shows now: by its view or, if that leaves the status out, by a search."""
        seen = None if operation.docebo_id is None else await self.view(operation.docebo_id)
        if seen is None:
            return Effect.UNKNOWN
        if "status" in seen.besides:
            return _effect(operation, seen.account, otherwise=Effect.NOT_DONE)
        listed = await self.with_username(seen.account.username)
        account = next((account for account in listed if account.docebo_id == operation.docebo_id), None)
        return _effect(operation, account, otherwise=Effect.PERHAPS_NOT) if account else Effect.UNKNOWN

    async def _moved(self, batch: Sequence[Numbered]) -> list[tuple[int, int]]:
        """Return number and account of the moves whose account is in its branch: one listing for each branch."""
        there: dict[int, set[int]] = {}
        unlisted = known_dialect(self._runtime).unlisted
        for branch_id in sorted({int(operation.changes[BRANCH]) for _, operation in batch}):
            there[branch_id] = await self._runtime.docebo.branches.accounts_in(branch_id, unlisted=unlisted)
        return [
            (seq, operation.docebo_id)
            for seq, operation in batch
            if operation.docebo_id and operation.docebo_id in there[int(operation.changes[BRANCH])]
        ]

    async def _asked(self, operation: Operation) -> list[Account]:
        """Return what Docebo shows of the account of *operation*, by its id or, for a creation, by its username."""
        if operation.docebo_id is None:
            return await self.with_username(operation.username)
        seen = await self.view(operation.docebo_id)
        if seen is None:
            return []
        is_said = _says_all(seen, operation)
        if is_said and is_carried_out(operation, seen.account):
            return [seen.account]
        # The view of one user lacks attributes that the listing has.
        listed = await self.with_username(seen.account.username)
        return [one for one in listed if one.docebo_id == operation.docebo_id] or ([seen.account] if is_said else [])


def _effect(operation: Operation, account: Account, *, otherwise: Effect) -> Effect:
    """Return the effect of *operation* that *account* shows; *otherwise* if it shows what it was before."""
    sent = {name: value for name, value in operation.changes.items() if name in ACCESS}
    if any(differs(account, name, value) for name, value in sent.items()):
        return otherwise
    return Effect.DONE if all(holds(account, name, value) for name, value in sent.items()) else Effect.UNKNOWN


def _says_all(view: View, operation: Operation) -> bool:
    """Tell whether *view* shows the status and fields that *operation* changes, where a missing one would mislead."""
    fields = set(filter(None, map(field_id_of, operation.changes)))
    return ("active" not in operation.changes or "status" in view.besides) and fields <= view.account.fields.keys()
