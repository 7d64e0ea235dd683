"""The tenant's own description of its API, held against what we send.

A tenant describes its API in Swagger 2.0 or OpenAPI 3. What the description leaves out altogether proves nothing; what it
lists, without what we send, is a difference.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

DEEPEST = 8  # schemas in each other
PLACES = ("slackuser", "externalid", "externaluid")  # in addresses of calls, without dashes and underscores


@dataclass(frozen=True, slots=True)
class Use:
    """One call that we make: what we send with it, and what it means if the tenant does not know it."""

    verb: str
    path: str
    sent: frozenset[str]  # names of parameters and of fields at any depth of the body
    without: str  # what cannot be done
    needed: bool = False  # by every run
    words: Mapping[str, frozenset[str]] | None = None  # of a field with a fixed set of values: those that we send

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that we use and the description does not know; *fatal* if no run can work without it."""

    text: str
    fatal: bool = False


PAGED = frozenset({"page", "page_size"})
USES = (
    Use("GET", "/manage/v1/user/session", frozenset(), "no run can tell whose its grant is", needed=True),
    Use(
        "GET",
        "/manage/v1/user",
        PAGED | {"search_text", "match_type", "sort_attr", "sort_dir", "get_total_count", "branch_id", "selection_status"},
        "accounts cannot be listed",
        needed=True,
        words={
            "sort_attr": frozenset({"username"}),
            "sort_dir": frozenset({"asc"}),
            "match_type": frozenset({"full"}),
            "selection_status": frozenset({"1"}),
        },
    ),
    Use("GET", "/manage/v1/user/{}", frozenset(), "nobody can be asked for by the id of the account", needed=True),
    Use(
        "POST",
        "/manage/v1/user/batch",
        frozenset({
            "items", "options", "username", "user_id", "new_username", "firstname", "lastname", "email", "language",
            "timezone", "active", "update_user_info", "branch_option", "destination_branch", "force_create_branches",
            "change_user_password", "ignore_password_change_for_existing_users", "send_notification_email",
            "powerUser_option", "provisioned_by",
        }),
        "accounts cannot be created or changed",
        needed=True,
        words={
            "branch_option": frozenset({"do_nothing", "existing"}),
            "powerUser_option": frozenset({"no_association"}),
        },
    ),
    Use("PUT", "/manage/v1/user/move_to_branch", frozenset({"branch_ids", "user_ids"}), "nobody can be moved to a branch"),
    Use("GET", "/manage/v1/managers", PAGED | {"as_array"}, "managers cannot be written"),
    Use(
        "GET",
        "/manage/v1/managers/{}/subordinates",
        PAGED,
        "a circle of managers, of whom some were set by hand, is not noticed",
    ),
    Use(
        "PUT",
        "/manage/v1/user/change_status",
        frozenset({"user_ids", "status"}),
        "leavers cannot be deactivated",
        words={"status": frozenset({"0", "1"})},
    ),
    Use("GET", "/manage/v1/user_fields", PAGED | {"as_array"}, "additional fields cannot be checked or mirrored"),
    Use("GET", "/manage/v1/user_fields/{}", frozenset(), "options are known by the labels in the list of fields alone"),
    Use(
        "POST",
        "/manage/v1/user_fields",
        frozenset({"type", "translations", "mandatory", "invisible_to_user"}),
        "the fields of the mirror have to be made by hand",
        words={"type": frozenset({"textfield"})},
    ),
    Use("GET", "/manage/v1/orgchart", PAGED | {"flattened"}, "DESTINATION_BRANCH cannot be checked"),
)  # fmt: skip


def uses_with(columns: Collection[str]) -> list[Use]:
    """Return what we use where the rows of a batch have these *columns*, too."""
    return [replace(use, sent=use.sent.union(columns)) if "items" in use.sent else use for use in USES]


