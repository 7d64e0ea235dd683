"""The description of the API that a platform serves at `/swagger/manage.json`, in the form of Swagger 2.0."""

from __future__ import annotations

from typing import Any

_PAGED = ("page", "page_size")
_ROW = (
    "username", "user_id", "new_username", "firstname", "lastname", "email", "password", "timezone", "language",
    "date_format", "country", "active", "expiration_date", "level", "is_manager", "branch_code", "branch_name",
)  # fmt: skip
_OPTIONS: dict[str, tuple[str, ...]] = {
    "update_user_info": (),
    "branch_option": ("existing", "do_nothing"),
    "destination_branch": (),
    "force_create_branches": (),
    "change_user_password": (),
    "ignore_password_change_for_existing_users": (),
    "powerUser_option": ("no_association", "assigned_branch", "assigned_branch_descendants"),
    "send_notification_email": (),
    "provisioned_by": (),
}
_QUERIES: dict[str, tuple[str, ...]] = {
    "GET /manage/v1/user": (
        *_PAGED, "search_text", "match_type", "sort_attr", "sort_dir", "get_total_count", "branch_id", "selection_status",
        "pending",
    ),
    "GET /manage/v1/user_fields": (*_PAGED, "as_array", "lang"),
    "GET /manage/v1/managers": (*_PAGED, "as_array"),
    "GET /manage/v1/managers/candidates": (*_PAGED, "search_text"),
    "GET /manage/v1/managers/{id}/subordinates": _PAGED,
    "GET /manage/v1/orgchart": (*_PAGED, "node_id", "flattened", "search_text"),
}  # fmt: skip
_BODIES: dict[str, tuple[str, ...]] = {
    "PUT /manage/v1/user/move_to_branch": ("branch_ids", "user_ids"),
    "PUT /manage/v1/user/change_status": ("user_ids", "status"),
    "POST /manage/v1/user_fields": ("type", "translations", "mandatory", "invisible_to_user"),
}


def importer_columns(lacking: str) -> dict[str, str]:
    """Return the columns of the importer with their labels, without those that are *lacking*."""
    left_out = frozenset(part.strip() for part in lacking.split(","))
    return {name: name.replace("_", " ").capitalize() for name in _ROW if name not in left_out}


def describe(calls: list[str], lacking: str) -> dict[str, Any]:
    """Return the description of *calls*, like "GET /manage/v1/user", without what is *lacking*: calls or names."""
    left_out = frozenset(part.strip() for part in lacking.split(",") if part.strip())
    paths: dict[str, Any] = {}
    for call in calls:
        if call in left_out:
            continue
        verb, path = call.split(" ")
        parameters: list[dict[str, Any]] = [
            {"name": name, "in": "query", "type": "string"} for name in _QUERIES.get(call, ()) if name not in left_out
        ]
        if schema := _schema(call, left_out):
            parameters.append({"name": "body", "in": "body", "schema": schema})
        paths.setdefault(path, {})[verb.lower()] = {"parameters": parameters}
    return {"swagger": "2.0", "basePath": "/", "paths": paths}


def _schema(call: str, left_out: frozenset[str]) -> dict[str, Any] | None:
    if call == "POST /manage/v1/user/batch":
        row = _object(dict.fromkeys(_ROW, ()), left_out)
        return {"properties": {"items": {"type": "array", "items": row}, "options": _object(_OPTIONS, left_out)}}
    names = _BODIES.get(call)
    return _object(dict.fromkeys(names, ()), left_out) if names else None


def _object(names: dict[str, tuple[str, ...]], left_out: frozenset[str]) -> dict[str, Any]:
    properties = {}
    for name, words in names.items():
        if name not in left_out:
            kept = [word for word in words if word not in left_out]
            properties[name] = {"type": "string", "enum": kept} if words else {}
    return {"type": "object", "properties": properties}
