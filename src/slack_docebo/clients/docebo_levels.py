"""The levels of Docebo's accounts as its answers show them: who is an administrator, and who a plain user."""

from slack_docebo.clients.docebo_values import read_text
from slack_docebo.domain.levels import LESSER, PLAIN_USER, SUPERADMIN, level_word

MOST_LEVELS = 10  # that are remembered as not known


class Levels:
    """Tells administrators from plain users by the words for their levels, and remembers those that are not known.

    Whose level is unknown or missing counts as an administrator, to be safe. *user_level* is one more word for a plain
    user; of a word that is known it changes nothing.
    """

    def __init__(self, user_level: str = "") -> None:
        word = level_word(user_level)
        self._plain = PLAIN_USER | (frozenset({word} - {""}) - LESSER - SUPERADMIN)
        self._unknown: set[str] = set()
        self._has_met_users = False

    def is_administrator(self, level: object) -> bool:
        """Tell whether whoever has this level may be one."""
        word = level_word(read_text(level))
        if word in self._plain:
            self._has_met_users = True
            return False
        if word not in LESSER and word not in SUPERADMIN and len(self._unknown) < MOST_LEVELS:
            self._unknown.add(word)
        return True

    @property
    def in_doubt(self) -> frozenset[str]:
        """The words that are not known, as long as nobody was met who is known to be a plain user."""
        return frozenset() if self._has_met_users else frozenset(self._unknown)
