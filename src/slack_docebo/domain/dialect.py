"""Dialect: how one Docebo behaves where the documentation leaves it open, and how we know."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

from slack_docebo.domain.levels import LESSER, SUPERADMIN, level_word

# Of a batch call: what Docebo's own jobs send in one (its API description of 2017); no number is documented.
MOST_ROWS = 100
A_MONTH = timedelta(days=30)
A_DAY = timedelta(days=1)
MOST_VALUES = 10_000  # refused values that are remembered
MOST_UNLISTED = 1_000  # accounts
SET_BY_HAND = "set by hand"  # the source of an answer that holds until somebody forgets it


# Options of a batch call that only forbid something; they can be left out for a platform that does not know them.
CAUTIOUS_OPTIONS = frozenset({
    "force_create_branches", "change_user_password", "ignore_password_change_for_existing_users",
    "send_notification_email", "powerUser_option", "provisioned_by",
})  # fmt: skip


class LanguageForm(StrEnum):
    """How a language is written in the rows of a batch."""

    CODE = "code"  # the browser's, like "en", which Docebo documents for single calls
    NAME = "name"  # Docebo's own, like "english"


class OptionForm(StrEnum):
    """How an option of a dropdown, or yes and no, are written in the rows of a batch."""

    ID = "id"  # as in calls about one account
    LABEL = "label"  # as in the CSV import


class AddressSearch(StrEnum):
    """Which kind of search finds an account by its e-mail address."""

    FULL = "full"  # a search for the full text, which is documented for names
    IN_PARTS = "in parts"


class NewPassword(StrEnum):
    """The password that the row of a new account sets."""

    NONE = "none"
    RANDOM = "random"  # nobody knows or keeps it


class RowColumns(StrEnum):
    """Which columns the platform reads from a row of a batch."""

    OWN = "own"  # those of the row itself
    ALIKE = "alike"  # also those of other rows in the call: so all rows of a call get the same columns


class RowAnswers(StrEnum):
    """For which rows of a batch Docebo gives an answer."""

    EACH = "each"
    REFUSED = "refused"  # only those that are refused


class Pages(StrEnum):
    """How the pages of a listing are requested, and where they end."""

    NUMBER = "number"  # from 1 to the first that announces no more
    CURSOR = "cursor"  # sent together with the page's number
    FROM_0 = "from 0"  # the number of the first page
    ENDLESS = "endless"  # the last page announces more as well


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that the documentation leaves open: what is assumed until the answer is learned, and what shows it."""

    name: str
    means: str  # what the answer is about
    assumed: str
    shown_by: str
    kept: timedelta | None = None  # how long an answer is valid; then the assumption is tried again
    # Answers that can be set by hand: none that would do harm where it is wrong.
    words: Collection[str] = ()
    numbers: range = range(0)
    other_than: Collection[str] = ()  # any word can be set by hand but these, which are known levels
    several: bool = False  # the answer is some of *words*, with commas between them
    digests: bool = False  # the answer is digests, which say nothing to people
    grows: bool = False  # the answer gets further parts, which do not make it valid for longer
    is_of_rows: bool = False  # another answer means other rows, which have to be proven again

    @property
    def possible(self) -> str:
        """The answers that can be set by hand, in words; "" where there are none."""
        if self.other_than:
            return "Docebo's own word for the level, unless its level is known"
        if self.numbers:
            return f"a number from {self.numbers[0]} to {self.numbers[-1]}"
        words = ", ".join(self.words)
        return f"some of {words}" if self.several else words

    def shown(self, answer: str) -> str:
        """Return *answer* as people are shown it; "" stands for none."""
        if self.digests and answer:
            values = len(answer.split(", "))
            return f"{values} values, the most that are remembered" if values >= MOST_VALUES else f"{values} values"
        return answer or "not known"

    def by_hand(self, value: str) -> str:
        """Return *value*, set by somebody, in the form that is stored; raise ValueError if it is no answer."""
        if self.other_than and (word := level_word(value)) and word not in self.other_than:
            return word
        given = [part.strip() for part in value.split(",")] if self.several else [value.strip()]
        if self.numbers and value.strip().isascii() and value.strip().isdecimal() and int(value) in self.numbers:
            return str(int(value))
        if not self.words or not set(given) <= set(self.words):
            raise ValueError(f"{self.name!r} can be {self.possible or 'forgotten, not set'}")
        return ", ".join(sorted(set(given)))


