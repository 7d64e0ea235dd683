"""Shell-style patterns, as administrators name people and accounts with them: `*@example.com`."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import translate
from functools import lru_cache

from slack_docebo.domain.addresses import mailbox, pattern_keys

_WILD = frozenset("*?[")


def any_fits(patterns: Sequence[str], keys: Collection[str]) -> bool:
    """Tell whether one of *patterns* fits one of *keys*, without regard to case.

    *keys* are folded, and those of addresses may be mailboxes: a domain is meant however it is written.
    """
    return bool(patterns) and _naming(tuple(patterns))(keys)


@lru_cache(maxsize=16)
def _naming(patterns: tuple[str, ...]) -> Callable[[Collection[str]], bool]:
    """Compile *patterns* once for all people: fnmatch's own cache forgets them if they are many."""
    plain, wild = compiled(patterns)
    return lambda keys: not plain.isdisjoint(keys) or any(matches(key) for matches in wild for key in keys)


def compiled(patterns: Iterable[str]) -> tuple[frozenset[str], list[Callable[[str], object]]]:
    """Return *patterns* without a wildcard, as keys, and a match for each of the others."""
    words = {word for pattern in patterns for word in (mailbox(pattern), *pattern_keys(pattern))}
    plain = frozenset(word for word in words if _WILD.isdisjoint(word))
    return plain, [re.compile(translate(word)).match for word in sorted(words - plain)]
