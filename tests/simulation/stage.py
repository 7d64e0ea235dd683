"""The stage: it plays a story in virtual time, and judges what becomes of it."""

import asyncio
import atexit
import logging
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import slack_docebo.clients.docebo_requests as docebo_requests
import slack_docebo.domain.dialect as dialect
import slack_docebo.engine.realtime.case_reader as case_reader
import slack_docebo.engine.realtime.rounds as realtime
import slack_docebo.engine.realtime.serving as serving
import slack_docebo.engine.writing.applying as applying
import slack_docebo.storage.leases as leases
import slack_docebo.storage.plans as plans
from sandbox.server import Sandbox
from slack_docebo.domain.disputes import seen_on
from slack_docebo.domain.people import Account
from slack_docebo.domain.people import Mapping as MappingRow
from slack_docebo.engine.mappings.forgetting import forget
from slack_docebo.engine.realtime.holding import let_through
from slack_docebo.engine.realtime.parked import ParkedChoice, replay_parked
from slack_docebo.errors import AlreadyRunning, ConfigurationError, NotConfirmed, PlatformMismatch, SyncError
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.settings import Settings
from slack_docebo.storage.events import FINISHED, Event, InboxEntry
from slack_docebo.storage.gate import RunLock
from slack_docebo.storage.plans import PlanKind
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from tests.importing import ON
from tests.memory import folder_in_memory
from tests.quick_stores import quick_stores
from tests.simulation.clock import BEGINNING, virtual_time
from tests.simulation.company import ALWAYS, Company, Person
from tests.simulation.delivery import Delivery
from tests.simulation.judging import Judge
from tests.simulation.models import DOCEBO_PORT, Models
from tests.simulation.organisation import TABLE
from tests.simulation.processes import Database, Process, open_process
from tests.simulation.promises import Breach, Promise
from tests.simulation.runs import LATER_RUNS, NAMED, RUNS, run_named, run_relink, run_relink_to_another
from tests.simulation.story import Step, Story
from tests.simulation.watching import Mapping, Watch
from tests.simulation.wire import caller

PAGE = 3  # people or accounts on a page, so that a small company has several pages
CUSTOMERS = 4  # accounts of people of whom Slack knows nothing
AFTERWARDS = 1800.0  # seconds, from the last step until both sides behave
PATIENCE = 400  # minutes, until everybody should have come to an end
LAST_IMPORTS = 4
A_DAY_LATER = 25 * 3600.0  # seconds, after which days of grace are over, and custom fields are read again
NAMES = ("first_name", "last_name", "email")
PLANNERS = ("import ", "trusting import ", "saved plan ")  # runs that read everybody


@dataclass
class Played:
    """The result of a story."""

    breaches: list[Breach]
    steps: int  # calls and changes
    log: list[str]

    @property
    def broken(self) -> set[Promise]:
        """Return the promises that were broken."""
        return {breach.promise for breach in self.breaches}


def play(story: Story) -> Played:
    """Play the story in virtual time, and judge it by the promises."""
    folder = tempfile.TemporaryDirectory(dir=folder_in_memory())
    with folder as name, _small_and_repeatable(), quick_stores(), virtual_time() as loop:
        stage = Stage(story, Path(name))
        try:
            return loop.run_until_complete(stage.play())
        finally:
            for task in asyncio.all_tasks(loop):
                task.cancel()
            with suppress(BaseException):
                loop.run_until_complete(asyncio.sleep(0))
            stage.close()


def told(story: Story, played: Played) -> str:
    """Return a story and its result in lines that a person can follow."""
    rows = ", ".join(f"{key}={value}" for key, value in story.rows)
    accounts = f"; {', '.join(map(str, story.with_accounts))} have accounts" if story.with_accounts else ""
    breaches = [f"BROKEN  {breach}" for breach in played.breaches]
    return "\n".join([f"{story.size} people, {rows}{accounts}", *played.log, *breaches])


@contextmanager
def _small_and_repeatable() -> Iterator[None]:
    """Make pages and batches small, poll seldom, draw the same each time, and log nothing."""
    replaced = [
        (docebo_requests, "PAGE_SIZE", PAGE),
        (docebo_requests, "SMALL_PAGE", PAGE),
        *((module, "MOST_ROWS", 2) for module in (dialect, applying, realtime, case_reader)),
        (serving, "POLL_SECONDS", 5.0),
        (plans, "secrets", random.Random(0)),
        (leases, "gethostname", lambda: "stage"),
        (leases, "getpid", lambda: 1),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in replaced]
    drawn = random.getstate()
    logging.disable(logging.CRITICAL)
    random.seed(0)  # for the waits of the clients between attempts
    for module, name, value in replaced:
        setattr(module, name, value)
    try:
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)
        random.setstate(drawn)
        logging.disable(logging.NOTSET)