MISSING_ACCOUNT = Question(
    name="missing account",
    means="the HTTP status with which Docebo answers for an account that is not there any more",
    assumed="",
    shown_by="the HTTP status of the answer for the id of an account that is known to be gone",
    words=("400", "404"),
)
ROWS_PER_CALL = Question(
    name="rows per call",
    means="the most people who are written in one call",
    assumed=str(MOST_ROWS),
    shown_by="a large call that is refused as a whole, and whose parts are taken",
    kept=A_MONTH,
    numbers=range(1, MOST_ROWS + 1),
)
LANGUAGE_FORM = Question(
    name="language in rows",
    means="whether a language is written by its code, like en, or by Docebo's own name, like english",
    assumed=LanguageForm.CODE,
    shown_by="a row that is refused, or ignored, with the one form, and taken with the other",
    words=tuple(LanguageForm),
)
OPTION_FORM = Question(
    name="options in rows",
    means="whether an option of a dropdown, yes and no are written by their id or by their label",
    assumed=OptionForm.ID,
    shown_by="a row that is refused, or ignored, with the one form, and taken with the other",
    words=tuple(OptionForm),
)
NEW_PASSWORD = Question(
    name="password of new accounts",
    means="whether new accounts are made with a random password, which nobody knows",
    assumed=NewPassword.NONE,
    shown_by="the row of a new account that is refused without one and taken with one, while nobody was made yet",
    words=(NewPassword.RANDOM,),
    is_of_rows=True,
)
ROW_COLUMNS = Question(
    name="columns of rows in one call",
    means="whether each person in a call has columns of their own, or all have to have the same",
    assumed="",
    shown_by="two rows with different columns in one call, and what their accounts show afterwards",
    words=(RowColumns.ALIKE,),
)
ROW_ANSWERS = Question(
    name="answers to rows",
    means="whether Docebo answers for each row of a call, or for those alone that it refuses",
    assumed=RowAnswers.EACH,
    shown_by="a call that is answered for refused rows alone, and whose other accounts are as they were sent",
)
PAGES = Question(
    name="pages",
    means="whether pages are asked for by number, with a cursor, too, or from 0 on, and whether the last announces more",
    assumed=Pages.NUMBER,
    shown_by="a page that repeats the one before unless its cursor is sent; a page 0 with entries that no other page has; a"
    " page with nobody new that announces more although all that are counted were shown",
    words=tuple(Pages),
    several=True,
)
UNLISTED = Question(
    name="accounts counted, not listed",
    means="how many accounts Docebo counts and never lists; as many may be missing from a list",
    assumed="0",
    shown_by="nothing that a run sees: whoever compares the message with Docebo's user management sets it",
    numbers=range(MOST_UNLISTED + 1),
)
PROVEN = Question(
    name="proven rows",
    means="which changes an account was seen to show as they were sent; any other is tried on one person first",
    assumed="",
    shown_by="a row that is sent alone, and what its account shows afterwards",
)
ADDRESS_SEARCH = Question(
    name="search by address",
    means="whether a search for the full text finds e-mail addresses",
    assumed="",
    shown_by="an account with another user name, of which only one of the two searches has shown the address",
    words=(AddressSearch.IN_PARTS,),
)
UNKNOWN_OPTIONS = Question(
    name="unknown options",
    means="which options of a batch call Docebo does not know; they are left out",
    assumed="",
    shown_by="a batch call that is refused with the name of an option that it has",
    kept=A_MONTH,
    words=tuple(sorted(CAUTIOUS_OPTIONS)),
    several=True,
    grows=True,
    is_of_rows=True,
)
REFUSED_VALUES = Question(
    name="refused values",
    means="how many values Docebo has refused; they are left out of the rows, and the outcomes say so",
    assumed="",
    shown_by="a row that is refused with one attribute and taken without it",
    kept=A_MONTH,
    digests=True,
    grows=True,
)
MANDATORY_FIELDS = Question(
    name="mandatory fields",
    means="without which additional fields everybody new is refused; nobody new is sent while no rule fills them",
    assumed="",
    shown_by="a run in which all new accounts are refused, three at least, while no rule fills fields that are mandatory",
    kept=A_DAY,  # it may have been for something else, like the licence, and that is over
)
NOT_FOUND = Question(
    name="account not found",
    means="which account, made by a run, the search does not find; nobody new is sent until it is found, or gone",
    assumed="",
    shown_by="a search for the address of the first new account, which finds nothing for a minute",
)


