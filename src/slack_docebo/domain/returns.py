"""Returns: somebody bears the address of an account that is mapped to another Slack id, of a person who is gone."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum

from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import SourceUser

NOT_ASKED = Unknown("Slack was not asked")
RETURNED = "returned under a new Slack id"


class Rehires(StrEnum):
    """What happens when a person returns under a new Slack id."""

    REPORT = "report"
    HAND_OVER = "hand-over"


class Returns:
    """Who may have returned, and what became of those whose accounts they would get."""

    def __init__(self, rehires: Rehires) -> None:
        self._rehires = rehires
        self.contested: dict[str, str] = {}  # the holder's Slack id by that of somebody who bears the address
        self.one_person: set[str] = set()  # of them, who is known to have had the holder's id as well
        self.of_holder: dict[str, str] = {}  # the holder's id by that of somebody who is the same person, as Slack says
        self.returned: dict[str, str] = {}  # the holder's, who is gone, by that of who has returned
        self.heirs: dict[str, str] = {}  # who gets the mapping, by the Slack id that has it so far

    def contest(self, slack_id: str, holder: str, *, is_one_person: bool = False) -> None:
        """Note that *slack_id* bears the address of an account that is mapped to *holder*, or was known under that id, too."""
        self.contested[slack_id] = holder
        if is_one_person:
            self.one_person.add(slack_id)

    def settle(self, seen: Mapping[str, Observation[SourceUser]]) -> set[str]:
        """Conclude from what Slack says of the holders; return the Slack ids of all for whom that makes a difference.

        Of two who bear one address nobody can tell which of them has returned: neither gets the mapping.
        """
        for slack_id, holder in self.contested.items():
            answer = seen.get(holder, NOT_ASKED)
            is_theirs = isinstance(answer, Present) and slack_id in answer.value.ids
            if is_theirs or (slack_id in self.one_person and has_left(answer)):
                self.of_holder[slack_id] = holder
            elif has_left(answer):
                self.returned[slack_id] = holder
        if self._rehires is Rehires.HAND_OVER:
            bearers = Counter(self.returned.values())
            self.heirs = {holder: heir for heir, holder in self.returned.items() if bearers[holder] == 1}
        self.heirs |= {self.of_holder[one]: one for one in self.one_person & self.of_holder.keys()}
        return {*self.of_holder, *self.returned, *self.heirs}


def has_left(seen: Observation[SourceUser]) -> bool:
    """Tell whether Slack says that somebody is gone, was deactivated or was erased."""
    return isinstance(seen, Gone) or (isinstance(seen, Present) and (seen.value.deactivated or seen.value.forgotten))


def elsewhere(docebo_id: int, holder: str) -> str:
    """Return what is told of somebody whose account is mapped under another id that Slack still shows, and what to do."""
    return (
        f"account {docebo_id} belongs to {holder}, under which this person was known before, and which Slack still shows."
        " If these are two people by now, link each to an account: the form Decide about people on the status page"
    )


def reported(docebo_id: int, holder: str) -> str:
    """Return what is told of somebody who has returned, and what there is to do."""
    return (
        f"{RETURNED}: account {docebo_id} has this address and is mapped to {holder}, who is gone from Slack. If that is"
        " the same person, set REHIRES to hand-over"
    )
