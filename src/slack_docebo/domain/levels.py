"""The levels of Docebo's accounts, by the words that Docebo has for them."""

# As clients and the API's descriptions of 2017 to 2026 show them; some answers have a path before the word
# (/framework/level/admin).
PLAIN_USER = frozenset({"6", "user"})
LESSER = PLAIN_USER | {"admin", "power_user", "poweruser", "power user", "pu", "4"}
SUPERADMIN = frozenset({"godadmin", "superadmin", "super_admin", "super admin", "3"})


def level_word(level: str) -> str:
    """Return the word of a level, as words are compared."""
    return level.rpartition("/")[2].strip().lower()
