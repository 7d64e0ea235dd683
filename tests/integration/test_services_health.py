"""Whether Prefect's background services still have their turns, as what they keep in Redis tells."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from docket import Docket
from redis import Redis
from redis.exceptions import RedisError

from deployments import services_health
from deployments.local import free_port, process
from tests.waiting import until


@pytest.fixture
def redis(tmp_path: Path, monkeypatch) -> Iterator[str]:
    """The address of an empty Redis, told to the health check."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    address = f"redis://127.0.0.1:{port}/1"
    monkeypatch.setenv("PREFECT_SERVER_DOCKET_URL", address)
    with process(command, log=tmp_path / "redis.log"):
        until(lambda: answers(address))
        yield address


def answers(address: str) -> bool:
    try:
        return bool(Redis.from_url(address).ping())
    except RedisError:
        return False


async def schedule(address: str, turn: datetime) -> None:
    """Set the scheduler's next turn, as it does itself."""

    async def schedule_deployments() -> None: ...

    async with Docket(name="prefect", url=address, execution_ttl=timedelta(0)) as docket:
        await docket.add(schedule_deployments, when=turn, key=schedule_deployments.__name__)()


@pytest.mark.parametrize("seconds", [30, -30])
async def test_services_whose_turn_is_near_are_healthy(redis, seconds):
    await schedule(redis, datetime.now(UTC) + timedelta(seconds=seconds))

    assert services_health.main() == 0


async def test_services_that_miss_their_turn_are_not(redis, capsys):
    await schedule(redis, datetime.now(UTC) - timedelta(seconds=services_health.PATIENCE + 30))

    assert services_health.main() == 1
    assert "should have had its turn" in capsys.readouterr().err


def test_services_whose_turn_redis_has_forgotten_are_not(redis, capsys):
    assert services_health.main() == 1
    assert "no next turn" in capsys.readouterr().err


def test_services_are_not_while_redis_is_away(monkeypatch, capsys):
    monkeypatch.setenv("PREFECT_SERVER_DOCKET_URL", f"redis://127.0.0.1:{free_port()}/1")

    assert services_health.main() == 1
    assert "Redis does not answer" in capsys.readouterr().err
