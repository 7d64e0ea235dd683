"""Limits: the changes of a plan, together with recent changes, compared with the limits in the settings."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from slack_docebo.domain.guards import NOBODY, Change, Excess, Limit, exceeded, too_many_accounts
from slack_docebo.domain.stamps import TOLERANCE
from slack_docebo.engine.reading.accounts import last_listing
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import OVER, PlanKind
from slack_docebo.storage.tables import Tables

# What is noted for a later time counts: the clock was ahead then, or is behind now. Later still it was far ahead, and would
# keep everybody waiting for years.
AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Measure:
    """How large a plan is."""

    accounts: int | None  # that Docebo has, as far as is known
    accounts_then: int | None  # and once the plan is applied
    over: Sequence[Excess]  # the limits that it exceeds, which somebody may let it exceed
    beyond: Sequence[Excess]  # those that nobody may

    def refused(self, known: Collection[Change]) -> list[Excess]:
        """Return the limits that forbid the plan: all that it exceeds, except those for the *known* changes.

        Somebody was told of the *known* ones, and has let the plan exceed them.
        """
        return [*self.beyond, *(excess for excess in self.over if excess.change not in known)]

    @property
    def facts(self) -> dict[str, object]:
        """The sizes and exceeded limits, as they are stored with the plan."""
        over = [excess.sentence for excess in (*self.over, *self.beyond)]
        changes = sorted({excess.change.value for excess in self.over})
        return {"accounts": self.accounts, "accounts_then": self.accounts_then, "over_limit": over, OVER: changes}


def measure(runtime: Runtime, tables: Tables, plan_id: str, *, looked_after: int) -> Measure:
    """Return how large the plan is now; percentages are of the people *looked_after*.

    People who were changed by any run within the last LIMIT_WINDOW_HOURS count with those of the plan.
    """
    behaviour, now = runtime.behaviour, runtime.now()
    ends_by = end_of_window(behaviour, now)
    sizes = tables.journal.sizes(plan_id, ends_by)
    limited = {change: people for change, people in sizes.items() if behaviour.limits[change] != Limit()}
    window = timedelta(hours=behaviour.limit_window_hours)
    over = exceeded(
        sizes,
        looked_after,
        behaviour.limits,
        minimum_sample=behaviour.limit_minimum_sample,
        # Not in vain: on the day after a first import that looks at everybody's row, once more for each event.
        before=tables.journal.people_changed(plan_id, limited, since=now - window, until=now + AHEAD, ends_by=ends_by)
        if limited
        else NOBODY,
    )
    accounts, creations = count_accounts(runtime, tables), tables.operations.still_to_create(plan_id)
    return Measure(
        accounts=accounts,
        accounts_then=None if accounts is None else accounts + creations,
        over=over,
        beyond=too_many_accounts(creations, accounts, behaviour.max_accounts),
    )


def end_of_window(behaviour: IntegrationSettings, now: datetime) -> date:
    """Return the last day of the limits' window as of *now*: an account that is to expire by then counts as deactivated.

    It is a day of TIME_ZONE, like the one on which an account expires.
    """
    end = now + timedelta(hours=behaviour.limit_window_hours)
    return end.astimezone(ZoneInfo(behaviour.time_zone)).date()


def over_by_now(runtime: Runtime, tables: Tables, plan_id: str) -> list[str]:
    """Return the limits that a plan at work exceeds by now, because other runs have changed people meanwhile.

    They are stored with the plan, so that somebody who applies it by its id lets it exceed them.
    """
    plan = tables.plans.read(plan_id)
    measured_at = plan.created_at if plan.flow_run == runtime.run_id else runtime.begun
    is_measured = plan.kind is not PlanKind.RESET_MAPPINGS  # for which somebody has confirmed the number
    if not is_measured or not tables.journal.others_at_work(plan_id, measured_at - TOLERANCE):
        return []
    measured = measure(runtime, tables, plan_id, looked_after=plan.looked_after)
    over = [excess.sentence for excess in measured.refused(plan.over if plan.is_let_through else ())]
    if over:
        tables.plans.set_state(plan_id, plan.state, facts={**plan.facts, **measured.facts})
    return over


def count_people(tables: Tables, docebo: str, team: str, *, at_least: int) -> int:
    """Return how many people of the workspace are looked after, as far as is known, also if a plan is about a few."""
    last = tables.plans.last_whole(docebo, team)
    return max(at_least, tables.mappings(docebo).count(team), last.looked_after if last else 0)


def count_accounts(runtime: Runtime, tables: Tables) -> int | None:
    """Return how many accounts Docebo has: those last listed and those created since; None before the first list."""
    listing = last_listing(runtime, tables)
    if listing is None:
        return None
    accounts, listed_at = listing
    return accounts + tables.journal.created_since(runtime.settings.docebo_url, listed_at)
