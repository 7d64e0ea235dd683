"""Who lost its lock while it stood still writes nothing more, whatever it still believes."""

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select

from sandbox.server import Sandbox
from slack_docebo.errors import AlreadyRunning, LockLost, StorageError
from slack_docebo.storage.gate import BatchGate, RunLock
from slack_docebo.storage.reads import ProvenRead
from slack_docebo.storage.schema import lease, proven_read, wake_up
from slack_docebo.storage.store import Store
from slack_docebo.storage.wake_ups import WakeUp
from tests.importing import mapped, run_import, settings_for
from tests.waiting import PATIENCE_SECONDS, until

DOCEBO = "https://lms.example.com"
NOW = datetime(2026, 3, 4, tzinfo=UTC)
BATCH = "POST /manage/v1/user/batch"


@pytest.fixture
def other(database_url: str) -> Iterator[Store]:
    """The database as another process has it open."""
    with Store.open(database_url) as opened:
        yield opened


@pytest.fixture(scope="module", autouse=True)
def what_others_have_left_is_looked_at_once() -> None:
    gc.collect()
    gc.freeze()  # all that a long session holds would take a second after each test


@pytest.fixture(autouse=True)
def no_lease_is_left() -> Iterator[None]:
    """A lock that a test has not given back is held until it is collected, also by who opens a store later."""
    yield
    gc.collect()


def lock_of(store: Store, name: str = "bulk-import", docebo: str = DOCEBO) -> RunLock:
    return RunLock(store, docebo, name, holder="nightly: everybody")


def lose_locks(url: str) -> None:
    """Do what a restart of the server does to a process that does not notice; with SQLite, remove the lock files."""
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        for file in path.parent.glob(f"{path.name}.*.lock"):
            file.unlink()
        return
    others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid) {others}")
        # They end a moment after they were told to, and their locks with them.
        until(lambda: connection.execute(f"SELECT count(*) {others}").fetchone() == (0,))


def write(store: Store) -> None:
    with store.transaction() as tables:
        tables.wake_ups.want(WakeUp.REALTIME_SYNC, NOW)


def written(store: Store) -> bool:
    with store.reading() as tables:
        return tables.connection.scalar(select(wake_up.c.wanted_at)) is not None


def number(store: Store) -> int:
    with store.reading() as tables:
        return tables.connection.execute(select(lease.c.number)).scalar_one()


@pytest.mark.long
def test_who_lost_the_lock_writes_nothing_after_another_took_it(store, other, database_url):
    with lock_of(store):
        lose_locks(database_url)
        with lock_of(other), pytest.raises(LockLost, match=r"another run took this one's place: nightly: everybody \("):
            write(store)

        assert not written(other)
        write(other)
        assert written(store)  # whoever only reads is not asked


@pytest.mark.long
def test_a_place_that_was_lost_stays_lost_when_the_other_has_ended(store, other, database_url):
    with lock_of(store):
        lose_locks(database_url)
        with lock_of(other):
            pass
        with pytest.raises(LockLost):
            write(store)


@pytest.mark.long
def test_a_lock_that_was_lost_and_that_nobody_took_hinders_nobody(store, database_url):
    with lock_of(store):
        lose_locks(database_url)
        write(store)
    assert written(store)


def test_who_has_given_the_lock_back_writes_as_before(store, other):
    with lock_of(store):
        write(store)
    with lock_of(other):
        write(store)


def test_who_takes_the_lock_again_has_a_new_number(store, other, database_url):
    lock = lock_of(store)
    with lock:
        lose_locks(database_url)
        with lock_of(other):
            lost = number(store)
    with lock:
        write(store)
        assert number(store) == lost + 1


@pytest.mark.long
@pytest.mark.parametrize(("name", "docebo"), [("realtime-sync", DOCEBO), ("bulk-import", "https://other.example.com")])
def test_another_lock_takes_nobodys_place(store, other, name, docebo):
    with lock_of(store), lock_of(other, name, docebo):
        write(store)
        write(other)


def test_of_two_leases_each_must_be_the_newest(store, other, database_url):
    with lock_of(store), lock_of(store, "realtime-sync"):
        lose_locks(database_url)
        with lock_of(other, "realtime-sync"), pytest.raises(LockLost):
            write(store)


def test_a_store_that_is_opened_under_a_lock_is_bound_by_it(store, other, database_url):
    with lock_of(store), Store.open(database_url) as later:
        lose_locks(database_url)
        with lock_of(other), pytest.raises(LockLost):
            write(later)


def test_a_database_that_was_restored_meanwhile_is_not_written_to(store):
    with lock_of(store):
        with store.transaction() as tables:
            tables.connection.execute(lease.delete())
        with pytest.raises(LockLost, match="the database was restored meanwhile"):
            write(store)


