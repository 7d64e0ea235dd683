"""Comparing two plans: for whom they differ, and in what."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from slack_docebo.domain.operations import Kind
from slack_docebo.engine.reporting.outcomes import everybody
from slack_docebo.errors import PlanNotApplicable
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

NOT_THERE = "not in the plan"


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """One person for whom two plans differ; *kinds* and *reasons* are pairs: of the first plan, of the second."""

    slack_id: str
    kinds: tuple[str, str]
    reasons: tuple[str, str]
    attributes: tuple[str, ...]  # whose new values differ, by name


def compare(store: Store, one: str, other: str) -> Iterator[PlanDifference]:
    """Yield each person for whom the plans *one* and *other* differ, in the order of Slack ids.

    Raises PlanNotApplicable if either does not exist or they are for different workspaces.
    """
    with store.reading() as tables:
        headers = tables.plans.read(one), tables.plans.read(other)
        if len({header.slack_team for header in headers}) > 1:
            raise PlanNotApplicable(f"plans {one} and {other} are for different workspaces")
        before, after = (_by_person(tables, header) for header in headers)
    for slack_id in sorted(before.keys() | after.keys()):
        first, second = before.get(slack_id, []), after.get(slack_id, [])
        if first != second:
            yield _difference(slack_id, first, second)


def _by_person(tables: Tables, plan: Plan) -> dict[str, list[tuple[Kind, str, dict[str, object]]]]:
    found: dict[str, list[tuple[Kind, str, dict[str, object]]]] = defaultdict(list)
    for entry in everybody(tables, plan):
        operation = entry.operation
        found[operation.slack_id].append((operation.kind, operation.reason, dict(operation.changes)))
    return found


def _difference(
    slack_id: str,
    first: list[tuple[Kind, str, dict[str, object]]],
    second: list[tuple[Kind, str, dict[str, object]]],
) -> PlanDifference:
    changes = [{name: value for _, _, changed in some for name, value in changed.items()} for some in (first, second)]
    names = dict.fromkeys([*changes[0], *changes[1]])
    return PlanDifference(
        slack_id,
        kinds=_pair([kind for kind, _, _ in first], [kind for kind, _, _ in second]),
        reasons=_pair([reason for _, reason, _ in first], [reason for _, reason, _ in second]),
        attributes=tuple(name for name in names if changes[0].get(name) != changes[1].get(name)),
    )


def _pair(first: list[str], second: list[str]) -> tuple[str, str]:
    return " + ".join(first) or NOT_THERE, " + ".join(second) or NOT_THERE
