"""Random worlds: source, target, mapping and policy. Whatever they are, the promises hold."""

import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import closing, suppress
from copy import copy
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from slack_docebo.clients.docebo_levels import Levels
from slack_docebo.clients.docebo_rows import Row, RowResult
from slack_docebo.clients.slack_wire import UserPage
from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.attributes import fingerprint, wanted
from slack_docebo.domain.languages import Languages
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present
from slack_docebo.domain.operations import (
    IN_LINE,
    IN_LINE_AS_WRITTEN,
    NO_LONGER_IN_SLACK,
    NOT_LISTED,
    Kind,
    Operation,
    Outcome,
)
from slack_docebo.domain.people import Account, Mapping, SourceUser, View
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.standing import NOT_COMPARED, NOT_MAPPED, Standing
from slack_docebo.domain.targets import COLUMNS
from slack_docebo.engine.planning.plans import make_plan
from slack_docebo.engine.planning.undoing import plan_undo
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.reporting.outcomes import everybody
from slack_docebo.engine.reporting.summary import Summary, summary
from slack_docebo.engine.writing.admitting import IN_PART
from slack_docebo.engine.writing.applying import apply_accounts, apply_mappings, begin
from slack_docebo.engine.writing.checking import recheck
from slack_docebo.engine.writing.finishing import finish
from slack_docebo.errors import ChangeLimitExceeded, IncompleteRead, PlanNotApplicable
from slack_docebo.integration_settings import read_rows, table
from slack_docebo.runtime import Runtime
from slack_docebo.settings import Settings
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.gate import BatchGate
from slack_docebo.storage.plans import PlanKind, PlanState
from slack_docebo.storage.store import Store
from tests.examples import examples
from tests.importing import ON, paged

TEAM = "T1"
WORKSPACE = Workspace(TEAM, "Acme")
WAITING = ("belongs to", "is created for", "several accounts match")  # for an account that somebody else gives up


HIDDEN = ("date_format",)  # of the further attributes, what Docebo shows in no list
TITLES = LookupTable.of("titles", [("ada", "Countess"), ("", "untitled")])


class Target:
    """A Docebo that does as it is told."""

    def __init__(self, accounts: Sequence[Account]) -> None:
        self.accounts = {account.docebo_id: account for account in accounts}
        self.calls: dict[str, int] = {}
        self.languages = Languages()
        self.levels = Levels()
        self.fields = SimpleNamespace(options={})

    async def upsert_users(self, rows: Sequence[Row], *, create: bool, **_: object) -> list[RowResult]:
        return [self._create(row) if create else self._update(row) for row in rows]

    async def user(self, docebo_id: int) -> Observation[Account]:
        account = self.accounts.get(docebo_id)
        return Gone("404") if account is None else Present(account)

    async def view(self, docebo_id: int) -> Observation[View]:
        account = self.accounts.get(docebo_id)
        return Gone("404") if account is None else Present(View(account))

    async def find_users(self, text: str, *, in_parts: bool = False) -> list[Account]:
        return [account for account in self.accounts.values() if text in {account.username, account.email}]

    async def shows_listed(self) -> bool:
        return True

    async def finds_listed(self) -> bool:
        return True

    async def change_status(self, docebo_ids: Sequence[int], *, active: bool) -> set[int]:
        for docebo_id in docebo_ids:
            self.accounts[docebo_id] = replace(self.accounts[docebo_id], active=active)
        return set(docebo_ids)

    def read(self) -> Accounts:
        return Accounts(self.accounts.values())

    def _create(self, row: Row) -> RowResult:
        if Accounts(self.accounts.values()).with_username(str(row.attributes["username"])):
            return RowResult(None, "the username is taken")
        docebo_id = 1000 + len(self.accounts)
        self.accounts[docebo_id] = _changed(Account(docebo_id, ""), row.attributes)
        return RowResult(docebo_id)

    def _update(self, row: Row) -> RowResult:
        assert row.docebo_id is not None
        if username := row.attributes.get("username"):
            namesake = Accounts(self.accounts.values()).with_username(str(username))
            if namesake and namesake.docebo_id != row.docebo_id:
                return RowResult(row.docebo_id, "the username is taken")
        self.accounts[row.docebo_id] = _changed(self.accounts[row.docebo_id], row.attributes)
        return RowResult(row.docebo_id)


