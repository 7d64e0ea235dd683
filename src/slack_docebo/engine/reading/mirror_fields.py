"""The mirror's three fields on a Docebo platform: found by their titles, or made."""

from collections.abc import Sequence

from slack_docebo.clients.docebo_fields import DoceboFields
from slack_docebo.clients.docebo_wire import UserField
from slack_docebo.domain.mirror import Mirror
from slack_docebo.domain.names import as_compared
from slack_docebo.errors import ConfigurationError
from slack_docebo.setting_values import MIRROR_EXAMPLE

ROW = "integration_settings: row SLACK | MIRROR_FIELDS"
TEXT = "textfield"


def find_mirror(fields: Sequence[UserField], titles: Sequence[str]) -> Mirror:
    """Return the mirror whose fields have these *titles*; raise ConfigurationError unless each is one text field."""
    if missing := [title for title in titles if not _with_title(fields, title)]:
        raise ConfigurationError(
            f"{ROW}: Docebo has no additional field {', '.join(missing)}:"
            " make it there as a text field, by the form of mappings/import-export-or-show-mappings, or with"
            " `slack-docebo mappings prepare-mirror`"
        )
    return Mirror(*(_the_one(fields, title) for title in titles))


async def prepare_mirror(
    user_fields: DoceboFields, titles: Sequence[str], *, check_only: bool = False
) -> list[tuple[str, int, bool]]:
    """Make the fields of these *titles* that are missing; return the title and id of each of the three, and whether it was made now.

    With *check_only* none is made: those that would be have the id 0.
    """
    if not titles:
        raise ConfigurationError(f"{ROW} is empty: write the titles of three fields there, like {MIRROR_EXAMPLE}")
    fields = await user_fields.all()
    present = {title: _the_one(fields, title) for title in titles if _with_title(fields, title)}
    missing = [title for title in titles if title not in present]
    made = {title: 0 if check_only else await user_fields.create_user_field(title) for title in missing}
    return [(title, (present | made)[title], title in made) for title in titles]


def _the_one(fields: Sequence[UserField], title: str) -> int:
    found = _with_title(fields, title)
    if len(found) > 1:
        ids = ", ".join(str(field.id) for field in found)
        raise ConfigurationError(f"{ROW}: several additional fields are called {title} ({ids}): rename all but one")
    if found[0].type != TEXT:
        raise ConfigurationError(f"{ROW}: the additional field {title} is a {found[0].type}, it should be a {TEXT}")
    return found[0].id


def _with_title(fields: Sequence[UserField], title: str) -> list[UserField]:
    return [field for field in fields if as_compared(field.title) == as_compared(title)]
