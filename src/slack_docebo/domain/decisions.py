"""Decisions that only a person can take, because nobody else can tell whose an account is."""

from slack_docebo.domain.disputes import DISPUTED
from slack_docebo.domain.returns import RETURNED


def waits_for_decision(reason: str) -> bool:
    """Tell whether somebody who is left alone for this *reason* stays so until an administrator has decided."""
    return reason.startswith(RETURNED) or DISPUTED in reason