def missing_from(description: object, uses: Iterable[Use] = USES) -> list[Difference]:
    """Return what of *uses* the *description* lacks; raise ValueError where it lists no calls at all."""
    known = {_shape(path): item for path, item in _paths(description)}
    if not known:
        raise ValueError("the description lists no calls")
    found: list[Difference] = []
    for use in uses:
        item = known.get(_shape(use.path))
        operation = item.get(use.verb.lower()) if item is not None else None
        if item is None or (not isinstance(operation, dict) and item):
            found.append(Difference(f"there is no {use}: {use.without}", fatal=use.needed))
        elif isinstance(operation, dict):
            found += _of_operation(use, description, [item, operation])
    return found


def places(description: object) -> list[str]:
    """Return the calls of *description* whose address looks like a place for a mapping of Docebo's own."""
    addresses = {path: path.lower().replace("-", "").replace("_", "") for path, _ in _paths(description)}
    return sorted(path for path, plain in addresses.items() if any(word in plain for word in PLACES))


def _of_operation(use: Use, description: object, described: list[Mapping[str, Any]]) -> Iterator[Difference]:
    names: dict[str, set[str]] = {}
    for part in described:
        for parameter in _entries(part.get("parameters")):
            _collect(_resolved(description, parameter), description, names, DEEPEST)
        body = _resolved(description, part.get("requestBody"))
        for medium in (body.get("content") or {}).values():
            _collect(medium, description, names, DEEPEST)
    if not names:
        return
    if unknown := sorted(use.sent - names.keys()):
        yield Difference(f"{use} does not list {', '.join(unknown)}: it may refuse the call or ignore them")
    for name, words in (use.words or {}).items():
        if (allowed := names.get(name)) and not words <= allowed:
            lacking, listed = ", ".join(sorted(words - allowed)), ", ".join(sorted(allowed))
            yield Difference(f"{use} lists {listed} for {name}, not {lacking}: it may refuse the call")


def _collect(schema: Mapping[str, Any], description: object, names: dict[str, set[str]], depth: int) -> None:
    """Add to *names* each parameter and property below *schema*, with its words where they are fixed."""
    if not depth:
        return
    schema = _resolved(description, schema)
    if isinstance(name := schema.get("name"), str) and schema.get("in") != "body":
        inner = schema.get("schema")
        names.setdefault(name, set()).update(_words(schema) or _words(_resolved(description, inner)))
        return
    for name, reference in _mapping(schema.get("properties")).items():
        inner = _resolved(description, reference)
        names.setdefault(name, set()).update(_words(inner))
        _collect(inner, description, names, depth - 1)
    for key in ("schema", "items", "additionalProperties"):
        _collect(_mapping(schema.get(key)), description, names, depth - 1)
    for key in ("allOf", "oneOf", "anyOf"):
        for inner in _entries(schema.get(key)):
            _collect(inner, description, names, depth - 1)


def _paths(description: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the full address of each call and its description."""
    root = _mapping(description)
    base = root.get("basePath")
    for server in _entries(root.get("servers"))[:1]:
        base = urlsplit(str(server.get("url", ""))).path
    prefix = f"/{base.strip('/')}" if isinstance(base, str) and base.strip("/") else ""
    for path, item in _mapping(root.get("paths")).items():
        yield (path if path.startswith(f"{prefix}/") else f"{prefix}/{path.lstrip('/')}"), _mapping(item)


def _shape(path: str) -> str:
    """Return *path* without the names of its parameters, and without a slash at its end."""
    return "/".join("{}" if part.startswith("{") else part for part in path.rstrip("/").split("/"))


def _resolved(description: object, part: object) -> Mapping[str, Any]:
    """Return *part*, or what its `$ref` leads to within *description*; {} for a reference that leads nowhere."""
    found = _mapping(part)
    for _ in range(DEEPEST):
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        target: object = description
        for key in reference.removeprefix("#/").split("/"):
            target = _mapping(target).get(key)
        found = _mapping(target)
    return {}


def _words(schema: Mapping[str, Any]) -> set[str]:
    return {str(word) for word in schema["enum"]} if isinstance(schema.get("enum"), list) else set()


def _mapping(value: object) -> Mapping[str, Any]:
    return {str(key): inner for key, inner in value.items()} if isinstance(value, dict) else {}


def _entries(value: object) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