class Source:
    """A Slack that knows nobody but those in its list."""

    calls: ClassVar[dict[str, int]] = {}

    def __init__(self, people: Sequence[SourceUser]) -> None:
        self._people = {user.slack_id: user for user in people}

    async def user(self, slack_id: str, **_: object) -> Observation[SourceUser]:
        found = self._people.get(slack_id)
        return Present(found) if found else Gone("it is not in the list")

    async def find_user(self, address: str) -> SourceUser | None:
        bearers = (user for user in self._people.values() if mailbox(user.email) == mailbox(address))
        return next((user for user in bearers if not user.deactivated), None)

    async def list_users(self, _cursor: str = "", **_: object) -> UserPage:
        return UserPage([*self._people.values()], "")

    async def shows_listed(self) -> bool:
        return True


def _changed(account: Account, attributes: Any) -> Account:
    columns = {name: value for name, value in attributes.items() if name in COLUMNS and name not in HIDDEN}
    fields = {int(name[6:]): value for name, value in attributes.items() if name.startswith("field_")}
    plain = {name: value for name, value in attributes.items() if not name.startswith("field_") and name not in COLUMNS}
    return replace(account, **plain, fields={**account.fields, **fields}, columns={**account.columns, **columns})


@dataclass
class World:
    source: list[SourceUser]
    target: list[Account]
    mapping: list[tuple[str, int, str]]  # Slack id, Docebo id, known: "", "right" or "deactivated"
    rows: dict[str, str]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a small world in which people meet: few addresses, few names, every kind of person and account."""
    addresses = [f"{letter}@x.org" for letter in "abcdefg"]
    own = draw(st.permutations(addresses))
    names = st.sampled_from(["", "Ada", "ada", "Lovelace", "李", "<b>x"])
    source = [
        draw(
            st.builds(
                SourceUser,
                st.just(f"U{number}"),
                st.sampled_from([TEAM, TEAM, TEAM, "T2"]),
                handle=st.sampled_from(["ada", "bob"]),
                email=st.sampled_from([own[number], own[number].upper(), own[number], ""]),
                first_name=names,
                last_name=names,
                title=names,
                deactivated=st.sampled_from([False, False, True]),
                guest=st.sampled_from([False, False, True]),
                bot=st.sampled_from([False, False, False, True]),
                unconfirmed=st.sampled_from([False, False, False, True]),
            )
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    usernames = draw(st.lists(st.sampled_from([*addresses, "bob", "eve"]), max_size=6, unique=True))
    target = [
        Account(
            docebo_id,
            username,
            draw(st.sampled_from([username if "@" in username else "", *addresses])),
            first_name=draw(names),
            last_name=draw(names),
            active=draw(st.booleans()),
            administrator=draw(st.sampled_from([False, False, False, True])),
            fields={3: draw(names)},
            columns={
                "country": draw(names),
                "expiration_date": draw(st.sampled_from(["", "2020-01-01", "2099-01-01"])),
            },
        )
        for docebo_id, username in enumerate(usernames, 1)
    ]
    slack_ids = draw(st.permutations([f"U{number}" for number in range(8)]))  # also of people who are gone
    docebo_ids = draw(st.permutations([*range(1, len(target) + 1), 98, 99]))  # and accounts that are
    prints = st.sampled_from(["", "right", "deactivated"])
    mapped = list(zip(slack_ids, docebo_ids, strict=False))[: draw(st.integers(0, 5))]
    rows = {
        "NOTIFICATION_MAIL_ID": "",
        "PROVISION_SLACK_USER_DATA": draw(st.sampled_from(["true", "true", "true", "false"])),
        "MAP_SLACK_USER_DATA": draw(st.sampled_from(["true", "true", "true", "false"])),
        "LEAVERS": draw(st.sampled_from(["keep", "unmap", "deactivate"])),
        "LEAVERS_OUT_OF_SCOPE": draw(st.sampled_from(["true", "false"])),
        "SCOPE_GUESTS": draw(st.sampled_from(["none", "all"])),
        "SCOPE_EXCLUDE": draw(st.sampled_from(["", "b@*, U3"])),
        "MATCH_BY": draw(st.sampled_from(["email", "username", "email-and-username"])),
        "PROTECTED_ACCOUNTS": draw(st.sampled_from(["", "a@*", "2, bob"])),
        "ATTRIBUTES": draw(
            st.sampled_from(
                [
                    "first_name, last_name, email",
                    "first_name, field_3 = title clear, last_name",
                    "first_name on-create-only, last_name clear, email, field_3 = title on-create-only",
                    "email, first_name = upper(ascii(first_name)), field_3 = table(titles, title) clear",
                    'email, last_name, username = handle, country = title clear, date_format = "en-gb"',
                    "email, expiration_date = guest == 'yes' ? date('2098-12-31', 1) : '' clear, country = title",
                    "email, username = first(table(titles, title), 'x' + slack_id) on-create-only, field_3 = phone",
                    "email, first_name = phone clear, username = lower(first(first_name, 1) + last_name)",
                ]
            )
        ),
        **{
            f"LIMIT_{kind}": draw(st.sampled_from(["none", "none", "none", "0", "1", "50%"]))
            for kind in ("CREATIONS", "UPDATES", "DEACTIVATIONS", "UNMAPPINGS")
        },
        "LIMIT_MINIMUM_SAMPLE": draw(st.sampled_from(["0", "20"])),
    }
    return World(source, target, [(*pair, draw(prints)) for pair in mapped], rows)


class Run:
    """A world with a store of its own."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder
        self.target = Target(world.target)
        self.store = Store.open(f"sqlite:///{folder}/store.db")
        self.settings = Settings(
            _env_file=None,
            slack_bot_token="xoxb",
            docebo_url="https://lms.example.com",
            docebo_client_id="id",
            docebo_client_secret="secret",
            report_dir=folder,
        )
        self.behaviour = read_rows(table(world.rows)).with_tables({TITLES.name: TITLES})
        self.policy = self.behaviour.policy(TEAM)
        self.runs = 0
        people = {user.slack_id: user for user in world.source}
        prints = {
            slack_id: fingerprint(wanted(user, self.policy.rules, creating=False)) for slack_id, user in people.items()
        }
        with self.store.transaction() as tables:
            tables.mappings().save(
                [
                    Mapping(
                        *(slack_id, TEAM, "ada", docebo_id),
                        fingerprint=prints.get(slack_id, "") if known == "right" else "",
                        deactivated=known == "deactivated",
                    )
                    for slack_id, docebo_id, known in world.mapping
                ],
                now=self.runtime().now(),
            )

    def __repr__(self) -> str:
        return repr(self.world)

    def runtime(self, behaviour: Any = None) -> Runtime:
        self.runs += 1
        return Runtime(
            self.settings,
            behaviour or self.behaviour,
            self.store,
            slack=Source(self.world.source),  # type: ignore[arg-type]
            docebo=self.target,  # type: ignore[arg-type]
            gate=BatchGate(self.store, self.settings.docebo_url, grace_seconds=1),
            budget=CallBudget(self.store, self.settings.docebo_url, self.settings.docebo_calls_per_hour),
            run_id=f"run-{self.runs}",
        )

    def sides(self) -> tuple[dict[int, Account], dict[str, tuple[int, str, bool]]]:
        """Return the accounts, and by Slack id the mapping: Docebo id, fingerprint, deactivated by us."""
        with self.store.reading() as tables:
            mappings = tables.mappings().all(TEAM)
            rows = {m.slack_id: (m.docebo_id, m.fingerprint, m.deactivated) for m in mappings}
        return dict(self.target.accounts), rows

    async def plan(self, runtime: Runtime, *, trusting: bool = False) -> str:
        pages = paged(self.world.source[:3], self.world.source[3:])
        with SourceSnapshot() as listed:
            listed.add(UserPage(self.world.source, ""))
            return await make_plan(
                runtime,
                WORKSPACE,
                pages,
                self.target.read(),
                kind=PlanKind.BULK_IMPORT,
                listed=listed,
                trusting=trusting,
            )

    async def apply(self, runtime: Runtime, plan_id: str) -> Summary:
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, _unseen)
        await apply_mappings(runtime, plan_id)
        return finish(runtime, plan_id)

    async def apply_saved(self, plan_id: str) -> Summary:
        runtime = self.runtime()
        await recheck(runtime, WORKSPACE, plan_id, self.target.read())
        return await self.apply(runtime, plan_id)

    def reasons_to_skip(self, plan_id: str) -> set[str]:
        with self.store.reading() as tables:
            return {e.error for e in tables.operations.rows(plan_id) if e.outcome is Outcome.SKIPPED}

    async def rounds(self) -> AsyncIterator[list[Operation]]:
        """Plan and apply, even if that has to be let through, until there is nothing to do; yield each plan."""
        for _ in range(len(self.world.source) + 2):  # each round settles at least one of those who waited
            plan_id = await self.plan(self.runtime())
            with self.store.reading() as tables:
                plan = tables.plans.read(plan_id)
                operations = [entry.operation for entry in everybody(tables, plan)]
            yield operations
            if not any(map(acts, operations)):
                return
            await self.apply(self.runtime(), plan_id)
        raise AssertionError("there is always something left to do")

    def touchable(self) -> set[int]:
        """Return the accounts a run may change: those of people looked after who are neither administrators nor protected."""
        accounts = self.target.read()
        strangers = {user.slack_id for user in self.world.source if not self._looked_after(user)}
        found = {docebo_id for slack_id, docebo_id, _ in self.world.mapping if slack_id not in strangers}
        for user in self.world.source:
            if not self.policy.scope.reason_against(user):
                namesake = accounts.with_username(user.email)
                found |= {account.docebo_id for account in accounts.with_email(user.email)}
                found |= {namesake.docebo_id} if namesake else set()
        found -= {docebo_id for slack_id, docebo_id, _ in self.world.mapping if slack_id in strangers}
        return {a.docebo_id for a in accounts if a.docebo_id in found and not shielded(a, self.policy.protected)}

    def _looked_after(self, user: SourceUser) -> bool:
        left = user.deactivated or user.forgotten or self.policy.out_of_scope_leaves
        return left or not self.policy.scope.reason_against(user)