@cache
def _empty_database() -> Path:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name) / "empty.db"
    Store.open(f"sqlite:///{path}").close()
    return path


class Stage:
    """Holds both sides and our processes, and lets one story happen to them."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.log: list[str] = []
        self.changes = 0
        self.processes: list[Process] = []
        self._story = story
        behaviour = read_rows(table({**ON, **dict(story.rows)}))
        self._behaviour = behaviour.with_tables({TABLE.name: TABLE})
        self._database = Database(folder, _empty_database())
        self._store = self._database.store_of("webhook")
        self._settings = Settings(
            _env_file=None,
            slack_bot_token="xoxb-sandbox-bot-token",
            slack_api_url="http://127.0.0.1:1/api/",
            slack_page_size=PAGE,
            slack_calls_per_minute=1_000_000,
            docebo_url=f"http://127.0.0.1:{DOCEBO_PORT}",
            docebo_client_id="sandbox-client",
            docebo_client_secret="sandbox-client-secret",
            docebo_calls_per_hour=10_000_000,
            database_url=self._database.url,
            report_dir=folder / "reports",
        )
        self._is_elsewhere = False
        sandbox = Sandbox(users=1, docebo_users=0, rate_limits=False)
        self._delivery = Delivery(self._store, sandbox.slack.team.id, self._arrived)
        sandbox.slack.announce_group = self._delivery.announce_group
        self._company = Company(
            sandbox,
            self._delivery.announce,
            is_organised=any(rule.target not in NAMES for rule in self._behaviour.attributes),
            outsiders_leave=self._behaviour.leavers_out_of_scope,
        )
        self._mapping = Mapping(self._database.path)
        self._watch = Watch(self._company, self._mapping, self._database.locks, self._behaviour)
        self._judge = Judge(self._company, self._store, self._mapping, self._behaviour)
        faults = {step.call[:3]: step.call[3] for step in story.steps if step.what == "fault"}
        self._models = Models(self._company, self._watch, locks=self._database.locks, faults=faults, note=self._note)

    async def play(self) -> Played:
        """Take all steps, come to rest, import until nothing is left to do, and judge."""
        for number in range(self._story.size):
            person = self._company.hire()
            if number in self._story.with_accounts:
                self._company.add_account(person, person.address, username=f"n{number}")
        if self._behaviour.reads_user_groups:
            self._company.found_group()
        for number in range(CUSTOMERS):
            self._company.add_account(None, f"0customer{number}@customers.example", since=ALWAYS)
        self._delivery.is_on = True
        for step in self._story.steps:
            await asyncio.sleep(max(0.0, BEGINNING + step.at - time.time()))
            if step.what != "fault":
                self.log.append(str(step))
                self.changes += 1
                self._happen(step)
                self._see_to_events()
        await asyncio.sleep(AFTERWARDS)
        while self._behaviour.frozen_until(datetime.now(UTC)):  # noqa: ASYNC110  (nothing tells when)
            await asyncio.sleep(3600)
        await self._come_to_rest()
        self._watch.look_at_mapping(None)
        judged = list(self._judge.after(self.processes))
        if self._company.is_organised or self._behaviour.leavers_after_days:
            await asyncio.sleep(A_DAY_LATER)
        last_imports = [await self._import_alone() for _ in range(LAST_IMPORTS)]
        judged += self._judge.at_rest(self.processes, last_imports)
        breaches = dict.fromkeys([*self._watch.breaches, *judged])
        return Played(list(breaches), self.changes + self._models.calls, self.log)

    def close(self) -> None:
        self._mapping.close()
        self._database.close()

    # -- what happens ------------------------------------------------------------------------------------------------

    def _happen(self, step: Step) -> None:
        people = [self._company.people[number] for number in step.people if number < len(self._company.people)]
        if len(people) < len(step.people):
            return  # in a shortened story somebody may not have been hired
        if step.what in {"leave", "rehire"}:
            self._note_seen(people[0])
        if run := (RUNS | LATER_RUNS).get(step.what):
            self._start(step.what, run)
        elif step.what == NAMED:
            self._start(NAMED, lambda process: run_named(process, people[0].slack_id))
        elif step.what in _BY_US:
            _BY_US[step.what](self, *people)
        else:
            getattr(self._company, step.what)(*people)

    def _note_seen(self, person: Person) -> None:
        """Note whether one of our runs has surely seen that *person*, who is about to leave, is in Slack and in scope."""
        since = max(person.joined_at, person.regrouped_at)
        listed = any(
            process.name.startswith("import ") and process.begun > since and process.has_done_all
            for process in self.processes
        )
        newest = self._newest_entry(person)
        is_served = newest is not None and newest.event.updated >= int(since) and newest.state in FINISHED
        # Shown under an id of which Slack does not tell whose it is.
        may_be_another = person.poisoned and self._company.on_grid
        if not (person.is_away or may_be_another) and (listed or is_served):
            person.seen_back_until[person.slack_id] = time.time()

    def _is_known(self, person: Person) -> bool:
        """Tell whether a plan or an event has shown us the newest address of *person*.

        It has to be later than a link by an administrator, by which we know nothing of the former account any more.
        """
        since = max(person.joined_at, person.readdressed_at, person.linked_at)
        planned = any(
            process.name.startswith(PLANNERS) and process.begun >= since and process.plan_id
            for process in self.processes
        )
        newest = self._newest_entry(person)
        return planned or (newest is not None and newest.event.updated >= int(since))

    def _newest_entry(self, person: Person) -> InboxEntry | None:
        with self._store.reading() as tables:
            entries = [entry for entry in tables.inbox.oldest(1000) if entry.event.slack_id == person.slack_id]
        return max(entries, key=lambda entry: entry.event.updated, default=None)

    def _lose_event(self) -> None:
        self._delivery.to_lose += 1

    def _delay_event(self) -> None:
        self._delivery.to_delay += 1

    def _deliver_by_older_webhook(self) -> None:
        self._delivery.is_older_webhook = True

    def _change_docebo_url(self) -> None:
        """Point the settings to another Docebo, and keep the database."""
        self._is_elsewhere = True
        self._models.docebo_port = DOCEBO_PORT + 1
        url = f"http://127.0.0.1:{self._models.docebo_port}"
        self._settings = self._settings.model_copy(update={"docebo_url": url})
        self._company.restore_another_platform()

    def _move_docebo(self) -> None:
        """Let Docebo be at another address, and the settings say so, and keep the database."""
        self._is_elsewhere = True
        self._models.docebo_port += 1
        url = f"http://127.0.0.1:{self._models.docebo_port}"
        self._settings = self._settings.model_copy(update={"docebo_url": url})

    def _let_through(self) -> None:
        """Do what `slack-docebo events let-through` does with every incident."""
        with self._store.reading() as tables:
            incidents = tables.inbox.incidents()
        for incident in incidents:
            event_ids = let_through(self._store, incident, datetime.now(UTC))
            with self._store.reading() as tables:
                people = {self._company.person_of(entry.event.slack_id) for entry in tables.inbox.of(event_ids)}
            self._watch.let_through |= {person.number for person in people if person}

    def _replay_events(self) -> None:
        """Do what `slack-docebo events replay --all` does."""
        with suppress(ConfigurationError):
            replay_parked(self._store, ParkedChoice(everything=True), datetime.now(UTC))

    def _forget(self, person: Person) -> None:
        """Do what `slack-docebo forget` does, which is refused while an import is at work."""
        with suppress(AlreadyRunning), self._alone("forget"):
            others = [address for other in self._company.people if other is not person for address in other.addresses]
            person.be_forgotten(others, is_known=self._is_known(person))
            for slack_id in (*person.slack_ids, *map(self._company.organisation_id, person.slack_ids)):
                forget(self._store, self._settings.report_dir, slack_id)
            self._watch.set_by_hand()

    def _correct_mapping(self, person: Person) -> None:
        """Link somebody to another account, made by hand, as an administrator does while no import is at work."""
        slack_id = self._company.profile(person)["id"]
        with suppress(AlreadyRunning, PlatformMismatch), self._alone("mappings import"):
            right = self._company.add_account(person, f"right{person.number}x{int(time.time())}@example.com")
            if right is None or slack_id not in self._mapping.rows:
                return
            row = MappingRow(slack_id, self._company.sandbox.slack.team.id, "by hand", right.user_id)
            with self._store.transaction() as tables:
                sightings = tables.sightings(self._settings.docebo_url)
                tables.mappings(self._settings.docebo_url).save([row], now=datetime.now(UTC))
                sightings.forget([right.user_id])
                bears = seen_on(Account(right.user_id, right.username, email=right.email))
                sightings.note_seen({right.user_id: bears}, now=datetime.now(UTC))
            self._company.remapped.add(slack_id)
            self._company.given_by_hand.add(right.user_id)
            person.linked_at = time.time()
            self._watch.set_by_hand(right.user_id)

    def _alone(self, command: str) -> RunLock:
        return RunLock(self._database.store_of(command), self._settings.docebo_url, PlanKind.BULK_IMPORT)

    # -- our side ----------------------------------------------------------------------------------------------------

    def _start(self, kind: str, run: Callable[[Process], Awaitable[None]]) -> Process:
        number = 1 + sum(process.name.startswith(f"{kind} ") for process in self.processes)
        name = f"{kind} {number}"
        process = open_process(
            name,
            self._settings,
            self._behaviour,
            self._database.store_of(name),
            to_slack=lambda request: self._models.slack(process, request),
            to_docebo=lambda request: self._models.docebo(process, request),
            begun=time.time(),
        )
        self.processes.append(process)
        if kind.startswith("undo"):
            self._company.undone_at = time.time()
        process.work = asyncio.get_running_loop().create_task(self._work(process, run))
        return process

    async def _work(self, process: Process, run: Callable[[Process], Awaitable[None]]) -> None:
        caller.set(process.name)
        try:
            await run(process)
        except SyncError as error:
            process.failure = error
        except Exception as error:
            if not process.is_dead:
                self._watch.found(Promise.NO_TRACEBACK, f"{process.name} ends with {error!r}")
        if not process.is_dead:
            self._watch.look_at_mapping(process)
            self._watch.breaches += self._judge.following.undone(process, self.processes)
            self._note(f"{process.name} ends: {process.failure or process.line or 'there was nothing to do'}")

    def _arrived(self, event: Event) -> None:
        person = self._company.person_of(event.slack_id)
        if person and event.profile and event.profile["deactivated"] and person.gone_since is not None:
            self._watch.told_gone[person.number] = time.time()
        self._see_to_events()

    def _see_to_events(self) -> None:
        """Start a real-time run if one is wanted or an event is due, as the webhook and the sweep do."""
        if any(process.name.startswith("real time") and not process.has_ended for process in self.processes):
            return
        with self._store.reading() as tables:
            is_wanted = tables.wake_ups.is_wanted(WakeUp.REALTIME_SYNC) or tables.inbox.due(datetime.now(UTC), 1)
        if is_wanted:
            self._start("real time", RUNS["real time"])

    async def _come_to_rest(self) -> None:
        """Let both sides behave well, and wait until all processes have ended and no event waits."""
        self._models.is_calm = True
        self._company.heal()
        await self._take_up_the_new_docebo()
        for _ in range(PATIENCE):
            await asyncio.sleep(60)
            self._see_to_events()
            if not self._delivery.is_under_way and all(process.has_ended for process in self.processes):
                with self._store.reading() as tables:
                    if not tables.inbox.status().waiting:
                        return

    async def _take_up_the_new_docebo(self) -> None:
        """Relink, as the message of each run at another address says; until then no run does anything."""
        for _ in range(PATIENCE if self._is_elsewhere else 0):
            run = run_relink_to_another if self._company.is_other_platform else run_relink
            process = self._start("relink", run)
            assert process.work is not None
            await process.work
            if isinstance(process.failure, NotConfirmed):
                self._company.is_other_platform = True  # nobody can tell that it is the same
                continue
            if not isinstance(process.failure, AlreadyRunning):
                return
            await asyncio.sleep(60)

    async def _import_alone(self) -> Process:
        process = self._start("import", RUNS["import"])
        assert process.work is not None
        await process.work
        await asyncio.sleep(60)
        self._see_to_events()
        while any(not other.has_ended for other in self.processes):  # noqa: ASYNC110  (nothing tells when)
            await asyncio.sleep(30)
        return process

    def _note(self, what: str) -> None:
        self.log.append(f"{int(time.time() - BEGINNING) // 60:4d} min  {what}")


_BY_US: dict[str, Callable[..., None]] = {
    "lose_event": Stage._lose_event,
    "delay_event": Stage._delay_event,
    "deliver_by_older_webhook": Stage._deliver_by_older_webhook,
    "change_docebo_url": Stage._change_docebo_url,
    "move_docebo": Stage._move_docebo,
    "let_through": Stage._let_through,
    "replay_events": Stage._replay_events,
    "forget": Stage._forget,
    "correct_mapping": Stage._correct_mapping,
}
