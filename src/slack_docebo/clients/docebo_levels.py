"""The levels of Docebo's accounts as its answers show them: administrator or plain user."""

from slack_docebo.clients.docebo_values import read_text
from slack_docebo.domain.levels import LESSER, PLAIN_USER, SUPERADMIN, level_word

MOST_LEVELS = 10  # that are remembered as not known


class Levels:
    """Tells administrators from plain users by the words for their levels, and remembers those that are not known.

    To be safe, an account whose level is unknown or missing counts as an administrator's. *user_level* is one more word
    for a plain user; it has no effect if it is a word for a known level.
    """

    def __init__(self, user_level: str = "") -> None:
        word = level_word(user_level)
        self._plain = PLAIN_USER | (frozenset({word} - {""}) - LESSER - SUPERADMIN)
        self._unknown: set[str] = set()
        self._has_met_users = False

    def is_administrator(self, level: object) -> bool:
        """Tell whether an account with this level may be an administrator's."""
        word = level_word(read_text(level))
        if word in self._plain:
            self._has_met_users = True
            return False
        if word not in LESSER and word not in SUPERADMIN and len(self._unknown) < MOST_LEVELS:
            self._unknown.add(word)
        return True

    @property
    def in_doubt(self) -> frozenset[str]:
        """The unknown words for levels, as long as no account with a known plain user's level was seen."""
        return frozenset() if self._has_met_users else frozenset(self._unknown)