def _unseen(_rows: int) -> None:
    pass


def acts(operation: Operation) -> bool:
    return operation.kind is not Kind.LEAVE


def waits(operation: Operation) -> bool:
    return not acts(operation) and any(words in operation.reason for words in WAITING)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    return Run(draw(worlds()), _folder())


_folders: list[tempfile.TemporaryDirectory[str]] = []


def _folder() -> Path:
    """Return a folder with a migrated, empty database."""
    folder = tempfile.TemporaryDirectory()
    _folders.append(folder)
    migrated = Path(_folders[0].name) / "migrated.db"
    if not migrated.exists():
        Store.open(f"sqlite:///{migrated}").close()
    shutil.copy(migrated, Path(folder.name) / "store.db")
    return Path(folder.name)


def teardown_module() -> None:
    for folder in _folders:
        folder.cleanup()


checked = examples(10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@checked
@given(runs())
async def test_what_was_applied_leaves_nothing_to_do_but_for_those_who_waited(run):
    plans = [plan async for plan in run.rounds()]

    for plan, following in pairwise(plans):
        assert {op.slack_id for op in following if acts(op)} <= {op.slack_id for op in plan if waits(op)}
    run.store.close()


async def test_an_account_changes_hands_in_two_runs(tmp_path):
    left = SourceUser("U0", TEAM, handle="ada", email="a@x.org", deactivated=True)
    came = SourceUser("U1", TEAM, handle="ada", email="a@x.org", first_name="Ada", last_name="Lovelace")
    account = Account(1, "a@x.org", "a@x.org", first_name="Ada", last_name="Lovelace")
    run = Run(World([left, came], [account], [("U0", 1, "right")], {**ON, "LEAVERS": "unmap"}), tmp_path)

    kinds = [[operation.kind for operation in plan] async for plan in run.rounds()]

    assert kinds == [[Kind.UNMAP, Kind.LEAVE], [Kind.MAP, Kind.LEAVE], [Kind.LEAVE, Kind.LEAVE]]
    run.store.close()


@checked
@given(runs())
async def test_undoing_brings_back_both_sides(run):
    accounts, mapping = run.sides()
    runtime = run.runtime()
    plan_id = await run.plan(runtime)
    await run.apply(run.runtime(), plan_id)
    try:
        undo = plan_undo(run.runtime(), plan_id, deactivate_created=True)
    except PlanNotApplicable:
        assert run.sides() == (accounts, mapping)  # nothing was done
    else:
        await run.apply_saved(undo)
        after, mapped = run.sides()
        created = after.keys() - accounts.keys()

        shields = run.behaviour.protected_accounts  # may name the address of somebody who was created
        assert run.reasons_to_skip(undo) <= {"the account is gone", "protected account, never touched", IN_PART}
        lost = {s for s, row in mapping.items() if row[0] not in accounts}  # nobody is mapped again to what is gone
        theirs = {mapped[s][0] for s in lost & mapped.keys()}  # what else was done for them is not undone alone
        brought_back = accounts.keys() - theirs
        assert {i: after[i] for i in brought_back} == {i: accounts[i] for i in brought_back}
        assert all(shielded(after[i], shields) for i in created if after[i].active)
        assert {s: row for s, row in mapped.items() if row[0] in accounts and s not in lost} == {
            s: row for s, row in mapping.items() if s not in lost
        }
    run.store.close()


async def test_of_whom_nobody_can_map_again_to_the_account_of_before_nothing_else_is_undone(tmp_path):
    ada = SourceUser("U0", TEAM, handle="ada", email="a@x.org", first_name="Ada", last_name="Lovelace")
    run = Run(World([ada], [Account(2, "ada", "a@x.org")], [("U0", 99, "right")], ON), tmp_path)
    plan_id = await run.plan(run.runtime())
    await run.apply(run.runtime(), plan_id)
    done = run.sides()

    undo = plan_undo(run.runtime(), plan_id)
    await run.apply_saved(undo)

    assert run.sides() == done
    assert run.reasons_to_skip(undo) == {"the account is gone", IN_PART}
    run.store.close()


@checked
@given(runs())
async def test_limits_are_never_exceeded(run):
    before = run.sides()
    runtime = run.runtime()
    plan_id = await run.plan(runtime)
    try:
        done = await run.apply(runtime, plan_id)
    except ChangeLimitExceeded:
        assert run.sides() == before
        assert finish(runtime, plan_id).plan.state is PlanState.REFUSED
    else:
        people = done.plan.facts["looked_after"]
        sample = run.behaviour.limit_minimum_sample
        for kind, limit in run.behaviour.limits.items():
            assert limit.count is None or done.count(kind) <= limit.count
            assert limit.percent is None or people < sample or done.count(kind) * 100 <= limit.percent * people
    run.store.close()


@checked
@given(runs())
async def test_out_of_scope_and_protected_accounts_never_change(run):
    accounts, _ = run.sides()
    touchable = run.touchable()

    async for _plan in run.rounds():
        pass
    after, _ = run.sides()

    assert {i for i, account in accounts.items() if after[i] != account} <= touchable
    run.store.close()


class Night(StrEnum):
    """What is done about everybody in one night."""

    IMPORT = "import"
    TRUSTING = "import that trusts what was written"
    DRY_RUN = "dry run"
    SAVED = "dry run, applied the night after"
    KILLED = "import that is killed before its end"
    SOME = "import of a few who are named"


async def expected(run: Run, *, trusting: bool) -> dict[str, tuple[Kind, str, int | None]]:
    """Return what a plan says of everybody, by Slack id, that remembers nothing of what was told before."""
    with tempfile.TemporaryDirectory() as folder:
        with (
            closing(sqlite3.connect(run.folder / "store.db")) as known,
            closing(sqlite3.connect(f"{folder}/store.db")) as other,
        ):
            known.backup(other)
            other.execute("DELETE FROM standing")
            other.commit()
        forgetful = copy(run)
        forgetful.store = Store.open(f"sqlite:///{folder}/store.db")
        plan_id = await forgetful.plan(forgetful.runtime(), trusting=trusting)
        with forgetful.store.reading() as tables:
            told = [entry.operation for entry in everybody(tables, tables.plans.read(plan_id))]
        forgetful.store.close()
    return {op.slack_id: (op.kind, op.reason, op.docebo_id) for op in told}


def say_the_same(told: Operation, expected: tuple[Kind, str, int | None]) -> bool:
    """Tell whether both say the same.

    Of a run that did not look at Docebo, what was seen at the last look is told. Who is not in Slack's list, and would
    be left alone in any case, is not asked for.
    """
    kind, reason, docebo_id = expected
    seen = {IN_LINE_AS_WRITTEN: IN_LINE, NOT_COMPARED: NO_LONGER_IN_SLACK}
    same = told.reason == reason or (reason in seen and told.reason.startswith(seen[reason]))
    same |= told.reason == NOT_LISTED and reason.startswith(NO_LONGER_IN_SLACK)
    return same and told.kind is kind and docebo_id in {None, told.docebo_id}


async def spend(run: Run, night: Night, plan_id: str, runtime: Runtime) -> None:
    """Do with the plan of the night what is done in such a night."""
    if night not in {Night.IMPORT, Night.TRUSTING, Night.KILLED}:
        return
    try:
        begin(runtime, plan_id)
        await apply_accounts(runtime, plan_id, _unseen)
        if night is Night.KILLED:
            return
        await apply_mappings(runtime, plan_id)
    except ChangeLimitExceeded:
        pass
    finish(runtime, plan_id)


@examples(4, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(runs(), st.lists(st.tuples(worlds(), st.booleans(), st.sampled_from(Night)), min_size=2, max_size=7), st.data())
async def test_what_became_of_everybody_in_any_night_can_be_told(run, nights, data):
    expectations: dict[str, dict[str, tuple[Kind, str, int | None]]] = {}
    saved = ""
    for world, changes, night in nights:
        if changes:
            run.world.source = world.source
        runtime = run.runtime()
        if night is Night.SOME:
            some = paged(run.world.source[:2])
            plan_id = await make_plan(runtime, WORKSPACE, some, run.target.read(), kind=PlanKind.REALTIME_SYNC)
            await spend(run, Night.IMPORT, plan_id, runtime)
            continue
        expectation = await expected(run, trusting=night is Night.TRUSTING)
        plan_id = await run.plan(runtime, trusting=night is Night.TRUSTING)
        expectations[plan_id] = expectation
        await spend(run, night, plan_id, runtime)
        if saved:  # later than what the night has found
            with suppress(PlanNotApplicable, IncompleteRead):  # by now Slack may list nobody of the workspace
                await run.apply_saved(saved)
        saved = plan_id if night is Night.SAVED else ""
    cut = data.draw(st.sampled_from(["", *expectations]))
    with run.store.transaction() as tables:
        if cut:
            oldest = tables.plans.read(cut).created_at
            tables.plans.purge(oldest, limit=100)
            tables.standings.purge(oldest)

    for plan_id, expectation in expectations.items():
        with run.store.reading() as tables:
            plan = tables.plans.get(plan_id)
            told = {e.operation.slack_id: e.operation for e in everybody(tables, plan)} if plan else None
        if told is None:
            assert cut
            continue
        assert [i for i, what in expectation.items() if i not in told or not say_the_same(told[i], what)] == []
        assert {told[slack_id].reason for slack_id in told.keys() - expectation.keys()} <= {NOT_MAPPED}
        assert summary(run.store, plan_id).count() == len(told)
    run.store.close()


async def test_who_is_brought_in_line_while_a_plan_is_being_made_is_told_by_it(tmp_path):
    ada = SourceUser("U0", TEAM, handle="ada", email="a@x.org", first_name="Ada", last_name="Lovelace")
    run = Run(
        World(
            [ada], [Account(1, "a@x.org", "a@x.org", first_name="Ada", last_name="Lovelace")], [("U0", 1, "right")], ON
        ),
        tmp_path,
    )
    runtime = run.runtime()

    async def people() -> AsyncIterator[list[SourceUser]]:
        with run.store.transaction() as tables:
            now = {"U0": Standing(IN_LINE, 1)}
            tables.standings.replace(run.settings.docebo_url, TEAM, now, plan_id="1realtime", now=runtime.now())
        yield [ada]

    with SourceSnapshot() as listed:
        listed.add(UserPage([SourceUser("U0", TEAM)], ""))
        plan_id = await make_plan(
            runtime, WORKSPACE, people(), run.target.read(), kind=PlanKind.BULK_IMPORT, listed=listed
        )

    with run.store.reading() as tables:
        told = list(everybody(tables, tables.plans.read(plan_id)))
    assert [(entry.operation.slack_id, entry.operation.reason) for entry in told] == [("U0", IN_LINE)]
    run.store.close()
