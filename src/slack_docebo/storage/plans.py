"""Plans: what a run is to do, or did, as a whole."""

import secrets
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from string import digits
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, exists, insert, select, update

from slack_docebo.domain.guards import Change
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.storage.schema import inbox_event, operation, sent
from slack_docebo.storage.schema import plan as plans
from slack_docebo.storage.unfound import PLANS as WITH_UNFOUND

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"  # no i, l, o, u: nothing to misread when typing an id
ID_LENGTH = 8

Facts = MappingType[str, object]
NO_FACTS: Facts = {}
PART_OF = "part_of"  # the fact of a plan for some of the people of another, whose id it is
COVERAGE = (
    "custom_fields_known"  # the fact of a plan: of how many people custom fields are known, and of how many in all
)
READ_SINCE = "read_since"  # the fact of a plan: when the run began that has read its data; one made of events has none
OVER = "over"  # the fact of a plan: the kinds of changes of which it had more than a limit allows, when last measured
LET_THROUGH = "let_through"  # the fact of a plan over a limit that somebody let through by its id, having looked at it

# Made once: a run reads its plan around every call that writes.
GET = select(plans).where(plans.c.id == bindparam("plan"))
CREATE = insert(plans)


class PlanKind(StrEnum):
    """What a plan was made for."""

    BULK_IMPORT = "bulk-import"
    CUSTOM_FIELDS = "custom-fields"  # of those whose custom fields an import has read after its own plan
    MOVES = "moves"  # to other branches, after an import
    MANAGERS = "managers"  # who is whose, after an import
    REALTIME_SYNC = "realtime-sync"
    RESET_MAPPINGS = "reset-mappings"
    UNDO = "undo"


AFTER_AN_IMPORT = frozenset({PlanKind.CUSTOM_FIELDS, PlanKind.MOVES, PlanKind.MANAGERS})  # which is done by then


class PlanState(StrEnum):
    """How far a plan has got."""

    PLANNING = "planning"  # not whole yet: a run that died while planning leaves it so, and it is never applied
    PLANNED = "planned"
    APPLYING = "applying"
    APPLIED = "applied"
    PARTLY_APPLIED = "partly-applied"
    REFUSED = "refused"  # larger than the limits allow
    ABANDONED = "abandoned"


OPEN = frozenset({PlanState.PLANNED, PlanState.REFUSED, PlanState.APPLYING, PlanState.PARTLY_APPLIED})


@dataclass(frozen=True, slots=True)
class Plan:
    """The header of a plan: what it was made for, when, with which settings, and how it ended."""

    id: str
    kind: PlanKind
    created_at: datetime
    docebo: str  # base URL
    slack_team: str
    slack_team_name: str = ""
    flow_run: str = ""
    state: PlanState = PlanState.PLANNED
    settings: Facts = field(default_factory=dict)  # those that shape behaviour; never a secret
    facts: Facts = field(default_factory=dict)  # counts, calls, duration
    finished_at: datetime | None = None

    def check_open(self) -> None:
        """Raise PlanNotApplicable if nothing of it can be carried out any more."""
        if self.state not in OPEN:
            raise PlanNotApplicable(f"plan {self.id} is {self.state}: make a new one with a dry run")

    @property
    def read_since(self) -> datetime | None:
        """When the run began that read the data of the plan; None if the data came in events."""
        begun = self.facts.get(READ_SINCE)
        return datetime.fromisoformat(begun) if isinstance(begun, str) else None

    @property
    def over_limit(self) -> list[str]:
        """The sentences about the limits that the plan exceeded when it was last measured."""
        over = self.facts.get("over_limit")
        return list(over) if isinstance(over, list) else []

    @property
    def over(self) -> frozenset[Change]:
        """The changes of which the plan had more than the limits allow when it was last measured."""
        over = self.facts.get(OVER)
        return frozenset(map(Change, over)) if isinstance(over, list) else frozenset()

    @property
    def may_be_parted(self) -> bool:
        """Whether a part of it may be applied first: nothing of it was begun, and its kind has parts."""
        return self._has_parts and self.state in {PlanState.PLANNED, PlanState.REFUSED}

    @property
    def may_be_gone_on_with(self) -> bool:
        """Whether somebody may apply what is left of it, also by a run that ended early."""
        return self.may_be_parted or (self._has_parts and self.state is PlanState.PARTLY_APPLIED)

    @property
    def _has_parts(self) -> bool:
        return self.kind not in {PlanKind.REALTIME_SYNC, PlanKind.RESET_MAPPINGS}

    @property
    def is_part(self) -> bool:
        """Whether it holds some of the people of another plan."""
        return PART_OF in self.facts

    @property
    def is_let_through(self) -> bool:
        """Whether somebody has let the plan exceed a limit, by giving its id."""
        return self.facts.get(LET_THROUGH) is True

    @property
    def let_through(self) -> frozenset[Change]:
        """The changes in which somebody has let the plan exceed the limits: all, if a former release did not note which."""
        if not self.is_let_through:
            return frozenset()
        return self.over if OVER in self.facts else frozenset(Change)

    @property
    def looked_after(self) -> int:
        """The number of people looked after, of which percentages are taken."""
        people = self.facts.get("looked_after")
        return people if isinstance(people, int) else 0

    @property
    def left_as_before(self) -> dict[str, int]:
        """How many people are left alone for the same reason as before, by reason; they have no row in the plan."""
        counts = self.facts.get("left_as_before")
        return dict(counts) if isinstance(counts, dict) else {}


