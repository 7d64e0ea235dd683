"""Sources: what Slack says of a person, each under the name by which a rule reads it."""

import re
from collections.abc import Callable

from slack_docebo.domain.names import clean, split_name
from slack_docebo.domain.people import SourceUser

CUSTOM = "custom:"  # before the label or the id of a custom profile field
SCIM = "scim:"  # before an attribute of Slack's SCIM API
SCIM_SOURCES = tuple(
    f"{SCIM}{name}"
    for name in (
        *("department", "division", "costCenter", "organization", "employeeNumber"),
        *("manager", "userType", "startDate"),
    )
)
OF_LOCALE = frozenset({"language", "locale"})  # sources that Slack's list shows only where it is asked for them
PREFIXES = (CUSTOM, SCIM)  # of sources that have names of their own
_PROFILE_FIELD = re.compile(r"Xf[A-Z0-9]+")  # the id of a custom profile field


def _first_name(user: SourceUser) -> str:
    return _names(user)[0]


def _last_name(user: SourceUser) -> str:
    return _names(user)[1]


def _names(user: SourceUser) -> tuple[str, str]:
    """Take the names as given; Slack leaves `last_name` empty for a one-word name, so one of them is enough."""
    if user.first_name or user.last_name:
        return user.first_name, user.last_name
    return split_name(user.real_name or user.display_name)


def _guest(user: SourceUser) -> str | None:
    if user.guest:
        return "yes"
    return None if "guest" in user.unsaid else "no"


def _language(user: SourceUser) -> str:
    """Reduce Slack's locale ("en-US") to the browser code that Docebo documents ("en"); Brazilian has its own."""
    locale = user.locale.lower()
    return locale if locale == "pt-br" else locale.partition("-")[0]


SOURCES: dict[str, Callable[[SourceUser], str | None]] = {
    "first_name": _first_name,
    "last_name": _last_name,
    "real_name": lambda user: user.real_name,
    "display_name": lambda user: user.display_name,
    "handle": lambda user: user.handle,
    "email": lambda user: None if user.unconfirmed else user.email,
    "title": lambda user: user.title,
    "phone": lambda user: user.phone,
    "pronouns": lambda user: user.pronouns,
    "start_date": lambda user: user.start_date,
    "guest": _guest,
    "time_zone": lambda user: user.time_zone,
    "language": _language,
    "locale": lambda user: user.locale,
    "slack_id": lambda user: user.slack_id,
    "slack_team": lambda user: user.team,
}


def said(user: SourceUser, source: str) -> str | None:
    """Return what Slack says of *user* for *source*; None if it says nothing, which differs from "".

    An address that Slack has not confirmed counts as not said.
    """
    if read := SOURCES.get(source):
        text = read(user)
        text = None if not text and source in user.unsaid else text
    elif source in SCIM_SOURCES:
        text = (user.scim or {}).get(source.removeprefix(SCIM))
    else:
        text = None if label_of(source) else (user.custom or {}).get(source.removeprefix(CUSTOM))
    return None if text is None else clean(text)


UNKNOWN_SOURCE = (
    f"unknown source: allowed are {', '.join((*SOURCES, *SCIM_SOURCES))} and {CUSTOM}<label or id of a profile field>"
)


def is_source(name: str) -> bool:
    """Tell whether *name* is a source that a rule can read."""
    return (
        name in SOURCES or name in SCIM_SOURCES or (name.startswith(CUSTOM) and bool(name.removeprefix(CUSTOM).strip()))
    )


def is_custom(source: str) -> bool:
    """Tell whether *source* is a custom profile field."""
    return source.startswith(CUSTOM)


def label_of(source: str) -> str:
    """Return the label of a custom profile field that is not named by its id; else ""."""
    name = source.removeprefix(CUSTOM)
    return "" if not is_custom(source) or _PROFILE_FIELD.fullmatch(name) else name
