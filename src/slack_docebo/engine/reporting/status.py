"""The status page: what the person who looks after the installation wants to know, and what there is to do."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import quantiles
from zoneinfo import ZoneInfo

from slack_docebo.domain.moments import in_utc, in_zone
from slack_docebo.domain.operations import IN_LINE, IN_LINE_AS_WRITTEN, Kind, Outcome
from slack_docebo.domain.texts import markdown, number_of, shortened
from slack_docebo.engine.reporting.attention import DECIDED
from slack_docebo.engine.reporting.bars import bars
from slack_docebo.engine.reporting.outcomes import DONE
from slack_docebo.engine.reporting.steps import Shown, Step
from slack_docebo.engine.reporting.summary import Summary, summary
from slack_docebo.runtime import Runtime
from slack_docebo.storage.contacts import Contact, Side
from slack_docebo.storage.halts import Halt
from slack_docebo.storage.inbox import InboxStatus
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.plans import AFTER_AN_IMPORT, Plan, PlanKind, PlanState
from slack_docebo.storage.reads import ProvenRead, docebo_source, slack_source
from slack_docebo.storage.setting_changes import RecordedChange

DAYS = 30
CHANGES = 10  # of the settings, on the page
LONGEST_VALUE = 100  # of a setting, on the page
LONGEST_MESSAGE = 300  # of a run, on the page
NAMING_PEOPLE = {
    "NOTIFICATION_MAIL_ID",
    "SCOPE_INCLUDE",
    "SCOPE_EXCLUDE",
    "PROTECTED_ACCOUNTS",
}  # settings that may name people, whom the page does not name
DAY = timedelta(days=1)
LATE = timedelta(minutes=5)  # after which something keeps a run from beginning
NOT_SCHEDULED = (
    "**not scheduled**: switch the schedule of the deployment *reconcile* on, where it is not meant to be off"
)
LOOK_AT_IT = "look at the last import"
NOWHERE: Mapping[str, str] = {}
CREDENTIALS = {Side.SLACK: "our token", Side.DOCEBO: "our API credentials"}  # as people know them


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A reconciliation that could not go on."""

    ended_at: datetime
    message: str  # of its state, which begins with what there is to do
    link: str  # to its page


