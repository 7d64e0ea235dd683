"""Switches for what is not publicly known about Docebo: a client must work with every setting."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

ALL_GRANTS = "client_credentials,password,refresh_token,jwt-bearer"


@dataclass(frozen=True)
class Switches:
    """One field per open question, with the likelier answer as its default.

    A text switch takes only the values its comment names. Zero turns a number off.
    """

    string_ids: bool = True  # ids and flags as strings
    row_index_base: int = 0  # of batch answers: 0 or 1
    validation_style: str = "soft"  # soft: 200 with success false | hard: 400
    email_as_username: bool = False  # the platform's "use email as username"
    message_as_string: bool = False  # error bodies carry one text, not a list
    not_found_as_400: bool = False
    limit_body: str = "json"  # of a 429: json | text | empty
    retry_after: int = 0  # seconds sent with a 429
    unavailable_body: str = "html"  # of a 503: html | json | empty
    hourly_limit: int = 0  # calls per client address; the documented number is 1000
    max_batch_rows: int = 100
    batch_too_large: str = "400"  # the status of a batch of more rows: 400 | 413 | 503
    strict_options: bool = False  # batch: every documented option is required, not only branch_option
    concurrent_batch: str = "serialise"  # two batches at once: serialise | 409 | 429 (each counts as a violation)
    batch_language: str = "any"  # the form batch rows take: any | code | name
    session_languages: bool = True  # the session's answer lists the platform's languages
    option_form: str = "id"  # how batch rows take options of dropdowns, yes and no: id (1, 2) | label (yes, no)
    unset_as_zero: bool = False  # yes or no that is not set is shown as 0, and as nothing otherwise
    country_options: bool = True  # a field of type country shows its countries; else they are known to the form alone
    listed_language: str = "code"  # what a listing shows as lang_code: code | name
    first_page: int = 1  # the number of the first page: 1 or 0
    more_announced: str = "right"  # what pages say of whether there are more: right | always | never
    pages_by_cursor: bool = False  # a page after the first is given only with the cursor of the one before
    counted_more: int = 0  # accounts that a listing counts, and does not show
    arrays_paged: bool = True  # a listing without an envelope comes in pages, too
    lists_keyed: bool = False  # lists of objects come as objects whose keys are the places, as PHP may send an array
    slash_in_usernames: bool = False  # user names are shown with a slash before them, as Docebo's database has them
    sanitise_names: bool = True  # what stands in angle brackets is cut from names
    fuzzy_full: bool = False  # match_type=full returns a row too many
    page_size_over_limit: str = "clamp"  # above 200: clamp | reject
    grants: str = ALL_GRANTS  # the app's enabled grant types
    scope_refused: bool = False  # a token request that names a scope is refused
    superadmin: bool = True  # the app's own token is a superadmin's
    session_level: str = ""  # the session's word for the level of our account; "" for Docebo's usual one
    user_level: str = ""  # the word for the level of a plain user; "" for Docebo's usual one
    platform_language: str = "english"  # of which a new field's title is required, unless it is given for all
    token_lifetime: int = 3600  # seconds promised
    real_token_lifetime: int = 0  # seconds kept, when shorter than promised
    expires_in_string: bool = False
    token_type: str = "Bearer"  # noqa: S105 - Bearer | bearer
    rotate_refresh_token: bool = True  # refreshing returns a new refresh token
    field_id_key: str = "id"  # of user_fields: id | id_field | both
    status_answer: str = "object"  # of change_status: object | array | ids | rows | silent (says nothing of anybody)
    unknown_options: str = ""  # options for whose names a batch call is refused
    ignored: str = (
        ""  # columns of batch rows, "move", "status" or "branch_id", that are taken without a word, and ignored
    )
    forms_ignored: bool = False  # a language or an option in a form that rows do not have is passed over without a word
    empty_ignored: bool = False  # an empty column of a row leaves the value as it is
    # what becomes of new accounts for which no branch is named: taken | refused | 400 (the call is)
    branchless: str = "taken"
    mandatory_in_rows: bool = False  # the row of a new account is refused without the fields that are mandatory
    # whom a row may make a manager: any | marked (as one) | listed (any; who is not known is passed over)
    managers: str = "any"
    names_required: bool = False  # a row is refused that leaves an account without first or last name
    passwordless: str = "taken"  # what becomes of the row of a new account without a password: taken | refused
    # which columns a batch row has: own | first (those of the first) | all (others' are emptied)
    row_columns: str = "own"
    full_search: str = "addresses"  # what a search for a full text looks at, beside user names: addresses | names
    # of all rows, as an array or with their places as keys, without ids and names, or of those that failed:
    # array | object | bare | failed
    batch_answer: str = "array"
    without_user: str = ""  # the session's answer where the token has no user: empty | 401 | 403; "" where it has one
    updates_also: str = ""  # what else the update of a row changes: force_change | branches | status
    columns_listed: bool = False  # the list of users shows country and format of dates
    branches_shown: bool = False  # the view of one account shows its branches
    level_viewed: bool = True  # the view of one account shows its level
    searches_behind: int = 0  # searches that do not find an account yet that was made by a row
    description_lacks: str = ""  # calls ("PUT /manage/v1/...") and names that the platform's own description leaves out
    slack_service_listed: bool = False  # microservices list an app called slack


CHOICES = {
    "validation_style": ("soft", "hard"),
    "limit_body": ("json", "text", "empty"),
    "unavailable_body": ("html", "json", "empty"),
    "concurrent_batch": ("serialise", "409", "429"),
    "batch_too_large": ("400", "413", "503"),
    "batch_language": ("any", "code", "name"),
    "option_form": ("id", "label"),
    "listed_language": ("code", "name"),
    "page_size_over_limit": ("clamp", "reject"),
    "more_announced": ("right", "always", "never"),
    "token_type": ("Bearer", "bearer"),
    "branchless": ("taken", "refused", "400"),
    "passwordless": ("taken", "refused"),
    "managers": ("any", "marked", "listed"),
    "row_columns": ("own", "first", "all"),
    "full_search": ("addresses", "names"),
    "batch_answer": ("array", "object", "bare", "failed"),
    "without_user": ("", "empty", "401", "403"),
    "updates_also": ("", "force_change", "branches", "status"),
    "status_answer": ("object", "array", "ids", "rows", "silent"),
    "field_id_key": ("id", "id_field", "both"),
}
_TYPES = get_type_hints(Switches)
_WORDS = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


def switched(switches: Switches, settings: dict[str, Any]) -> Switches:
    """Return *switches* with *settings*, given as values or as text; raise ValueError for an invalid setting."""
    values: dict[str, Any] = {}
    for given_name, value in settings.items():
        name = given_name.lower().replace("-", "_")
        if name not in _TYPES:
            raise ValueError(f"unknown switch {given_name!r}; there are {', '.join(f.name for f in fields(Switches))}")
        values[name] = _read(name, value)
    return replace(switches, **values)


def _read(name: str, value: Any) -> bool | int | str:
    if _TYPES[name] is bool:
        if str(value).lower() not in _WORDS:
            raise ValueError(f"{name} is on or off, not {value!r}")
        return _WORDS[str(value).lower()]
    if _TYPES[name] is int:
        return int(value)
    if name in CHOICES and str(value) not in CHOICES[name]:
        raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}, not {value!r}")
    return str(value)
