"""Suspects: accounts that seem to be somebody's, but for another address, which they show."""

from collections.abc import Iterable, Set
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.disputes import other_bearers
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.reading.bearers import ask_for_other_bearers
from slack_docebo.runtime import Runtime


class Suspects:
    """Finds out to whom the suspects of a planner belong, each once."""

    def __init__(self, runtime: Runtime, planner: Planner) -> None:
        self._runtime = runtime
        self._planner = planner
        self._settled = set[tuple[int, str]]()  # of which it is known whether somebody else has the address

    @property
    def unsettled(self) -> list[tuple[Account, str]]:
        """The suspects, each with the Slack id of whose it seems to be, of which that is not known yet."""
        return [one for one in self._planner.suspects if _key(one) not in self._settled]

    async def settle(self, pages: Iterable[list[SourceUser]], *, to_ask: Set[str]) -> set[str]:
        """Tell the planner who has the addresses, and return the Slack ids of those for whom to plan again.

        Somebody on *pages* may have one. For the others whose Slack id is in *to_ask*, Slack is asked.
        """
        suspects, accounts = self.unsettled, self._planner.accounts
        others = await to_completion(other_bearers, suspects, chain.from_iterable(pages))
        unlisted = [one for one in suspects if one[1] in to_ask and _key(one) not in others]
        others |= await ask_for_other_bearers(self._runtime, unlisted)
        self._settled |= others.keys() | set(map(_key, unlisted))
        for (docebo_id, _), bearer in others.items():
            if bearer:
                accounts.note_bearer(docebo_id, bearer)
            else:
                accounts.note_unknown_bearer(docebo_id)
        return {slack_id for _, slack_id in others}


def _key(suspect: tuple[Account, str]) -> tuple[int, str]:
    """Return by which key `other_bearers` tells who has the address of *suspect*."""
    account, slack_id = suspect
    return account.docebo_id, slack_id
