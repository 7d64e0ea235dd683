"""Docebo's endpoints for the additional fields of user accounts."""

from collections.abc import Iterable

from slack_docebo.clients.docebo_answers import refuse_within
from slack_docebo.clients.docebo_requests import DoceboRequests
from slack_docebo.clients.docebo_values import read_id
from slack_docebo.clients.docebo_wire import UserField, translated_options, user_field_of
from slack_docebo.domain.options import YES_OR_NO, Dates, Options, Values
from slack_docebo.errors import AccessDenied, OutcomeUnknown, Rejected

DROPDOWN = "dropdown"  # the type of a field whose values are options, even if the list of fields does not show them
FIXED_VALUES: dict[str, Values] = {"date": Dates(), "yesno": YES_OR_NO}  # by the type of a field


class DoceboFields:
    """Reads the fields and makes new ones; `options` are the values of those of which `read_options` has read them."""

    def __init__(self, requests: DoceboRequests) -> None:
        self._requests = requests
        self.options: dict[int, Values] = {}  # by field, what those can hold that hold no free text

    async def all(self) -> list[UserField]:
        """Return the additional fields of user accounts."""
        return await self._requests.entries(
            "user fields",
            "/manage/v1/user_fields",
            {"as_array": 1},
            read=user_field_of,
            identity=lambda field: field.id,
        )

    async def read_options(self, fields: Iterable[UserField]) -> None:
        """Read the possible values of *fields* that hold no free text, like a dropdown's options in all languages.

        If a platform does not show a field alone, its options have the labels of the list. From then on accounts show
        such a value in the form in which it is compared, like the label for an option's id. Whatever its type is called,
        a field has options where Docebo lists some; one for a country that lists no countries counts as a text: values
        that Docebo refuses are left out.
        """
        for field in fields:
            kind = field.type.lower().replace("_", "")
            if held := FIXED_VALUES.get(kind):
                self.options[field.id] = held
            elif field.options or kind == DROPDOWN:
                self.options[field.id] = Options.of(field.options, await self._translated(field))

    async def _translated(self, field: UserField) -> list[tuple[str, str]]:
        """Return ids and labels of *field*'s options in all languages; none if the platform shows no single field."""
        try:
            return translated_options(await self._requests.get("user field", f"/manage/v1/user_fields/{field.id}"))
        except (Rejected, AccessDenied):
            if not field.options:
                raise
            return []

    async def create_user_field(self, title: str) -> int:
        """Create a text field that users do not see, and return its id."""
        body = {
            "type": "textfield",
            "translations": {"all": title},  # whatever the platform's default language is
            "mandatory": 0,
            "invisible_to_user": 1,
        }
        data = await self._requests.write("create user field", "POST", "/manage/v1/user_fields", body)
        refuse_within("create user field", data)
        field_id = read_id(data.get("user_field_id")) if isinstance(data, dict) else None
        if field_id is None:
            raise OutcomeUnknown("create user field", "the answer holds no id")
        return field_id
