"""Claims: whose an account is, decided over everybody at once, whatever the order of Slack's list."""

from enum import IntEnum

from slack_docebo.domain.matching import FoundBy

Claimed = int | str  # the id of an account, or the address for which one is to be created


class Rank(IntEnum):
    """How good a claim is, the best first."""

    MAPPING = 0
    FORMER_MAPPING = 1
    EMAIL = 2
    USERNAME = 3
    NAME = 4
    OUT_OF_SCOPE = 5  # by address or username, for somebody who gets nothing written


RANKS = {
    FoundBy.MAPPING: Rank.MAPPING,
    FoundBy.FORMER_MAPPING: Rank.FORMER_MAPPING,
    FoundBy.EMAIL: Rank.EMAIL,
    FoundBy.USERNAME: Rank.USERNAME,
    FoundBy.NAME: Rank.NAME,
    FoundBy.FORMER_ENTRY: Rank.NAME,
}


class Claims:
    """The best claim to each account so far; of equal claims, that of the lower Slack id.

    People are planned while the list is still being read, so a better claim may come after a worse one was believed:
    the `outdone` have to be planned again at the end.
    """

    def __init__(self) -> None:
        self._best: dict[Claimed, tuple[Rank, str]] = {}
        self._rivals: dict[Claimed, set[str]] = {}  # who has lost the claim, if anybody has
        # Slack ids of people who had the best claim, or lost to it, before a better one came.
        self.outdone: set[str] = set()

    def __contains__(self, claimed: object) -> bool:
        return claimed in self._best

    def stake(self, claimed: Claimed, slack_id: str, rank: Rank) -> str:
        """Add a claim, and return the Slack id of whoever has the best one so far."""
        claim = (rank, slack_id)
        best = self._best.setdefault(claimed, claim)
        if best[1] == slack_id:
            self._best[claimed] = min(best, claim)
            return slack_id
        rivals = self._rivals.setdefault(claimed, set())
        if claim > best:
            rivals.add(slack_id)
            return best[1]
        self._best[claimed] = claim
        self.outdone |= {best[1], *rivals}
        rivals.add(best[1])
        return slack_id
