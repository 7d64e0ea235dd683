"""The mirror: the mapping written into additional fields of the Docebo user, where administrators and reports see it."""

from collections.abc import Mapping as MappingType
from dataclasses import dataclass

from slack_docebo.domain.formulas import OneSource
from slack_docebo.domain.people import Account
from slack_docebo.domain.rules import AttributeRule


@dataclass(frozen=True, slots=True)
class Mirror:
    """The mirror of one platform: the ids of its three additional fields."""

    slack_id: int
    slack_name: int
    slack_team: int

    @property
    def field_ids(self) -> tuple[int, int, int]:
        return (self.slack_id, self.slack_name, self.slack_team)

    @property
    def rules(self) -> tuple[AttributeRule, ...]:
        """The rules that fill the fields; they are written together with the other attributes."""
        sources = ("slack_id", "handle", "slack_team")
        formulas = map(OneSource, sources)
        return tuple(AttributeRule(f"field_{i}", one) for i, one in zip(self.field_ids, formulas, strict=True))

    def values(self, account: Account) -> tuple[str, str, str]:
        """Return Slack id, name and workspace as *account* shows them; "" for an empty field."""
        slack_id, slack_name, slack_team = (account.fields.get(field_id, "").strip() for field_id in self.field_ids)
        return slack_id, slack_name, slack_team

    def filled(self, account: Account) -> MappingType[str, str]:
        """Return those of the three fields that are not empty in *account*, by attribute name."""
        values = ((f"field_{field_id}", account.fields.get(field_id, "")) for field_id in self.field_ids)
        return {name: value for name, value in values if value}
