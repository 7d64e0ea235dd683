"""Returns: somebody has the address of an account that is mapped to another Slack id, or was given to it before."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from itertools import chain

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.disputes import digest, dispute_of_leaver
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import Operation
from slack_docebo.domain.people import Known, SourceUser
from slack_docebo.domain.people import Mapping as PersonsMapping
from slack_docebo.domain.texts import some_of

NOT_ASKED = Unknown("Slack was not asked")
RETURNED = "returned under a new Slack id"
PERHAPS_THEIRS = "whose person has left with this address, may be theirs:"


class Rehires(StrEnum):
    """What happens when a person returns under a new Slack id."""

    REPORT = "report"
    HAND_OVER = "hand-over"


class Returns:
    """People who may have returned under a new Slack id, and what Slack says of the holders of their accounts."""

    def __init__(self, rehires: Rehires) -> None:
        self._rehires = rehires
        # All by Slack id.
        self.contested: dict[str, str] = {}  # the holder of the account whose address a person has
        self.one_person: set[str] = set()  # people of *contested* who are known to have had the holder's id as well
        self.of_holder: dict[str, str] = {}  # the holder, by the id of the same person, as Slack says
        self.returned: dict[str, str] = {}  # the holder who is gone, by the id of whoever has returned
        self.heirs: dict[str, str] = {}  # who gets the mapping, by the id that has it so far
        # To whom an unmapped account was given, by the id of somebody who has its address.
        self.given: dict[str, frozenset[str]] = {}
        self._gone: set[str] = set()  # people of *given* who have left, as Slack says
        # By the address with which people have left, as Slack shows or has shown: these people, with their accounts, and
        # why nobody can tell whether the account of one of them is still theirs.
        self._left_with: dict[str, dict[str, Known]] = {}
        self._unseen: dict[str, str] = {}
        self.unheard: dict[str, str] = {}  # why nobody knows who bears the address of an account, by the holder's id
        # By the id of who would get a new account, and has the address with which others have left: these people, the
        # account of one of them, or why nobody can tell which account it is.
        self._left_before: dict[str, dict[str, Known]] = {}
        self.left_to: dict[str, int] = {}
        self.in_doubt: dict[str, str] = {}
        # Who gets no new account, by the address, for which perhaps another gets one.
        self._rivals: dict[str, set[str]] = {}

    def note_leaver(self, address: str, slack_id: str, known: Known) -> None:
        """Note with which *address* somebody has left: the *known* account may show an older one."""
        self._left_with.setdefault(mailbox(address), {})[slack_id] = known

    def note_unseen(self, address: str, docebo_id: int, why: str) -> None:
        """Note that nobody can tell whether account *docebo_id* is that of somebody who has left with *address*."""
        self._unseen[mailbox(address)] = f"account {docebo_id}, {PERHAPS_THEIRS} {why}"

    def note_edited(self, address: str, docebo_id: int) -> None:
        """Note that account *docebo_id* of somebody who has left with *address* bears another person's by now, or may."""
        self._unseen[mailbox(address)] = dispute_of_leaver(docebo_id)

    def note_rival(self, user: SourceUser) -> None:
        """Note that *user* gets no new account, perhaps because somebody else gets one for the same address."""
        if user.email:
            self._rivals.setdefault(mailbox(user.email), set()).add(user.slack_id)

    @property
    def knows_leavers(self) -> bool:
        """Tell whether anybody was noted by `note_leaver`, `note_unseen` or `note_edited`."""
        return bool(self._left_with or self._unseen)

    def contest_newcomers(self, creations: Iterable[Operation]) -> None:
        """Note who would get a new account for the address of somebody who was noted as a leaver, or has it as well."""
        for creation in creations:
            address = mailbox(creation.address)
            bearers = {creation.slack_id, *self._rivals.get(address, ())}
            if why := self._unseen.get(address):
                self.in_doubt |= dict.fromkeys(bearers, why)
            elif formers := self._left_with.get(address):
                self._left_before |= dict.fromkeys(bearers, formers)

    def contest(self, slack_id: str, holder: str, *, is_one_person: bool = False) -> None:
        """Note that *slack_id* has the address of an account mapped to *holder*, or was known under that id as well."""
        self.contested[slack_id] = holder
        if is_one_person:
            self.one_person.add(slack_id)

    def contest_given(self, slack_id: str, former_holders: Collection[str]) -> None:
        """Note that *slack_id* has the address of an unmapped account that was given to *former_holders* before."""
        self.given[slack_id] = frozenset(former_holders)

    @property
    def holders(self) -> set[str]:
        """Slack ids of the holders: Slack must say what became of them before somebody else gets their accounts."""
        return {*self.contested.values(), *chain(*self.given.values(), *self._left_before.values())}

    @property
    def contenders(self) -> dict[str, str]:
        """Who has returned with the address of an account, by the id of the holder, who is gone."""
        return {holder: slack_id for slack_id, holder in sorted(self.returned.items())}

    @property
    def former_ids(self) -> set[str]:
        """The holders that are former ids of the person who has the address."""
        return {self.contested[slack_id] for slack_id in self.one_person}

    @property
    def newly_identified(self) -> set[str]:
        """Slack ids of the people who, as only Slack's answer has shown, are the same person as the holder."""
        return self.of_holder.keys() - self.one_person

    def not_known_to_be_gone(self, former_holders: Collection[str]) -> list[str]:
        """Return those of *former_holders* who have not left, as far as Slack has said."""
        return sorted(set(former_holders) - self._gone)

    def settle(self, seen: Mapping[str, Observation[SourceUser]]) -> set[str]:
        """Decide by Slack's answers about the holders; return the Slack ids of everybody whose plan that changes.

        Where two people have one address, nobody can tell which of them has returned: neither gets the mapping. Nor can
        anybody where two have left with it.
        """
        self._settle_newcomers(seen)
        for slack_id, holder in self.contested.items():
            answer = seen.get(holder, NOT_ASKED)
            if _is_id_of(slack_id, answer) or (slack_id in self.one_person and has_left(answer)):
                self.of_holder[slack_id] = holder
            elif has_left(answer):
                self.returned[slack_id] = holder
        for slack_id, holders in self.given.items():
            for holder in holders:
                answer = seen.get(holder, NOT_ASKED)
                if _is_id_of(slack_id, answer):
                    self.of_holder[slack_id] = holder
                elif has_left(answer):
                    self._gone.add(holder)
        has_room = {slack_id for slack_id, holders in self.given.items() if holders <= self._gone}
        if self._rehires is Rehires.HAND_OVER:
            bearers = Counter(self.returned.values())
            self.heirs = {holder: heir for heir, holder in self.returned.items() if bearers[holder] == 1}
        self.heirs |= {self.of_holder[one]: one for one in self.one_person & self.of_holder.keys()}
        return {
            *self.of_holder,
            *self.returned,
            *self.returned.values(),
            *self.heirs,
            *has_room,
            *self.unheard,
            *self.left_to,
            *self.in_doubt,
        }

    def _settle_newcomers(self, seen: Mapping[str, Observation[SourceUser]]) -> None:
        """Note whose account each newcomer may have had before: not that of somebody who is there, and somebody else."""
        for slack_id, formers in self._left_before.items():
            left = {
                holder: known
                for holder, known in formers.items()
                if not _is_another(slack_id, seen.get(holder, NOT_ASKED))
            }
            accounts = sorted({known.docebo_id for known in left.values()})
            if len(accounts) > 1:
                self.in_doubt[slack_id] = (
                    f"several accounts match: {some_of(accounts)}, for more than one person has left with this address"
                )
            elif accounts:
                self.left_to[slack_id] = accounts[0]
                mapped = [holder for holder, known in left.items() if isinstance(known, PersonsMapping)]
                if mapped:
                    self.contest(slack_id, mapped[0])
                else:
                    self.contest_given(slack_id, left)


