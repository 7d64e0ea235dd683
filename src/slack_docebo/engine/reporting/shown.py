"""How people are shown in Prefect's pages: by ids, or by their names as well."""

from collections.abc import Sequence

from slack_docebo.domain.people import PeopleShown
from slack_docebo.storage.names import PersonName
from slack_docebo.storage.tables import Tables

Cell = str | int | None
Cells = dict[str, Cell]
NOT_KEPT = PersonName()
ADDRESS = "e-mail address"
"""The column with the address that a person has in Slack."""


def called(row: Cells) -> str:
    """Return by what the person of a *row* is known: the Slack id and, if it is shown, the name."""
    return f"{row['Slack user']} ({row['name']})" if row.get("name") else str(row["Slack user"])


def with_names(tables: Tables, team: str, rows: Sequence[Cells], shown: PeopleShown) -> list[Cells]:
    """Return *rows*, each with name and address behind its *Slack user* where people are *shown* by their names."""
    if shown is PeopleShown.IDS:
        return list(rows)
    names = tables.names.of(team, [str(row["Slack user"]) for row in rows])
    return [
        {
            "Slack user": row["Slack user"],
            "name": (name := names.get(str(row["Slack user"]), NOT_KEPT)).name,
            ADDRESS: name.email,
            **row,
        }
        for row in rows
    ]