@dataclass(frozen=True, slots=True)
class Status:
    """The state of everything at one moment."""

    now: datetime
    docebo: str
    workspace: str  # "" before the first run
    contacts: Mapping[Side, Contact]
    halt: Halt | None
    time_zone: str  # by whose clock the reconciliation begins, and times are told
    frozen_until: date | None  # the last of the days on which nothing is written
    switched_off: bool  # neither accounts nor mappings are written
    remarks: Sequence[str]  # on how the settings are written, which are perhaps not meant so
    slack_read: ProvenRead | None
    docebo_read: ProvenRead | None
    last_import: Summary | None
    everybody_imported_at: datetime | None  # when an import that has looked at everybody came to its end last
    dry_run: Summary | None  # the newest import, if that has only planned, with the settings in force
    over_limit: Sequence[str]  # ids of the newest plans, of an import and of what follows it, that a limit has refused
    mapped: int
    in_line: int
    undecided: Collection[str]  # the Slack ids of those who wait for a decision, but for whom that is acknowledged
    inbox: InboxStatus
    parked_as_acknowledged: int  # events that failed for what somebody has acknowledged
    held: Mapping[str, int]  # events by the incident with which they wait
    seconds: list[float]  # from event to account, of each event of the last day
    calls_left: int
    by_day: Mapping[tuple[date, str], int]  # people
    setting_changes: list[RecordedChange]  # the newest first
    failed_run: FailedRun | None = None  # the last reconciliation, if that has failed

    @property
    def to_do(self) -> list[Step]:
        """What somebody has to do, the most urgent first."""
        return [
            *self._steps_to_write(),
            *self._steps_to_begin(),
            *self._steps_over_limits(),
            *self._steps_about_people(),
            *self._steps_after_import(),
        ]

    def _steps_to_write(self) -> Iterator[Step]:
        """Yield what keeps every run from writing."""
        if self.halt:
            when = f"Nothing is written: {self.halt.by_clock(self.time_zone)}. Let runs write again when it is time."
            yield Step(when, "go")
        for side, contact in self.contacts.items():
            if contact.asked_at and contact.is_broken:
                yield Step(
                    f"{side.capitalize()} did not take {CREDENTIALS[side]}, or did not answer, at"
                    f" {self._moment(contact.asked_at)}: see why, and what to do.",
                    "doctor",
                )

    def _steps_to_begin(self) -> Iterator[Step]:
        """Yield what there is to do before the first import, and what in the settings is perhaps not meant."""
        if self.switched_off:
            off = "Provisioning and mapping are switched off, so nobody would be created, updated or mapped: switch them on."
            yield Step(off, "settings")
        elif self.last_import is None and self.dry_run:
            plan_id = self.dry_run.plan.id
            saved = f"Nobody was imported yet: look at plan {plan_id}, and apply it if it is right."
            yield Step(saved, "bulk-import", {"plan_id": plan_id})
        elif self.last_import is None and not self.over_limit:
            yield Step("Nobody was imported yet: see what an import would do, and to whom.", "bulk-import")
        for remark in self.remarks:
            yield Step(f"{remark}: say true or false.", "settings")

    def _steps_over_limits(self) -> Iterator[Step]:
        """Yield what waits for somebody who lets it exceed a limit."""
        for plan_id in self.over_limit:
            refused = f"A limit has refused plan {plan_id}: look at it, and apply it if it is right."
            yield Step(refused, "bulk-import", {"plan_id": plan_id})
        for incident, count in self.held.items():
            yield Step(
                f"{_events(count)} held back by a limit, as incident {incident}: look at the plan, and let it through if"
                " it is right.",
                "realtime-sync",
                {"let_through": incident, "linger_seconds": 0},
            )

    def _steps_about_people(self) -> Iterator[Step]:
        """Yield the steps about events that are parked, and about people who wait for a decision."""
        if parked := self.inbox.parked - sum(self.held.values()) - self.parked_as_acknowledged:
            look = f"{_events(parked)} parked: look at why, and replay {'it' if parked == 1 else 'them'}."
            yield Step(look, "parked-events", {"action": "replay", "everything": not self.held})
        if self.undecided:
            look = f"{LOOK_AT_IT}, and " if self.last_import else ""  # a refused one has told of them, too
            waiting = f"{_people(len(self.undecided))} waiting for somebody's decision: {look}decide."
            yield Step(waiting, "decide", {"slack_ids": sorted(self.undecided)[:DECIDED]})

    def _steps_after_import(self) -> Iterator[Step]:
        """Yield what the last import has not done."""
        if self.last_import is None:
            return
        if failed := self.last_import.failed:
            again = f"{failed} failed in the last import: {LOOK_AT_IT}, correct what it says, and import again."
            yield Step(again, "bulk-import")
        if rest := self.last_import.rest:
            became, left = (
                ("ended early", "it") if self.last_import.rest_is_all else ("was applied in part", "the rest")
            )
            others = f"Plan {rest} {became}: {LOOK_AT_IT} and, if it is right, apply {left}."
            yield self.last_import.rest_step(others)

    @property
    def line(self) -> str:
        """One line without a name in it."""
        count = len(self.to_do) + len(self._failed())
        return f"{count} to do" if count else "nothing to do"

    def page(
        self,
        *,
        next_import: datetime | None,
        summaries: Mapping[str, str] = NOWHERE,
        runs_to_look_at: str = "",
        forms: Mapping[str, str],
        shown: Shown,
    ) -> str:
        """Return the page as Markdown; *forms* are links by what they are for, and each step is *shown* with its own.

        *summaries* are links to those that are known of `plans_told_of`, by their ids; *runs_to_look_at* is one to the
        runs that ended red.
        """
        rows = {
            "Slack": self._connection(Side.SLACK, self.workspace or "a workspace that is not known yet"),
            "Docebo": self._connection(Side.DOCEBO, self.docebo),
            "Writing to Docebo": self._writing(),
            "Last complete read of Slack": self._read(self.slack_read, "people"),
            "Last complete read of Docebo": self._read(self.docebo_read, "accounts"),
            "Last import": _told(self.last_import, summaries),
            **({"Last dry run": _told(self.dry_run, summaries)} if self.dry_run else {}),
            **({"Runs of the last week": f"[those to look at]({runs_to_look_at})"} if runs_to_look_at else {}),
            "Next reconciliation": self._next(next_import),
            "People": f"{self._looked_after()}{self.mapped:,} mapped, {self.in_line:,} in line, {len(self.undecided):,} waiting"
            " for a decision",
            "Events": f"{self.inbox.waiting:,} waiting, {self._parked()}",
            "From event to account, last day": self._times(),
            "Calls to Docebo that may be made at once": f"{self.calls_left:,}",
        }
        today = self.now.astimezone(ZoneInfo(self.time_zone)).date()
        days = [today - DAY * back for back in reversed(range(DAYS))]
        return "\n".join(
            [
                "# How things stand",
                "",
                f"As of {self._moment(self.now)}, by the clock of {markdown(self.time_zone)}",
                "",
                "## What there is to do",
                "",
                *(
                    [
                        *self._failed(),
                        *(f"- {shown(step)}{self._beside(step, summaries, shown)}" for step in self.to_do),
                    ]
                    or ["Nothing."]
                ),
                "",
                "## Where we are",
                "",
                "| | |",
                "|---|---|",
                *(f"| {what} | {value} |" for what, value in rows.items()),
                "",
                f"## The last {DAYS} days",
                "",
                bars(days, self.by_day),
                "",
                "## What was changed in the settings",
                "",
                *([self._changed(one) for one in self.setting_changes] or ["Nothing was changed with the form."]),
                "",
                *_forms(forms),
            ]
        )

    def _failed(self) -> list[str]:
        """Say that the last reconciliation has failed, unless everybody was imported since."""
        run, imported_at = self.failed_run, self.everybody_imported_at
        if run is None or (imported_at and imported_at > run.ended_at):
            return []
        told = markdown(f"The last reconciliation failed. {shortened(run.message, LONGEST_MESSAGE)}")
        return [f"- [{told}]({run.link})"]

    def _connection(self, side: Side, name: str) -> str:
        """Say to which workspace and platform we are connected, and when our credentials last worked there."""
        contact = self.contacts[side]
        worked = f"worked last at {self._moment(contact.worked_at)}" if contact.worked_at else "never worked yet"
        failed = f", but not at {self._moment(contact.asked_at)}" if contact.asked_at and contact.is_broken else ""
        return f"{markdown(name)}; {CREDENTIALS[side]}: {worked}{failed}"

    @property
    def plans_told_of(self) -> set[str]:
        """The ids of the plans whose summaries somebody may want to look at."""
        return {*self.over_limit, *(one.plan.id for one in (self.last_import, self.dry_run) if one)}

    def _beside(self, step: Step, summaries: Mapping[str, str], shown: Shown) -> str:
        """Return a link to the plan that *step* says to look at first: its own is to the form."""
        if incident := step.values.get("let_through"):
            return f" See: {shown(Step('the plan', 'bulk-import', {'plan_id': incident}))}"
        if step.flow == "parked-events":
            return f" See: {shown(Step('which, and why', 'parked-events', {'action': 'show'}))}"
        of_last = self.last_import.plan.id if self.last_import and LOOK_AT_IT in step.words else ""
        words, plan = ("the last import", of_last) if of_last else ("the plan", str(step.values.get("plan_id", "")))
        return f" See: [{words}]({summaries[plan]})" if plan in summaries else ""

    def _looked_after(self) -> str:
        """Say how many people the last import has found in scope, or leaving it."""
        return f"{self.last_import.plan.looked_after:,} looked after in the last import, " if self.last_import else ""

    def _writing(self) -> str:
        if self.frozen_until:
            return f"not until the end of {self.frozen_until}, as FREEZE in the settings says"
        if self.halt:
            return markdown(self.halt.by_clock(self.time_zone))
        return "switched off in the settings" if self.switched_off else "allowed"

    def _parked(self) -> str:
        """Say how many events are parked, and of how many of them somebody has said that it may stay so."""
        seen = f", {self.parked_as_acknowledged:,} of them acknowledged" if self.parked_as_acknowledged else ""
        return f"{self.inbox.parked:,} parked{seen}"

    def _times(self) -> str:
        if not self.seconds:
            return "no event"
        if len(self.seconds) == 1:
            return f"{self.seconds[0]:.1f} s, one event"
        parts = quantiles(self.seconds, n=20, method="inclusive")
        return f"half within {parts[9]:.1f} s, 95 % within {parts[18]:.1f} s, of {len(self.seconds):,} events"

    def _changed(self, one: RecordedChange) -> str:
        key, before, after = one.change
        told = f"- {self._moment(one.changed_at)}, {markdown(one.by)}: {markdown(key)}"
        if key in NAMING_PEOPLE:
            return told
        values = [markdown(shortened(value, LONGEST_VALUE)) or "nothing" for value in (before, after)]
        return f"{told} from {values[0]} to {values[1]}"

    def _read(self, read: ProvenRead | None, whom: str) -> str:
        return f"{self._moment(read.proven_at)}, {read.people:,} {whom}" if read else "none yet"

    def _next(self, begins: datetime | None) -> str:
        if begins is None:
            return NOT_SCHEDULED
        due = self._moment(begins)
        return f"**late**: due since {due}; see whether the worker runs" if begins < self.now - LATE else due

    def _moment(self, moment: datetime) -> str:
        return in_zone(moment, self.time_zone)


