"""Managers: whom we have made the manager of an account, by type, and whom it may have where that is in doubt."""

from collections.abc import Collection
from collections.abc import Mapping as MappingType

from sqlalchemy import Connection, bindparam, delete, select, update

from slack_docebo.domain.managers import IN_DOUBT, may_have
from slack_docebo.storage.platforms import PlatformRepository
from slack_docebo.storage.schema import manager, possible_manager
from slack_docebo.storage.statements import WhereIn, carry_out, insertion_text, rows_in, upsert

DOUBT = WhereIn(
    update(manager).where(manager.c.platform_id == bindparam("platform")).values(manager_id=IN_DOUBT), manager.c.user_id
)
NOTE_POSSIBLE = insertion_text(possible_manager.columns, "(platform_id, user_id, type_id, manager_id) DO NOTHING")
FORGET_POSSIBLE = WhereIn(
    delete(possible_manager).where(
        possible_manager.c.platform_id == bindparam("platform"), possible_manager.c.type_id == bindparam("type")
    ),
    possible_manager.c.user_id,
)


class ManagerRepository:
    """The managers of the accounts of the platform at *docebo*; the caller owns the transaction."""

    def __init__(self, connection: Connection, platforms: PlatformRepository, docebo: str) -> None:
        self._connection = connection
        self._platforms = platforms
        self._docebo = docebo

    def note(self, managers: MappingType[tuple[int, int], int]) -> None:
        """Note the manager that we have written, by account and type; 0 for none."""
        self._set(managers)
        for type_id in {type_id for _, type_id in managers}:
            known = [docebo_id for docebo_id, its_type in managers if its_type == type_id]
            FORGET_POSSIBLE.change(self._connection, known, platform=self._platforms.take(self._docebo), type=type_id)

    def doubt(self, sent: MappingType[tuple[int, int], int]) -> None:
        """Note that each manager in *sent*, by account and type, may have been written, or the former one kept."""
        before = self.of({docebo_id for docebo_id, _ in sent})
        self._note_possible({key: manager_id for key, manager_id in before.items() if key in sent})
        self._note_possible(sent)
        self._set(dict.fromkeys(sent, IN_DOUBT))

    def doubt_all_of(self, docebo_ids: Collection[int]) -> None:
        """Note that all managers of these accounts are in doubt."""
        self._note_possible(self.of(docebo_ids))
        DOUBT.change(self._connection, docebo_ids, platform=self._platforms.take(self._docebo))

    def of(self, docebo_ids: Collection[int]) -> dict[tuple[int, int], int]:
        """Return the manager that we have written for these accounts, by account and type.

        The manager is 0 where we have removed it, and IN_DOUBT where nobody knows.
        """
        query = select(manager.c.user_id, manager.c.type_id, manager.c.manager_id).where(
            manager.c.platform_id == self._platforms.find(self._docebo)
        )
        rows = rows_in(self._connection, query, manager.c.user_id, docebo_ids)
        return {(row.user_id, row.type_id): row.manager_id for row in rows}

    def of_type(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, int]:
        """Return the managers of one type like `of`, by account: of all accounts, or of these."""
        query = select(manager.c.user_id, manager.c.manager_id).where(
            manager.c.platform_id == self._platforms.find(self._docebo), manager.c.type_id == type_id
        )
        return {row.user_id: row.manager_id for row in rows_in(self._connection, query, manager.c.user_id, docebo_ids)}

    def may_have_as(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, Collection[int]]:
        """Return the managers of one type that accounts may have by what we have written: all accounts, or these."""
        return may_have(self.of_type(type_id, docebo_ids), self.in_doubt_as(type_id, docebo_ids))

    def in_doubt_as(self, type_id: int, docebo_ids: Collection[int] | None = None) -> dict[int, list[int]]:
        """Return the managers of one type that each account in doubt may have: all accounts, or these."""
        query = select(possible_manager.c.user_id, possible_manager.c.manager_id).where(
            possible_manager.c.platform_id == self._platforms.find(self._docebo), possible_manager.c.type_id == type_id
        )
        in_doubt: dict[int, list[int]] = {}
        for row in rows_in(
            self._connection, query.order_by(possible_manager.c.manager_id), possible_manager.c.user_id, docebo_ids
        ):
            in_doubt.setdefault(row.user_id, []).append(row.manager_id)
        return in_doubt

    def _note_possible(self, managers: MappingType[tuple[int, int], int]) -> None:
        platform_id = self._platforms.take(self._docebo)
        rows = (
            {"platform_id": platform_id, "user_id": docebo_id, "type_id": type_id, "manager_id": manager_id}
            for (docebo_id, type_id), manager_id in managers.items()
            if manager_id not in {0, IN_DOUBT}
        )
        carry_out(self._connection, NOTE_POSSIBLE, rows)

    def _set(self, managers: MappingType[tuple[int, int], int]) -> None:
        platform_id = self._platforms.take(self._docebo)
        for (docebo_id, type_id), manager_id in managers.items():
            key = {"platform_id": platform_id, "user_id": docebo_id, "type_id": type_id}
            upsert(self._connection, manager, key, {"manager_id": manager_id})