def has_left(seen: Observation[SourceUser]) -> bool:
    """Tell whether Slack says that the person is gone, deactivated or erased."""
    return isinstance(seen, Gone) or (isinstance(seen, Present) and (seen.value.deactivated or seen.value.forgotten))


def address_left_with(user: SourceUser) -> str:
    """Return the confirmed address that Slack shows of *user*, who has left; "" for none, and for somebody who has not."""
    return user.email if has_left(Present(user)) and not user.unconfirmed else ""


def left_with(user: SourceUser, known: Known | None) -> dict[str, str]:
    """Return the digest of the address with which *user* has left, by each id, if the *known* account bore another.

    It is kept, because nothing else leads from that address to the account once Slack shows the former id no more.
    """
    address = digest(address_left_with(user))
    return dict.fromkeys(user.ids, address) if known and address not in ("", known.seen.address) else {}


def _is_id_of(slack_id: str, seen: Observation[SourceUser]) -> bool:
    """Tell whether Slack shows *slack_id* as an id of the person in *seen*."""
    return isinstance(seen, Present) and slack_id in seen.value.ids


def _is_another(slack_id: str, seen: Observation[SourceUser]) -> bool:
    """Tell whether Slack shows in *seen* somebody who is there, and whom it does not know as *slack_id* as well."""
    return isinstance(seen, Present) and not has_left(seen) and not _is_id_of(slack_id, seen)


def given_before(docebo_id: int, former_holder: str) -> str:
    """Return the reason, with advice, for somebody whose account was given to another person before."""
    return (
        f"account {docebo_id} belongs to {former_holder}, to whom it was given before, as long as Slack does not say that the"
        " person has left. If it is somebody else's by now, link that one to it, with MAP_SLACK_USER_DATA on: the form Decide"
        " about people on the status page"
    )


def elsewhere(docebo_id: int, holder: str) -> str:
    """Return the reason, with advice, for somebody whose account is mapped under another id that Slack still shows."""
    return (
        f"account {docebo_id} belongs to {holder}, under which this person was known before, and which Slack still shows."
        " If these are two people by now, link each to an account: the form Decide about people on the status page"
    )


def reported(docebo_id: int, holder: str) -> str:
    """Return the reason, with advice, for somebody who has returned, and whose account is mapped to *holder*."""
    return _reported(docebo_id, f"is mapped to {holder}")


def reported_given(docebo_id: int, former_holder: str) -> str:
    """Return the reason like `reported`, for an account that is mapped to nobody."""
    return _reported(docebo_id, f"was given to {former_holder} before")


def _reported(docebo_id: int, whose: str) -> str:
    return (
        f"{RETURNED}: account {docebo_id} {whose}, who had this address and is gone from Slack. If that is the same person,"
        " set REHIRES to hand-over"
    )