def page_without_a_run(now: datetime, *, forms: Mapping[str, str], shown: Shown) -> str:
    """Return the page, like `Status.page`, while settings or database let no run begin that could say more.

    The form says why: the words may quote an address in the settings.
    """
    return "\n".join(
        [
            "# How things stand",
            "",
            f"As of {in_utc(now)}",
            "",
            "## What there is to do",
            "",
            f"- {shown(Step('No run can begin: see why, and what to do.', 'doctor'))}",
            "",
            "The first run after that says here again how things stand.",
            "",
            *_forms(forms),
        ]
    )


def _forms(forms: Mapping[str, str]) -> list[str]:
    return ["## Forms", "", *(f"- [{title}]({link})" for title, link in forms.items())]


def status(runtime: Runtime) -> Status:
    """Return how things stand, as the store knows it; no call is made."""
    now, docebo = runtime.now(), runtime.settings.docebo_url
    with runtime.store.reading() as tables:
        link = tables.links.get(docebo)
        team = link.slack_team if link else ""
        imports = [plan for plan in tables.plans.recent(100, PlanKind.BULK_IMPORT) if plan.docebo == docebo]
        imports.sort(key=_ended, reverse=True)  # the rest of a plan comes after its part
        done = next((plan for plan in imports if plan.state in {PlanState.APPLIED, PlanState.PARTLY_APPLIED}), None)
        newest = imports[0] if imports else None
        is_dry_run = newest and newest.state is PlanState.PLANNED and newest.settings == runtime.behaviour.written
        followed = [plan for kind in sorted(AFTER_AN_IMPORT) for plan in tables.plans.recent(1, kind)]
        since = [plan for plan in followed if plan.docebo == docebo and done and plan.created_at >= done.created_at]
        reasons = tables.standings.reasons(docebo, team)
        return Status(
            now=now,
            docebo=docebo,
            workspace=f"{link.slack_team_name} ({team})" if link else "",
            contacts=tables.contacts.last(docebo),
            halt=tables.halts.get(docebo),
            time_zone=runtime.behaviour.time_zone,
            frozen_until=runtime.behaviour.frozen_until(now),
            switched_off=not (runtime.behaviour.provision_slack_user_data or runtime.behaviour.map_slack_user_data),
            remarks=runtime.behaviour.remarks,
            slack_read=tables.reads.last(slack_source(team)),
            docebo_read=tables.reads.last(docebo_source(docebo)),
            last_import=summary(runtime.store, done.id) if done else None,
            everybody_imported_at=tables.milestones.last(docebo, now=now).get(Milestone.IMPORT),
            dry_run=summary(runtime.store, newest.id) if newest and is_dry_run else None,
            over_limit=[plan.id for plan in (*imports[:1], *since) if plan.state is PlanState.REFUSED],
            mapped=tables.mappings(docebo).count(team),
            in_line=sum(reasons[reason] for reason in (IN_LINE, IN_LINE_AS_WRITTEN)),
            undecided=tables.waiting(docebo, team, reasons).keys(),
            inbox=tables.inbox.status(),
            parked_as_acknowledged=tables.parked_as_acknowledged(team),
            held=tables.inbox.incidents(),
            seconds=tables.inbox.seconds_to_apply(now - DAY),
            calls_left=runtime.budget.left(),
            setting_changes=tables.setting_changes.recent(CHANGES),
            by_day=_by_day(tables.journal.people_by_day(docebo, now - DAYS * DAY, runtime.behaviour.time_zone)),
        )


def _ended(plan: Plan) -> datetime:
    return plan.finished_at or plan.created_at


def _by_day(counts: Mapping[tuple[date, Kind, Outcome], int]) -> Counter[tuple[date, str]]:
    people = Counter[tuple[date, str]]()
    for (day, kind, outcome), count in counts.items():
        people[day, "failed" if outcome is Outcome.FAILED else DONE[kind]] += count
    return people


def _told(plan: Summary | None, summaries: Mapping[str, str]) -> str:
    if plan is None:
        return "none yet"
    told, link = markdown(plan.line), summaries.get(plan.plan.id)
    return f"[{told}]({link})" if link else told


def _events(count: int) -> str:
    return f"{number_of('event', count)} {'is' if count == 1 else 'are'}"


def _people(count: int) -> str:
    return "1 person is" if count == 1 else f"{count:,} people are"
