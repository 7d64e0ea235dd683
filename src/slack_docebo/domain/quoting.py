"""What Slack and Docebo say, quoted so that it names nobody.

Their messages are free text, in which anybody may be named: the person concerned, whoever has the address, one of us.
A name cannot be told from any other word. So nothing is taken out: only words are let through that such messages are
made of, and an ellipsis stands for everything else.
"""

import re

from slack_docebo.domain.texts import shortened

LONGEST_QUOTE = 200
WITHHELD = "a reason that may name somebody, so it is not shown here"
_GAP = "…"

# What is known to be said, by what it means: the first that fits. Everything is in lower case.
_MEANINGS = tuple(
    (tuple(re.compile(pattern) for pattern in patterns), meaning)
    for meaning, *patterns in (
        (
            "the username or the e-mail address is another account's",
            r"\b(?:user|e-?mail|address)",
            r"\balready\b|\btaken\b|\bnot available\b|\bduplicate|\bunique\b|\bin use\b",
        ),
        (
            "Docebo does not take the branch: check DESTINATION_BRANCH and the rule for branch in ATTRIBUTES",
            r"\bbranch",
            r"\bnot\b|\binvalid\b|\brequired\b",
        ),
        ("a value is too long for Docebo", r"\btoo long\b|\blonger than\b|\bmaximum length\b"),
        ("Docebo does not take the e-mail address", r"\be-?mail\b", r"\bnot (?:a )?valid\b|\binvalid\b|\bmalformed\b"),
        ("Docebo takes no further users: look at its licence", r"\blicen[cs]|\b(?:active|many|more) users\b"),
    )
)

MEANINGS = frozenset(meaning for _, meaning in _MEANINGS)

_WORDS = frozenset(
    """
    a about account accounts action activated active add address administrator after again all allowed already also an
    and another any api app application are argument arguments array as at attribute attributes authentication
    authorised authorized available bad batch be because been before being between blank blocked bot branch but by call
    called cannot change changed channel character characters charset code column conflict contact contain contains
    could create created credentials currently cursor data database date deactivated default deleted denied deprecated
    did disabled does doesn't domain duplicate e-mail each email empty enabled endpoint enterprise error errors exceeded
    exceeds exist existing exists expired failed failure field fields file firewall first firstname for forbidden form
    format found from given group has have id if in inactive incorrect installed internal invalid is it item items its
    json key language last lastname least length level limit limited list login maintenance malformed mandatory maximum
    message method minimum missing more most must name names needed new no not null number object of on once one only
    operation option optional or org organization other out parameter parameters password payload permission permissions
    plan platform please policy position possible post profile property provided read reason records refused registered
    rejected request required reserved resource restricted retry room row same scope security server service session set
    size sorry status string successful support supported suspended system taken team temporarily text than that the
    their then there this time timeout timezone to token too try type unable unauthorized unavailable unexpected unique
    unknown unsupported update updated upgrade use used user userid username users uses valid validation value values
    was were when which while with without workspace write wrong you your
    """.split()  # noqa: SIM905  (one word a line would fill pages)
)
# Names in our own calls, which no person has: whoever reads what Docebo does not take knows which one it is.
_NAMES_SENT = frozenset(
    """
    as_array branch_id branch_ids branch_option change_user_password destination_branch force_create_branches
    get_total_count ignore_password_change_for_existing_users match_type node_id page_size powerUser_option provisioned_by
    search_text selection_status send_notification_email sort_attr sort_dir update_user_info user_ids
    """.split()  # noqa: SIM905
)
_TOKEN = re.compile(r"([\"'(\[«„“]*)([^\W\d]+(?:[-'][^\W\d]+)?)([\"')\]»”.,:;!?]*)")
_ENDS = tuple(".:;!?")  # of a sentence: what follows may have a capital


def quoted(said: str) -> str:
    """Return what a message means, or else those of its words that can name nobody, in one short line.

    "" is returned for "" only: of a message without such a word it is told that there is one.
    """
    lowered = said.lower()
    for patterns, meaning in _MEANINGS:
        if all(pattern.search(lowered) for pattern in patterns):
            return meaning
    shown: list[str] = []
    begins = True
    for token in said.split():
        found = _TOKEN.fullmatch(token)
        if found and _is_harmless(found[2], begins=begins):
            shown.append(token)
        elif shown[-1:] != [_GAP]:
            shown.append(_GAP)
        begins = token.endswith(_ENDS)
    if not any(word != _GAP for word in shown):
        return WITHHELD if shown else ""
    return shortened(" ".join(shown), LONGEST_QUOTE)


def quoted_code(code: str) -> str:
    """Return a code like `user_not_found` or `users:read` with only those of its words that name nobody."""
    return re.sub(r"[^\W_]+", lambda word: word[0] if word[0] in _WORDS else _GAP, code)


def _is_harmless(word: str, *, begins: bool) -> bool:
    # In the middle of a sentence a capital makes a name of a word, like Field or Branch.
    return word in _NAMES_SENT or all(part in _WORDS for part in (word.lower() if begins else word).split("_"))
