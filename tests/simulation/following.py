"""Judging undos and the end of a story: is all taken back, or said not to be, and does everybody have what Slack says?"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, select

from sandbox.docebo.accounts import Account
from slack_docebo.clients.slack import source_user
from slack_docebo.domain.operations import Outcome
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.storage.schema import operation
from slack_docebo.storage.store import Store
from tests.simulation.company import Company, Person
from tests.simulation.organisation import DEPARTMENT, MANAGER, TEAM, TEAM_FIELD, branch_of, manager_of, shown
from tests.simulation.placing import is_protected, is_shut_out, scope_of
from tests.simulation.processes import Process
from tests.simulation.promises import Breach, Promise
from tests.simulation.watching import Mapping


class FollowUpJudge:
    """Knows what Slack says of departments, teams and managers, and reads what the store says of plans."""

    def __init__(self, company: Company, store: Store, mapping: Mapping, behaviour: IntegrationSettings) -> None:
        self._company = company
        self._store = store
        self._mapping = mapping
        self._behaviour = behaviour
        self._rules = {rule.target: rule for rule in behaviour.attributes}

    # -- undo --------------------------------------------------------------------------------------------------------

    def undone(self, process: Process, processes: Iterable[Process]) -> Iterator[Breach]:
        """Yield what the undo *process*, which has ended, neither took back nor says that it did not.

        Another one of *processes* may have undone the same and died: what that one took back counts as told by it.
        """
        if not process.undoes or process.is_dead or process.failure:
            return
        undos = {other.plan_id: other for other in processes if other.undoes == process.undoes}
        taken_back = [
            row
            for undo in undos.values()
            for row in self._operations(undo.plan_id)
            if undo is process or row.outcome == Outcome.APPLIED
        ]
        done = self._operations(process.undoes)
        for row in (row for row in done if row.outcome == Outcome.APPLIED and row.slack_id):
            before = {name: value for name, value in row.before.items() if value != row.changes.get(name)}
            told = [back for back in taken_back if back.docebo_id == row.docebo_id]
            if before and not told:
                yield Breach(Promise.UNDONE, f"{process.name} says nothing of account {row.docebo_id}")
            account, by = self._company.account(row.docebo_id), [undos[back.plan_id] for back in told]
            is_done = {back.outcome for back in told} == {Outcome.APPLIED}
            if account is None or not is_done or self._is_touched(row.docebo_id, by):
                continue
            if unlike := [name for name, value in before.items() if shown(account, name) != value]:
                how = f"{by[0].name} has not brought back {', '.join(unlike)} of account {row.docebo_id}"
                yield Breach(Promise.UNDONE, how)

    def _operations(self, plan_id: str) -> list[Row[Any]]:
        with self._store.reading() as tables:
            return list(tables.connection.execute(select(operation).where(operation.c.plan_id == plan_id)))

    def _is_touched(self, account_id: int, undos: Collection[Process]) -> bool:
        """Tell whether anybody else has changed the account since the first of *undos*, which took back its changes, began."""
        company = self._company
        times = [by_hand.get(account_id, 0.0) for by_hand in (company.moved, company.managed, company.corrected)]
        if owned := company.owners.get(account_id):
            times.append(owned.since)
        ours = {undo.name for undo in undos}
        others = (write for write in company.writes if write.account_id == account_id and write.process not in ours)
        return max([*times, *(write.at for write in others)]) > min(undo.begun for undo in undos)

    # -- in the end --------------------------------------------------------------------------------------------------

    def left_behind(self) -> Iterator[Breach]:
        """Yield the people who are still shut out, or whose branch, manager or team is not what Slack says.

        It is called after an import that failed for nobody.
        """
        for person in self._company.people:
            if not self._company.is_other_platform and (account := self._looked_after(person)):
                for name, is_, should_be in self._compared(person, account):
                    if is_ == should_be:
                        continue
                    how = f"account {account.user_id} of person {person.number} has {is_ or 'none'}, not {should_be}"
                    yield Breach(Promise.CAUGHT_UP, f"{name}: {how}")

    def _compared(self, person: Person, account: Account) -> Iterator[tuple[str, object, object]]:
        """Yield name, value in Docebo, and value by Slack of what is compared: not what somebody has set by hand."""
        if any(write.account_id == account.user_id for write in self._company.writes):
            yield "access", not is_shut_out(account, f"{datetime.now(UTC):%Y-%m-%d}"), True
        if not self._company.is_organised:
            return
        branch, team = self._company.branches.get(person.said[DEPARTMENT].now), person.said[TEAM].now
        if "branch" in self._rules and branch and account.user_id not in self._company.moved:
            yield "branch", branch_of(account), branch
        rule = self._rules.get(f"field_{TEAM_FIELD}")
        if rule and (team or rule.clear):
            yield "team", account.fields.get(TEAM_FIELD, ""), team
        manager = self._manager_of(person)
        if "manager" in self._rules and manager and account.user_id not in self._company.managed:
            yield "manager", manager_of(account), manager.user_id

    def _looked_after(self, person: Person) -> Account | None:
        """Return the account of *person* if we surely have to keep it in line."""
        user = source_user(self._company.profile(person))
        account = self._company.account(self._mapping.rows.get(user.slack_id, 0))
        against = scope_of(self._company, self._behaviour).reason_against(user)
        if account is None or against or person.forgotten_at or account.level != "user":
            return None
        is_theirs = self._company.owner_of(account.user_id) is person and account.email == person.address
        return account if is_theirs and not is_protected(account, self._behaviour) else None

    def _manager_of(self, person: Person) -> Account | None:
        """Return the account of the manager whom Slack names; None if *person* is in a circle of managers.

        There is a circle by what Slack says, or by a former manager, who stays if Slack names none.
        """
        line = [person]
        while manager := self._company.person_of(line[-1].said[MANAGER].now):
            if manager in line:
                return None
            line.append(manager)
        is_there = len(line) > 1 and person.said[MANAGER].now == line[1].slack_id
        manager_account = self._looked_after(line[1]) if is_there else None
        return None if manager_account and self._may_report_to(manager_account, person) else manager_account

    def _may_report_to(self, account: Account, person: Person) -> bool:
        """Tell whether *account* reports to *person*, perhaps by way of others, in Docebo, or may have before.

        It may have where somebody has set a manager by hand, which no list shows us.
        """
        above: list[Account] = []
        at: Account | None = account
        while at and at not in above:
            above.append(at)
            at = self._company.account(manager_of(at))
        return any(
            self._company.owner_of(one.user_id) is person or one.user_id in self._company.managed for one in above
        )
