"""Proof: whether an account that was just written shows what was sent to it."""

from collections.abc import Iterable, Mapping, Sequence

from slack_docebo.domain.attributes import MARKUP, current_value, is_own_form, letters
from slack_docebo.domain.effects import holds
from slack_docebo.domain.operations import Kind, Operation, Value
from slack_docebo.domain.people import Account, View
from slack_docebo.domain.targets import BRANCH, COLUMNS, USERNAME, is_never_shown

WITH_DEFAULT = ("language", "time_zone", "date_format")  # attributes that a new account has without its row
CREATIONS = frozenset({str(Kind.CREATE), f"{Kind.CREATE} in a branch"})
CREDENTIALS = ("username", "email")
HIDEABLE = frozenset({*COLUMNS, "language"})  # attributes that not every platform shows


def traits(operation: Operation, *, branch: int | None = None) -> frozenset[str]:
    """Return what the row of *operation* proves of a platform if it shows as it was sent.

    These are its kind, its *branch* if it names one, each attribute that it sets, and each that it empties. A language or a
    time zone counts by its value, for a new account has one of its own. A text that is only spelt anew proves nothing, for
    the account may show it as it was.
    """
    creates = operation.kind is Kind.CREATE
    is_placed = branch is not None or BRANCH in operation.changes
    found = {f"{operation.kind} in a branch" if creates and is_placed else str(operation.kind)}
    if not creates and USERNAME in operation.changes:
        found.add("another username")  # a column of its own
    for name, value in operation.changes.items():
        if is_respelt(operation, name):
            continue
        if value == "":
            found.add(f"{name} emptied")
        elif creates and name in WITH_DEFAULT:
            found.add(f"{name} {value}")
        else:
            found.add(name)
    return frozenset(found)


def proven_with(proven: frozenset[str], more: frozenset[str]) -> frozenset[str]:
    """Return *proven* with *more*; a trait that has a default is proven once two of its values were seen."""
    known = proven | more
    for name in WITH_DEFAULT:
        values = {one for one in known if one.startswith(f"{name} ") and one != f"{name} emptied"}
        if name in known or len(values) > 1:
            known = (known - values) | {name}
    return known


def proves_creation(proven: frozenset[str]) -> bool:
    """Tell whether a new account was seen to show what was sent."""
    return any(one in proven for one in CREATIONS)


def still_to_prove(proves: frozenset[str], proven: frozenset[str]) -> frozenset[str]:
    """Return what of the traits that a row *proves* is not *proven*."""
    settled = {name for name in WITH_DEFAULT if name in proven}
    return frozenset(one for one in proves - proven if one.endswith(" emptied") or one.split(" ")[0] not in settled)


def is_respelt(operation: Operation, name: str) -> bool:
    """Tell whether *operation* changes only the spelling of a text: a platform may keep its own form of it."""
    sent, before = operation.changes[name], operation.before.get(name)
    if not (isinstance(sent, str) and isinstance(before, str)):
        return False
    return is_own_form(name, sent, before) and letters(sent) == letters(before)


def is_plain(operation: Operation) -> bool:
    """Tell whether none of the texts holds markup, which a platform may rewrite."""
    return MARKUP.isdisjoint("".join(value for value in operation.changes.values() if isinstance(value, str)))


def not_shown(operation: Operation, seen: Sequence[Account]) -> list[str]:
    """Return the attributes of *operation* that no account *seen* shows, as sent or in Docebo's own form.

    Attributes that `hidden` returns are left out, for they prove nothing, and so are texts that were only respelt.
    """
    return [
        name
        for name, value in operation.changes.items()
        if not is_never_shown(name)
        and not is_respelt(operation, name)
        and name not in hidden(operation, seen)
        and not any(
            holds(account, name, value) or _is_own_form(name, value, account, operation.before.get(name, ""))
            for account in seen
        )
    ]


def hidden(operation: Operation, seen: Sequence[Account]) -> list[str]:
    """Return the attributes that *operation* sets and of which no account in *seen* shows any value.

    Of a language an account may show a text that does not tell which one it is.
    """
    return [
        name for name in operation.changes if name in HIDEABLE and all(current_value(one, name) is None for one in seen)
    ]


def changed_besides(sent: Mapping[str, Value], before: View | None, after: View, *, branch: int | None) -> list[str]:
    """Return what changed although it was not *sent*, compared with *before* or else with a plain user.

    *branch* is where a new or a moved account has to be.
    """
    shown = after.besides.get("branches")
    is_elsewhere = branch is not None and shown is not None and str(branch) not in shown.split(",")
    if before is None:
        wrong = {"level": after.account.administrator, "status": not after.account.active, "branches": is_elsewhere}
        return [name for name, is_wrong in wrong.items() if is_wrong]
    allowed = set(sent) | ({"status"} if "active" in sent else set())
    if allowed.intersection(CREDENTIALS):
        allowed.update(CREDENTIALS)  # a platform whose usernames are addresses changes both
    known = before.besides.keys() & after.besides.keys()
    changed = [name for name in sorted(known - allowed) if before.besides[name] != after.besides[name]]
    if BRANCH in sent:
        changed = [name for name in changed if name != "branches"]
        if is_elsewhere:
            changed.append("branches")
    return changed + [name for name in _names(before.account, after.account) if name not in allowed]


def _names(before: Account, after: Account) -> Iterable[str]:
    """Yield the attributes in which the two accounts differ."""
    names = (*CREDENTIALS, "first_name", "last_name", "language", "time_zone", *COLUMNS)
    fields = (f"field_{number}" for number in sorted(before.fields.keys() & after.fields.keys()))
    for name in (*names, *fields):
        if current_value(before, name) != current_value(after, name):
            yield name


def _is_own_form(name: str, sent: Value, account: Account, before: Value) -> bool:
    """Tell whether *account* shows Docebo's own form of the text that was *sent*, and not the text of *before*."""
    shown = current_value(account, name)
    if not isinstance(sent, str) or shown is None or not is_own_form(name, sent, shown):
        return False
    return not MARKUP.isdisjoint(sent) or letters(shown) != letters(str(before))