def new_plan_id() -> str:
    """Return an id short enough to be typed; it begins with a digit, so that it cannot be taken for a word."""
    return secrets.choice(digits) + "".join(secrets.choice(CROCKFORD) for _ in range(ID_LENGTH - 1))


class PlanRepository:
    """The table `plan`; the caller owns the transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def create(self, plan: Plan) -> None:
        row = {
            "id": plan.id,
            "kind": plan.kind.value,
            "created_at": plan.created_at,
            "finished_at": plan.finished_at,
            "flow_run": plan.flow_run,
            "docebo": plan.docebo,
            "slack_team": plan.slack_team,
            "slack_team_name": plan.slack_team_name,
            "state": plan.state.value,
            "settings": dict(plan.settings),
            "facts": dict(plan.facts),
        }
        self._connection.execute(CREATE, row)

    def get(self, plan_id: str) -> Plan | None:
        row = self._connection.execute(GET, {"plan": plan_id}).one_or_none()
        return None if row is None else plan_of(row)

    def read(self, plan_id: str) -> Plan:
        """Return the plan; raise PlanNotApplicable if there is none of that id."""
        if plan := self.get(plan_id):
            return plan
        raise PlanNotApplicable(f"there is no plan {plan_id}: look for its id in the summary of the run that made it")

    def recent(self, limit: int, kind: PlanKind | None = None) -> list[Plan]:
        """Return the newest plans, the newest first."""
        query = select(plans).order_by(plans.c.created_at.desc(), plans.c.id).limit(limit)
        if kind is not None:
            query = query.where(plans.c.kind == kind.value)
        return [plan_of(row) for row in self._connection.execute(query)]

    def last_whole(self, docebo: str, team: str) -> Plan | None:
        """Return the newest plan made from a complete, proven list of the workspace's people, or None."""
        return self._newest_import(docebo, team, plans.c.state != PlanState.PLANNING.value)

    def last_import(self, docebo: str, team: str) -> Plan | None:
        """Return the newest plan for everybody that was carried out, at least in part, or None."""
        done = [PlanState.APPLIED.value, PlanState.PARTLY_APPLIED.value]
        is_whole = plans.c.facts[PART_OF].as_string().is_(None)
        return self._newest_import(docebo, team, plans.c.state.in_(done), is_whole)

    def undos(self) -> list[Plan]:
        """Return the plans that undo something, the oldest first."""
        query = select(plans).where(plans.c.kind == PlanKind.UNDO.value).order_by(plans.c.created_at, plans.c.id)
        return [plan_of(row) for row in self._connection.execute(query)]

    def set_state(
        self, plan_id: str, state: PlanState, *, facts: Facts | None = None, finished_at: datetime | None = None
    ) -> None:
        """Change the state and, if given, replace *facts* and *finished_at*."""
        statement = update(plans).where(plans.c.id == plan_id).values(state=state.value)
        if facts is not None:
            statement = statement.values(facts=dict(facts))
        if finished_at is not None:
            statement = statement.values(finished_at=finished_at)
        if self._connection.execute(statement).rowcount == 0:
            raise PlanNotApplicable(f"plan {plan_id} is no longer in the database: make a new one with a dry run")

    def purge(self, before: datetime, *, limit: int) -> int:
        """Delete the oldest plans, at most *limit*, that were made and last used before *before*; return how many.

        Their operations are deleted with them. The newest plan stays, for its settings serve the command line while
        Prefect is down; so does a plan that holds events back, or that has an unfound account.
        """
        newest = select(plans.c.id).order_by(plans.c.created_at.desc(), plans.c.id).limit(1).scalar_subquery()
        incidents = select(inbox_event.c.incident).where(inbox_event.c.incident != "")
        old = select(plans.c.id).where(plans.c.created_at < before, plans.c.id != newest, plans.c.id.not_in(incidents))
        of_plan = operation.c.plan_id == plans.c.id
        at_work = exists().where(of_plan, operation.c.done_at >= before)
        old = old.where(
            plans.c.id.not_in(WITH_UNFOUND),
            plans.c.id.not_in(select(sent.c.plan_id).where(sent.c.noted_at >= before)),
            ~at_work,
        )
        ids = list(self._connection.scalars(old.order_by(plans.c.created_at).limit(limit)))
        return self._connection.execute(delete(plans).where(plans.c.id.in_(ids))).rowcount

    def _newest_import(self, docebo: str, team: str, *conditions: ColumnElement[bool]) -> Plan | None:
        here = plans.c.docebo == docebo, plans.c.slack_team == team, plans.c.kind == PlanKind.BULK_IMPORT.value
        query = select(plans).where(*here, *conditions).order_by(plans.c.created_at.desc(), plans.c.id).limit(1)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else plan_of(row)


def plan_of(row: Row[Any]) -> Plan:
    """Return the plan that *row* of its table holds."""
    return Plan(
        id=row.id,
        kind=PlanKind(row.kind),
        created_at=row.created_at,
        docebo=row.docebo,
        slack_team=row.slack_team,
        slack_team_name=row.slack_team_name,
        flow_run=row.flow_run,
        state=PlanState(row.state),
        settings=row.settings,
        facts=row.facts,
        finished_at=row.finished_at,
    )
