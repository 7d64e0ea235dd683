"""Advice: what is wrong with one person, and the one thing to do about it."""

from dataclasses import dataclass

from slack_docebo.domain.operations import Outcome

# Reasons are one sentence; those that know what to do say it in the sentences behind.
BY_REASON = {
    "several accounts match": "Give all but one of them another address or username in Docebo, or link the person to the"
    " right one: the form Decide about people on the status page.",
    "belongs to": "Two people claim one account: correct the address of one of them in Slack or Docebo.",
    "Docebo shows the account as active": "Deactivate it in Docebo. If somebody has opened it on purpose, leave it so: the"
    " form Decide about people on the status page.",
    "the username is taken": "Rename that account in Docebo, or link the person to it: the form Decide about people on"
    " the status page.",
    "no username": "Complete the rule for username in SLACK | ATTRIBUTES, or what it reads for this person in Slack.",
    "an account with this username": "Two people come to one username: change its rule in SLACK | ATTRIBUTES, or what it"
    " reads for one of them in Slack.",
    "Docebo fails at this person's row": "The next run tries again. If it stays so, ask Docebo's support.",
    "an account with this address is created": "Two people bear one address: correct it for one of them in Slack.",
}
BY_OUTCOME = {
    Outcome.FAILED: "Correct what Docebo says, there or in Slack: the next run tries again.",
    Outcome.SKIPPED: "Make a new plan: this one rests on what has changed since.",
    Outcome.LEFT: "Correct it in Slack or in Docebo: the next run looks again.",
}


@dataclass(frozen=True, slots=True)
class Attention:
    """Why somebody needs attention, and what there is to do."""

    wrong: str
    to_do: str


def attention(outcome: Outcome, told: str) -> Attention:
    """Return what is wrong with a person, and what there is to do; *told* is the person's error or reason."""
    wrong, _, to_do = told.partition(". ")
    known = next((advice for words, advice in BY_REASON.items() if words in wrong), BY_OUTCOME.get(outcome, ""))
    return Attention(wrong.removesuffix("."), to_do or known)