def test_who_takes_the_lock_waits_for_a_transaction_that_was_begun_before(store, other, database_url):
    seen: list[bool] = []

    def take() -> None:
        with lock_of(other):
            seen.append(written(other))

    lock = lock_of(store)
    lock.acquire()
    with store.transaction() as tables:
        lock._lock.release()  # lost: it does not notice
        taker = threading.Thread(target=take)
        taker.start()
        taker.join(0.2)
        assert seen == []
        tables.wake_ups.want(WakeUp.REALTIME_SYNC, NOW)
    taker.join(PATIENCE_SECONDS)

    assert seen == [True]
    with pytest.raises(LockLost):
        write(store)


def test_a_former_holder_that_stands_still_in_a_transaction_is_not_waited_for_for_ever(postgres_url, monkeypatch):
    monkeypatch.setattr("slack_docebo.storage.store.LEASE_TIMEOUT", "50ms")
    with Store.open(postgres_url) as former, Store.open(postgres_url) as later:
        lock = lock_of(former)
        lock.acquire()
        with former.transaction():
            lock._lock.release()  # lost
            with pytest.raises(StorageError, match="stayed locked by another process"):
                lock_of(later).acquire()
        with lock_of(later):
            write(later)


def test_nothing_of_the_former_holder_is_committed_once_the_lock_is_taken(store, other):
    def write_on() -> None:
        with suppress(LockLost):
            while True:
                write_row(store)

    lock = lock_of(store)
    lock.acquire()
    lock._lock.release()  # lost: it does not notice
    former = threading.Thread(target=write_on)
    former.start()
    while not rows(other):
        time.sleep(0.005)
    with lock_of(other):
        taken = rows(other)
        former.join(PATIENCE_SECONDS)
        assert not former.is_alive()
        assert rows(other) == taken


def write_row(store: Store) -> None:
    with store.transaction(durable=False) as tables:
        tables.reads.record(ProvenRead("slack:T1", 1, 1, NOW))


def rows(store: Store) -> int:
    with store.reading() as tables:
        return tables.connection.execute(select(func.count()).select_from(proven_read)).scalar_one()


async def test_who_lost_the_lock_does_not_come_through_the_gate(store, other, database_url):
    gate = BatchGate(store, DOCEBO, grace_seconds=1)
    with lock_of(store):
        lose_locks(database_url)
        with lock_of(other), pytest.raises(LockLost):
            async with gate.call():
                raise AssertionError


async def test_who_loses_the_lock_during_a_call_makes_no_further_attempt_of_it(store, other, database_url):
    gate = BatchGate(store, DOCEBO, grace_seconds=1)
    call = AsyncExitStack()
    with lock_of(store):
        await call.enter_async_context(gate.call())
        gate.begin_attempt()
        lose_locks(database_url)
        with lock_of(other), pytest.raises(LockLost):
            gate.begin_attempt()
        with pytest.raises(LockLost):
            await call.aclose()


@pytest.mark.long
async def test_an_import_whose_place_was_taken_writes_nothing_older_over_what_the_other_wrote(
    usual_database_url, tmp_path
):
    with Sandbox(users=150, docebo_users=0, rate_limits=False) as sandbox:
        settings = settings_for(sandbox.facts(), usual_database_url, report_dir=tmp_path / "reports")

        async def alone() -> str:
            with Store.open(usual_database_url) as store, lock_of(store, docebo=settings.docebo_url):
                return (await run_import(settings)).line

        await alone()
        people = list(mapped(usual_database_url, sandbox.slack.team.id))
        rename(sandbox, people, "Old")
        sandbox.docebo_gate.reset()
        sandbox.docebo_gate.latency = 0.2
        first = asyncio.create_task(alone())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sandbox.docebo_gate.counters.calls[BATCH] < 1:  # noqa: ASYNC110  (nothing tells when)
                await asyncio.sleep(0.01)
        lose_locks(usual_database_url)
        rename(sandbox, people, "New")

        second = await alone()

        with pytest.raises(LockLost):
            await first
        assert f"{len(people)} updated" in second
        assert {account.lastname for account in sandbox.docebo.accounts if account.provisioned_by} == {"New"}
        assert not sandbox.docebo_gate.counters.violations


def rename(sandbox: Sandbox, slack_ids: list[str], name: str) -> None:
    for slack_id in slack_ids:
        sandbox.slack.change(slack_id, {"profile": {"last_name": name}})


def test_who_comes_second_is_told_who_is_at_work(store, other):
    with lock_of(store), pytest.raises(AlreadyRunning) as told:
        lock_of(other).acquire()

    assert str(told.value).startswith(
        f"Another run is at work on {DOCEBO}: nightly: everybody (process {os.getpid()} on {socket.gethostname()}, since "
    )
    assert str(told.value).endswith(" UTC). Wait for its end, or cancel it, then run again")


def test_a_lock_whose_number_cannot_be_noted_is_free_again(store, other, monkeypatch):
    def fail(*_: object) -> None:
        raise StorageError("the database is full")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "take_lease", fail)
        with pytest.raises(StorageError):
            lock_of(store).acquire()
    with lock_of(other):
        pass
