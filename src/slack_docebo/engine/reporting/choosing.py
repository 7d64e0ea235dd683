"""Choosing a plan: those that can be undone, or applied, the newest first."""

from collections.abc import Iterable

from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.operations import Outcome
from slack_docebo.engine.reporting.shown import Cells
from slack_docebo.engine.reporting.summary import MADE_FOR, Summary, summary
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store

OF_A_KIND = 10  # real time makes hundreds a day
KINDS = sorted(set(PlanKind) - {PlanKind.RESET_MAPPINGS})  # which is brought back from its backup


def undoable(store: Store, docebo: str) -> list[Summary]:
    """Return the newest plans of each kind that have done something."""
    return [one for one in _recent(store, docebo) if one.count(outcome=Outcome.APPLIED)]


def applicable(store: Store, docebo: str) -> list[Summary]:
    """Return those of the newest plans of each kind that were saved and can be applied, at least in part."""
    return [one for one in _recent(store, docebo) if one.plan.may_be_parted and one.count(outcome=Outcome.PLANNED)]


def rows(found: Iterable[Summary]) -> list[Cells]:
    """Return the plans as rows of a table, by which somebody knows the one that is meant."""
    return [
        {
            "plan": one.plan.id,
            "made for": MADE_FOR[one.plan.kind],
            "made": in_utc(one.plan.created_at),
            "people": one.people,
        }
        for one in found
    ]


def _recent(store: Store, docebo: str) -> list[Summary]:
    with store.reading() as tables:
        plans = [plan for kind in KINDS for plan in tables.plans.recent(OF_A_KIND, kind) if plan.docebo == docebo]
    newest_first = sorted(plans, key=lambda plan: (plan.created_at, plan.id), reverse=True)
    return [summary(store, plan.id) for plan in newest_first]