def _level_of(whom: str) -> Question:
    return Question(
        name=f"level of {whom}",
        means=f"the word by which Docebo names the level of {whom}, where that is none that is known",
        assumed="",
        shown_by="nothing that a run sees: whoever compares the message with Docebo's user management sets it",
        other_than=LESSER | SUPERADMIN,
    )


USER_LEVEL = _level_of("plain users")
SUPERADMIN_LEVEL = _level_of("superadmins")
QUESTIONS = (
    MISSING_ACCOUNT,
    ROWS_PER_CALL,
    LANGUAGE_FORM,
    OPTION_FORM,
    NEW_PASSWORD,
    ROW_COLUMNS,
    ROW_ANSWERS,
    PAGES,
    UNLISTED,
    PROVEN,
    ADDRESS_SEARCH,
    UNKNOWN_OPTIONS,
    REFUSED_VALUES,
    MANDATORY_FIELDS,
    NOT_FOUND,
    USER_LEVEL,
    SUPERADMIN_LEVEL,
)


@dataclass(frozen=True, slots=True)
class Learned:
    """The answer to a question, and when it was given."""

    value: str
    at: datetime
    source: str  # what showed the answer


@dataclass(frozen=True, slots=True)
class Dialect:
    """The answers that are known for one platform; every other question has its assumed answer."""

    answers: Mapping[str, str]

    @classmethod
    def of(cls, learned: Mapping[str, Learned], now: datetime) -> Self:
        """Return the dialect of those answers in *learned* that are still valid."""
        kept = {question.name: question.kept for question in QUESTIONS}
        return cls(
            {
                name: answer.value
                for name, answer in learned.items()
                if answer.source == SET_BY_HAND or not (lasts := kept.get(name)) or answer.at > now - lasts
            }
        )

    def answer(self, question: Question) -> str:
        return self.answers.get(question.name) or question.assumed

    @property
    def rows_per_call(self) -> int:
        known = self.answer(ROWS_PER_CALL)
        return min(max(1, int(known)), MOST_ROWS) if known.isdecimal() else MOST_ROWS

    @property
    def unlisted(self) -> int:
        """How many accounts the platform counts without listing them."""
        known = self.answer(UNLISTED)
        return min(int(known), MOST_UNLISTED) if known.isdecimal() else 0

    @property
    def user_level(self) -> str:
        """Docebo's own word for the level of plain users; "" if none was set, or it is the superadmins'."""
        known = self.answer(USER_LEVEL)
        return "" if known == self.superadmin_level else known

    @property
    def superadmin_level(self) -> str:
        """Docebo's own word for the level of superadmins, "" where none was set."""
        return self.answer(SUPERADMIN_LEVEL)

    @property
    def gives_passwords(self) -> bool:
        return self.answer(NEW_PASSWORD) == NewPassword.RANDOM

    @property
    def wants_rows_alike(self) -> bool:
        return self.answer(ROW_COLUMNS) == RowColumns.ALIKE

    @property
    def answers_refused_alone(self) -> bool:
        return self.answer(ROW_ANSWERS) == RowAnswers.REFUSED

    @property
    def pages(self) -> frozenset[Pages]:
        """In which ways pages differ from those that are asked for by number."""
        return frozenset(map(Pages, {*Pages} & {*self.answer(PAGES).split(", ")})) - {Pages.NUMBER}

    @property
    def language_form(self) -> LanguageForm:
        known = self.answer(LANGUAGE_FORM)
        return LanguageForm(known) if known in set(LanguageForm) else LanguageForm.CODE

    @property
    def proven(self) -> frozenset[str]:
        """The traits of rows that were seen to have the effect they describe: kinds, and attributes that they set."""
        return frozenset(self.answer(PROVEN).split(", ")) - {""}

    @property
    def unknown_options(self) -> frozenset[str]:
        """The options of a batch call that the platform does not know."""
        return frozenset(self.answer(UNKNOWN_OPTIONS).split(", ")) & CAUTIOUS_OPTIONS

    @property
    def option_form(self) -> OptionForm:
        known = self.answer(OPTION_FORM)
        return OptionForm(known) if known in set(OptionForm) else OptionForm.ID

    @property
    def refused_values(self) -> list[str]:
        """Digests of the attribute values for which rows are refused, the newest last."""
        return [one for one in self.answer(REFUSED_VALUES).split(", ") if one]
