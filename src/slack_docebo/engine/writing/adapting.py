"""Adapting: rows are written in the form that this Docebo accepts, which is found out by trying.

What Docebo says of a refused row is localised and documented nowhere. So a refused row is tried without the attributes
that an account need not have; each of these is then tried by itself, a language or an option in its other form as well.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence

from slack_docebo.domain.attributes import refused_key
from slack_docebo.domain.dialect import (
    CAUTIOUS_OPTIONS,
    LANGUAGE_FORM,
    MOST_VALUES,
    NEW_PASSWORD,
    OPTION_FORM,
    PROVEN,
    REFUSED_VALUES,
    ROW_ANSWERS,
    ROW_COLUMNS,
    ROWS_PER_CALL,
    UNKNOWN_OPTIONS,
    LanguageForm,
    NewPassword,
    OptionForm,
    Question,
    RowAnswers,
    RowColumns,
)
from slack_docebo.domain.operations import Value
from slack_docebo.domain.options import Options
from slack_docebo.domain.proof import proves_creation
from slack_docebo.domain.targets import BRANCH, EXPIRATION, PASSWORD, USERNAME, field_id_of, is_manager
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.runtime import Runtime

TRIED = 3  # refused rows of one kind that a run tries otherwise, before the others are taken to be refused for good
MOST_TAKEN = 5  # usernames that are refused because somebody else has each: where more are, it is for something else
NEEDED = frozenset({"username", "email", "first_name", "last_name", "active", BRANCH})  # nobody lands elsewhere
REFUSED_FORM = "a row that was refused with the other form"
IGNORED_FORM = "an account that did not show the other form"
Attributes = Mapping[str, Value]


class Adapter:
    """How rows are written on this platform; it learns from rows that are refused and accepted."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        known = known_dialect(runtime)
        self._language = known.language_form
        self._options = known.option_form
        self.rows_per_call = known.rows_per_call
        self.unknown_options = known.unknown_options
        self._refused = dict.fromkeys(known.refused_values)  # the newest last
        self.wants_rows_alike = known.wants_rows_alike
        self.takes_own_columns = known.answer(ROW_COLUMNS) == RowColumns.OWN
        self.answers_refused_alone = known.answers_refused_alone  # of the rows of a call
        self._gives_passwords = known.gives_passwords
        # Where somebody was made without one, a refused row is refused for something else.
        self.may_want_passwords = not known.gives_passwords and not proves_creation(known.proven)

    def written(self, attributes: Attributes, *, creates: bool = False) -> dict[str, Value]:
        """Return *attributes* in the form of a row: without refused values, a language in the form that is accepted."""
        missing = self.left_out(attributes, creates=creates)
        row = {name: value for name, value in attributes.items() if name not in missing}
        if branch := row.pop(BRANCH, ""):
            row |= self._branch(str(branch))
        if creates and self._gives_passwords:
            row |= with_password()
        row |= {
            name: self._runtime.managers.usernames[int(value)]
            for name, value in row.items()
            if is_manager(name) and value
        }
        if self._language is LanguageForm.NAME and "language" in row:
            row["language"] = self._by_name(row["language"])
        if self._options is OptionForm.LABEL:
            return row
        return {name: self._option(name, value) or value for name, value in row.items()}

    def left_out(self, attributes: Attributes, *, creates: bool) -> list[str]:
        """Return the attributes that rows leave out; a row that *creates* an account always has a username."""
        return [
            name
            for name, value in attributes.items()
            if (name != USERNAME or not creates)
            and (
                self._has_no_known_name(name, value)
                or self._is_gone(name, value)
                or (self._refused and self._digest(name, value) in self._refused)
            )
        ]

    def refuse(self, *rows: Attributes) -> None:
        """Note that rows are refused for these values of attributes, as digests, for a value may name somebody.

        The next run tries a username again, for whoever had it may have another one by then; unless so many were
        refused that this platform lets nobody's be changed.
        """
        given = dict.fromkeys(self._digest(*one) for attributes in rows for one in attributes.items())
        if not given.keys() <= self._refused.keys():
            self._refused |= given
            usernames = {one for one in self._refused if one.startswith(f"{USERNAME} ")}
            lasting = [one for one in self._refused if one not in usernames or len(usernames) > MOST_TAKEN]
            known = ", ".join(lasting[-MOST_VALUES:])
            self._learn(REFUSED_VALUES, known, "rows that were refused with them and taken without them")

    def forms(self, name: str, value: Value) -> Sequence[Value]:
        """Return the forms in which the attribute may be written, the present one first; to empty it there is one."""
        if not value:
            return [value]
        present = self.written({name: value}).get(name, value)
        others = (value, self._by_name(value)) if name == "language" else (self._option(name, value), value)
        return list(dict.fromkeys(form for form in (present, *others) if form))

    def take(self, name: str, value: Value, form: Value, *, source: str = REFUSED_FORM) -> None:
        """Note that rows are to have *form* for the *value* of the attribute, as *source* showed."""
        if not value:
            return
        if name == "language":
            language = LanguageForm.NAME if form != value else LanguageForm.CODE
            if language is not self._language:
                self._language = language
                self._learn(LANGUAGE_FORM, language, source)
        # A day has one form, which tells nothing of options.
        elif (option := self._option(name, value)) not in {"", value}:
            options = OptionForm.ID if form == option else OptionForm.LABEL
            if options is not self._options:
                self._options = options
                self._learn(OPTION_FORM, options, source)

    def write_otherwise(self, values: Attributes, shown: Iterable[str]) -> bool:
        """Have *values*, which were accepted and are not shown, written in their other form from now on.

        Return False if one of them has no other form, or if the form in which they are written is known: it was learned, or
        an attribute that was written in it was *shown*, by this account or by another one before.
        """
        dialect = known_dialect(self._runtime)
        asked = {self._form_of(name) for name in values}
        known = {self._form_of(name) for name in (*dialect.proven, *shown)}
        forms = {name: self.forms(name, value) for name, value in values.items()}
        if asked & known or asked & dialect.answers.keys() or any(len(those) == 1 for those in forms.values()):
            return False
        for name, those in forms.items():
            self.take(name, values[name], those[1], source=IGNORED_FORM)
        return True

    def give_passwords(self) -> None:
        """Note that rows of new accounts are accepted with a password, and refused without one."""
        self._gives_passwords, self.may_want_passwords = True, False
        self._learn(NEW_PASSWORD, NewPassword.RANDOM, "the row of a new account that was refused without one")

    def note_refused_alone(self) -> None:
        """Note that an answer named only the refused rows of a call, and that the others were carried out."""
        if not self.answers_refused_alone:
            self.answers_refused_alone = True
            self._learn(ROW_ANSWERS, RowAnswers.REFUSED, "a call whose other accounts were as they were sent")

    def note_size(self, rows: int, *, refused: int) -> None:
        """Note that calls of *refused* rows are refused, and calls of *rows* are accepted."""
        if rows < self.rows_per_call:
            self.rows_per_call = rows
            self._learn(ROWS_PER_CALL, str(rows), f"a call of {refused} rows that was refused as a whole")

    def drop_option(self, words: Collection[str]) -> bool:
        """Leave options that are named in the *words* of a refusal out of all calls; return False if none is, or all are.

        The message is localised, the option's name is not. Whatever names all of them, like a page of a gateway, repeats
        the call. Whatever was proven was proven with that option, and is proven again.
        """
        sent = CAUTIOUS_OPTIONS - self.unknown_options
        named = sent.intersection(words)
        if len(named) > 1 and named == sent:
            return False
        if named:
            self.unknown_options |= named
            known = ", ".join(sorted(self.unknown_options))
            self._learn(UNKNOWN_OPTIONS, known, "a call that was refused with the name of the option")
            self._learn(PROVEN, "", "another set of options")
        return bool(named)

    def _has_no_known_name(self, name: str, value: Value) -> bool:
        """Tell whether the value is a language that needs Docebo's own name, which is not known."""
        return self._language is LanguageForm.NAME and name == "language" and not self._by_name(value)

    def _is_gone(self, name: str, value: Value) -> bool:
        """Tell whether the value is an option that the field no longer has, and that would be remembered as refused."""
        return (
            bool(value) and field_id_of(name) in self._runtime.docebo.fields.options and not self._option(name, value)
        )

    def _option(self, name: str, value: Value) -> str:
        options = self._runtime.docebo.fields.options.get(field_id_of(name) or 0)
        return options.id(str(value)) if options else ""

    def _form_of(self, name: str) -> str | None:
        """Return the name of the question in which form values of the attribute are written; None where they have one only."""
        if name == "language":
            return LANGUAGE_FORM.name
        has_options = isinstance(self._runtime.docebo.fields.options.get(field_id_of(name) or 0), Options)
        return OPTION_FORM.name if has_options else None

    def _digest(self, name: str, value: Value) -> str:
        return refused_key(name, value, self._option(name, value))

    def _branch(self, branch_id: str) -> Mapping[str, str]:
        """Return the columns by which a row names the branch, which exists: rows for others are not admitted."""
        branches = self._runtime.org_chart.branches
        return branches.columns[branch_id] if branches else {}

    def _by_name(self, language: Value) -> str:
        return self._runtime.docebo.languages.name(str(language))

    def _learn(self, question: Question, answer: str, source: str) -> None:
        learn(self._runtime, question, answer, source=source)


def with_password() -> dict[str, Value]:
    """Return a column with a random password that nobody knows, with all kinds of characters a platform may require."""
    return {PASSWORD: f"{secrets.token_urlsafe(24)}-aA1"}


def optional(attributes: Attributes, *, creates: bool) -> dict[str, Value]:
    """Return those of *attributes* that a row can do without.

    A changed username is one of them; an expiration date that is taken back is not.
    """
    spared = {
        name: value
        for name, value in attributes.items()
        if name not in NEEDED and not is_manager(name) and (name, value) != (EXPIRATION, "")
    }
    return spared if creates or USERNAME not in attributes else {USERNAME: attributes[USERNAME], **spared}


def needed(attributes: Attributes, *, creates: bool) -> dict[str, Value]:
    """Return those of *attributes* that a row cannot do without."""
    spared = optional(attributes, creates=creates)
    return {name: value for name, value in attributes.items() if name not in spared}
