"""Entries of lists in the settings that fit nobody: a misspelt entry protects nobody, and excludes nobody."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from slack_docebo.domain.addresses import mail_domain, mailbox
from slack_docebo.domain.patterns import compiled
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.protection import account_keys
from slack_docebo.domain.scope import person_keys

Compile = Callable[[list[str]], tuple[frozenset[str], list[Callable[[str], object]]]]
Place = tuple[str, int]  # the key of the setting, and the number in its list


class UnmatchedEntries:
    """Looks at people and accounts as they are read, and knows which entries have fitted none of them so far.

    *people* and *accounts* are lists of patterns by the key of their setting; *domains* are those of people's addresses.
    An entry that is empty keeps its place and is not looked for.
    """

    def __init__(
        self,
        *,
        people: Mapping[str, Sequence[str]],
        domains: Mapping[str, Sequence[str]],
        accounts: Mapping[str, Sequence[str]],
    ) -> None:
        self._of_people = _Unmatched(people, compiled)
        self._of_domains = _Unmatched(domains, lambda entries: (frozenset(map(mail_domain, entries)), []))
        self._of_accounts = _Unmatched(accounts, compiled)

    def see_people(self, users: Iterable[SourceUser]) -> None:
        """Look at some of the people."""
        for user in users if self._of_people.places or self._of_domains.places else ():
            self._of_people.see(person_keys(user))
            if user.email:
                self._of_domains.see((mailbox(user.email).rpartition("@")[2],))

    def see_accounts(self, accounts: Iterable[Account]) -> None:
        """Look at all accounts."""
        for account in accounts if self._of_accounts.places else ():
            self._of_accounts.see(account_keys(account))

    def remarks(self, *, with_accounts: bool) -> list[str]:
        """Return a sentence for each list with entries that fit nobody, by their places; none quotes an entry."""
        lists = (self._of_people, self._of_domains, *((self._of_accounts,) if with_accounts else ()))
        places: dict[str, list[int]] = {}
        for key, number in sorted(place for one in lists for place in one.places):
            places.setdefault(key, []).append(number)
        return [_remark(key, numbers) for key, numbers in places.items()]


class _Unmatched:
    """The entries of some lists that have fitted nothing so far; those without a wildcard are looked up by their words."""

    def __init__(self, lists: Mapping[str, Sequence[str]], compiling: Compile) -> None:
        self.places: set[Place] = set()
        self._plain: dict[str, set[Place]] = {}
        self._wild: dict[Place, list[Callable[[str], object]]] = {}
        for key, entries in lists.items():
            for number, entry in enumerate(entries, start=1):
                if entry:
                    self._add((key, number), *compiling([entry]))

    def _add(self, place: Place, words: Iterable[str], matches: list[Callable[[str], object]]) -> None:
        self.places.add(place)
        for word in words:
            self._plain.setdefault(word, set()).add(place)
        if matches:
            self._wild[place] = matches

    def see(self, keys: Collection[str]) -> None:
        """Strike the entries that fit one of *keys*."""
        found = {place for key in keys for place in self._plain.get(key, ())}
        found |= {place for place, matches in self._wild.items() if any(fits(key) for fits in matches for key in keys)}
        self.places -= found
        for place in found & self._wild.keys():
            del self._wild[place]


def _remark(key: str, places: Sequence[int]) -> str:
    numbers = ", ".join(map(str, places))
    if len(places) == 1:
        return f"{key}: entry {numbers} of the list fits nobody who was read: see whether it is misspelt"
    return f"{key}: entries {numbers} of the list fit nobody who was read: see whether they are misspelt"
