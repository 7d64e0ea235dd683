"""The promises in words, the times that they allow, and what is told of a broken one."""

from dataclasses import dataclass
from enum import StrEnum

MINUTE = 60.0
FRESH = 15 * MINUTE  # a harmful write may rest on what was seen ten minutes before, and the calls take some time
LISTED = 75 * MINUTE  # a change of names, or a creation, may rest on a list that is an hour old
FIELDS_READ = 24 * 60 * MINUTE  # PROFILE_MAX_AGE_DAYS: custom fields may be so old if the profile's stamp has not moved
DAY = 23 * 60 * MINUTE  # surely less than the 24 hours that a run counts


class Promise(StrEnum):
    """What the company may rely on."""

    ABSENCE = "Absence is concluded only from evidence"
    SECOND_ACCOUNT = "A partial look never leads to a second account"
    MOVED_MAPPING = "A partial look never leads to a moved mapping"
    SHORT_READ = "A short read is never a success report"
    MEASURE = "What was disproved is not the measure of the next read"
    LIMITS = "Limits hold over a day, all runs and real time together"
    FENCED = "Who lost the lock writes nothing"
    ONE_BATCH = "Never two batch calls at once"
    TRUE_OUTCOME = "Nobody whose account we made or changed is recorded as failed"
    RECORDED = "What was written is recorded as done"
    QUIET = "Same input twice: the second run writes nothing"
    NEWEST = "Never older over newer"
    EVENTS = "An acknowledged event is applied, superseded, or visible as parked"
    ONLY_OWN = "Accounts that nobody can tell to be this person's are never touched"
    OWN_DATA = "Nobody's account is given somebody else's data"
    ADMINISTRATORS = "Administrators are never touched"
    BY_HAND = "A saved plan does not overwrite what was changed since it was made"
    BACKED_UP = "What a reset deletes is in its backup"
    FORGOTTEN = "Who was forgotten stays forgotten"
    PRIVATE = "Nobody's data stand in what is told about somebody else"
    UNDISTURBED = "A change while an import is at work does not fail it"
    EVERYBODY = "Everybody in scope has an account, or the run says who has not"
    GRACE = "Who has left is left alone until the days of grace are over"
    PLACED = "A branch and a manager are those that Slack says of exactly this person"
    KNOWN = "What is not known empties nothing"
    SHIELDED = "Who is out of scope, and a protected account, is never touched"
    STAYS = "Who was moved by hand stays until Slack says another department"
    UNDONE = "What is undone is as it was before, or the run says what is not"
    CAUGHT_UP = "In the end whoever is back gets in, and branch, manager and custom fields are what Slack says"
    FROZEN = "On a day that is frozen nothing is written to Docebo"
    NO_TRACEBACK = "A run ends with a sentence, not with a traceback"


@dataclass(frozen=True)
class Breach:
    """A promise that was broken, and how."""

    promise: Promise
    how: str

    def __str__(self) -> str:
        return f"{self.promise}: {self.how}"
