"""Docebo's calls on additional fields, and on the columns that its importer takes."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from sandbox.docebo.attributes import Field
from sandbox.docebo.calls import ApiError
from sandbox.docebo.description import importer_columns
from sandbox.docebo.listing import page_of
from sandbox.docebo.platform import Platform


class FieldCalls:
    """What `/manage/v1/user_fields` does."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform

    async def list_(self, request: Request, _body: dict[str, Any]) -> Any:
        fields = list(self.platform.fields.values())
        if request.query_params.get("as_array") == "1":
            entries = [{**self._item(f), "options": described(f, self.platform)["options"]} for f in fields]
            if not self.platform.switches.arrays_paged:
                return entries
            return page_of(entries, request.query_params, self.platform)["items"]
        return page_of([self._item(field) for field in fields], request.query_params, self.platform)

    async def view(self, request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        field_id = request.path_params["id"]
        if not field_id.isdigit() or int(field_id) not in self.platform.fields:
            raise ApiError(404, "Additional field not found")
        field = self.platform.fields[int(field_id)]
        options = [
            {"option_id": number, "translations": {"english": label}}
            for number, label in self.platform.options_of(field).items()
        ]
        return {"type": field.type, "translations": {"english": field.title}, "dropdown_options": options}

    async def create(self, _request: Request, body: dict[str, Any]) -> dict[str, Any]:
        translations = body.get("translations") or {}
        if not translations or not body.get("type"):
            raise ApiError(400, "type and translations are required")
        title = translations.get("all") or translations.get(self.platform.switches.platform_language)
        if not title:
            raise ApiError(400, "The title in the platform's language is required")
        field = self.platform.add_field(
            title,
            str(body["type"]),
            mandatory=str(body.get("mandatory", 0)) == "1",
            invisible_to_user=str(body.get("invisible_to_user", 0)) == "1",
        )
        return {"user_field_id": field.id}

    async def importer_fields(self, _request: Request, _body: dict[str, Any]) -> dict[str, Any]:
        return {"fields": importer_columns(self.platform.switches.description_lacks)}

    def _item(self, field: Field) -> dict[str, Any]:
        shown = described(field, self.platform)
        keys = {"id": ("id",), "id_field": ("id_field",), "both": ("id", "id_field")}
        item = {key: self.platform.shown_number(field.id) for key in keys[self.platform.switches.field_id_key]}
        return {**item, "title": field.title, "type": field.type, "sequence": field.id} | {
            key: str(shown[key]) for key in ("mandatory", "invisible_to_user")
        }


def described(field: Field, platform: Platform) -> dict[str, Any]:
    """Return *field* as answers on a user, and lists of fields with options, show it."""
    return {
        "id": field.id,
        "title": field.title,
        "type": field.type,
        "mandatory": int(field.mandatory),
        "invisible_to_user": int(field.invisible_to_user),
        "options": [{"id": number, "label": label} for number, label in platform.options_of(field).items()],
    }
