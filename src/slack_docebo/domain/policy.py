"""Policy: what the administrator wishes to happen to people and accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

from slack_docebo.domain.attributes import fingerprint, refused_key
from slack_docebo.domain.matching import MatchBy
from slack_docebo.domain.operations import Value
from slack_docebo.domain.returns import Rehires
from slack_docebo.domain.rules import DEFAULT_RULES, AttributeRule
from slack_docebo.domain.scope import Scope


class Leavers(StrEnum):
    """What happens to the account and the mapping of a person who has left Slack."""

    KEEP = "keep"
    UNMAP = "unmap"
    DEACTIVATE = "deactivate"
    EXPIRE = "expire"  # the account ends with the day on which that is done, and keeps its groups


SHUT_OUT = frozenset({Leavers.DEACTIVATE, Leavers.EXPIRE})  # whose account is changed


@dataclass(frozen=True, slots=True)
class Policy:
    """The administrator's wishes, as far as rules need them."""

    provision: bool = False
    map: bool = False
    scope: Scope = field(default_factory=Scope)
    match_by: MatchBy = MatchBy.BOTH
    rules: Sequence[AttributeRule] = DEFAULT_RULES
    leavers: Leavers = Leavers.KEEP
    out_of_scope_leaves: bool = False
    today: date = date.min  # on which accounts expire
    branch_moves: bool = False  # accounts that are there get another branch, too
    leavers_branch: str = ""  # to which accounts of leavers are moved, as the administrator names it
    grace: timedelta = timedelta()  # from when a leaver is first seen to when anything is done
    rehires: Rehires = Rehires.REPORT
    refused: frozenset[str] = frozenset()  # values of attributes that Docebo does not take, as they are remembered
    protected: Sequence[str] = ()  # shell-style patterns on username, e-mail or Docebo id

    def is_refused(self, name: str, value: Value) -> bool:
        """Tell whether Docebo is known to refuse the value; not where the field's options are known by now."""
        if name not in _names_in(self.refused) or refused_key(name, value) not in self.refused:
            return False
        return all(rule.values is None for rule in self.rules if rule.target == name)

    def fingerprint(self, wanted: Mapping[str, str]) -> str:
        """Return the fingerprint of what is *wanted* and not refused: what is refused is news once that is forgotten."""
        return fingerprint({name: value for name, value in wanted.items() if not self.is_refused(name, value)})

    @property
    def reports_former_holders(self) -> bool:
        """Whether an unmapped account whose former holder is gone waits for a decision before somebody else gets it.

        With mappings, it was somebody's decision that there is none: it was deleted, or went with LEAVERS.
        """
        return not self.map and self.rehires is Rehires.REPORT


@lru_cache(maxsize=8)
def _names_in(refused: frozenset[str]) -> frozenset[str]:
    """Return the attributes of which values are *refused*: each person is asked about each attribute, and few are among them."""
    return frozenset(key.rpartition(" ")[0] for key in refused)
