"""Exclusion: who was forgotten on request, and is left alone until somebody says otherwise."""

from collections.abc import Iterable
from dataclasses import dataclass

from slack_docebo.domain.addresses import spellings
from slack_docebo.domain.disputes import digest
from slack_docebo.domain.people import SourceUser

FORGOTTEN = "forgotten on request: look after again, in the form Give out or forget a person, or `slack-docebo remember`, ends that"


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The forgotten, by digests of their Slack ids and e-mail addresses: who they are cannot be read from it."""

    digests: frozenset[str] = frozenset()

    def cover(self, user: SourceUser) -> bool:
        """Tell whether *user* was forgotten, by one of the ids or the address, however its domain is written."""
        return bool(self.digests) and self.cover_any((*user.ids, *spellings(user.email)))

    def cover_any(self, names: Iterable[str]) -> bool:
        """Tell whether somebody with one of these Slack ids or addresses was forgotten."""
        return bool(self.digests) and not self.digests.isdisjoint(map(digest, names))
