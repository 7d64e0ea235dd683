"""Drafts: plans that are being written, from the first row until they are measured and whole."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from slack_docebo.domain.dialect import MOST_ROWS
from slack_docebo.domain.effects import is_risky
from slack_docebo.domain.guards import Change
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.texts import without_numbers
from slack_docebo.engine.planning.limits import Measure, measure
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import LET_THROUGH, NO_FACTS, Facts, Plan, PlanKind, PlanState, new_plan_id
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


class Draft:
    """A plan that is being written; if it *is_trial*, for settings that are not saved, only the plan is stored."""

    def __init__(
        self,
        runtime: Runtime,
        workspace: Workspace,
        kind: PlanKind,
        *,
        tells_changes_only: bool,
        is_trial: bool,
    ) -> None:
        self.docebo = runtime.settings.docebo_url
        self.team = workspace.team
        self._store = runtime.store
        self._begun = runtime.now()
        self.plan_id = open_plan(runtime, workspace, kind)
        self.left_as_before = Counter[str]()  # by reason, without the ids in it
        self.risky = 0  # risky operations: Docebo may have to be asked for the account right before
        self.planned = 0
        self.not_planned = set[str]()  # Slack ids of people for whom planning has failed
        self.is_trial = is_trial
        self._tells_changes_only = tells_changes_only
        self._rows = 0

    @property
    def state(self) -> tuple[int, Counter[str]]:
        """The counts so far, so that they can be restored if a transaction fails."""
        return self._rows, self.left_as_before.copy()

    @state.setter
    def state(self, before: tuple[int, Counter[str]]) -> None:
        self._rows, self.left_as_before = before

    def add(self, tables: Tables, operations: Sequence[Operation]) -> None:
        """Store *operations*; those that leave somebody alone for the same reason as before are only counted."""
        news = operations
        if self._tells_changes_only:
            left = [operation.slack_id for operation in operations if operation.kind is Kind.LEAVE]
            # A standing that real time has begun since the plan was begun is news: the person gets a row.
            known = tables.standings.of(self.docebo, self.team, left, begun_by=self._begun)
            news = []
            for operation in operations:
                standing = known.get(operation.slack_id)
                if standing and standing.covers(operation):
                    self.left_as_before[without_numbers(standing.reason)] += 1
                else:
                    news.append(operation)
        self.risky += sum(map(is_risky, news))
        tables.operations.add(self.plan_id, self._rows, news)
        self._rows += len(news)

    def operations(self, kind: Kind) -> "StoredOperations":
        """Return the operations of this *kind* that were added so far."""
        return StoredOperations(self._store, self.plan_id, kind)

    def withdraw(self, tables: Tables, slack_ids: Collection[str]) -> None:
        """Delete the operations of these people, and take them out of the counts."""
        counted = set(slack_ids) - tables.operations.withdraw(self.plan_id, slack_ids)
        known = tables.standings.of(self.docebo, self.team, counted, begun_by=self._begun)
        self.left_as_before -= Counter(without_numbers(standing.reason) for standing in known.values())


@dataclass(frozen=True, slots=True)
class StoredOperations:
    """The operations of one kind that a draft holds so far, page by page; each pass over them reads them anew."""

    store: Store
    plan_id: str
    kind: Kind

    def __iter__(self) -> Iterator[list[Operation]]:
        after = -1
        while True:
            with self.store.reading() as tables:
                page = tables.operations.pending(self.plan_id, self.kind, MOST_ROWS, after=after)
            if not page:
                return
            yield [operation for _, operation in page]
            after = page[-1][0]


def open_plan(runtime: Runtime, workspace: Workspace, kind: PlanKind) -> str:
    """Store the header of a plan that is not whole yet, and return its id."""
    plan = new_plan(runtime, workspace, kind, PlanState.PLANNING)
    with runtime.store.transaction() as tables:
        tables.plans.create(plan)
    return plan.id


def new_plan(runtime: Runtime, workspace: Workspace, kind: PlanKind, state: PlanState) -> Plan:
    """Return the header of a plan that this run makes now, with the settings in force; it is not stored."""
    return Plan(
        id=new_plan_id(),
        kind=kind,
        created_at=runtime.now(),
        flow_run=runtime.run_id,
        docebo=runtime.settings.docebo_url,
        slack_team=workspace.team,
        slack_team_name=workspace.name,
        state=state,
        settings=runtime.behaviour.written,
    )


def close_plan(
    runtime: Runtime, plan_id: str, *, looked_after: int, let_through: Collection[Change] = (), facts: Facts = NO_FACTS
) -> Measure:
    """Mark the plan as whole, and return its size; percentages are of the people *looked_after*.

    Somebody has let the plan exceed the limits for the changes in *let_through*.
    """
    with runtime.store.transaction() as tables:
        measured = measure(runtime, tables, plan_id, looked_after=looked_after)
        told = {"looked_after": looked_after, **measured.facts, **facts}
        if measured.over and not measured.refused(let_through):
            told[LET_THROUGH] = True
        tables.plans.set_state(plan_id, PlanState.PLANNED, facts=told)
    return measured
