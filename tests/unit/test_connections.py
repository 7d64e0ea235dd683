import resource

import pytest

from deployments.connections import EXPENDABLE, OWN_FILES, PATIENCE, Connections, Stage, client_of, most_connections
from slack_docebo.errors import ConfigurationError
from slack_docebo.webhook.metrics import Metrics
from tests.webhook import settings


class Caller:
    """A connection, as far as the rules see it."""

    def __init__(self, name: str, address: str = "127.0.0.1") -> None:
        self.name = name
        self.address = address
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def __repr__(self) -> str:
        return self.name


def connections(**bounds) -> Connections:
    return Connections(Metrics(), **bounds)


def admitted(room: Connections, *callers: Caller) -> list[Caller]:
    for now, caller in enumerate(callers):
        room.admit(caller, now)
    return list(callers)


def closed(*callers: Caller) -> list[str]:
    return [caller.name for caller in callers if caller.aborted]


def test_when_the_number_is_reached_the_oldest_without_a_head_goes():
    room = connections(most=3)
    callers = admitted(room, Caller("a"), Caller("b"), Caller("c"))
    room.move(callers[0], Stage.ANSWER, 3)

    newcomers = admitted(room, Caller("d"), Caller("e"))

    assert closed(*callers, *newcomers) == ["b", "c"]
    assert len(room) == 3


@pytest.mark.parametrize("stage", EXPENDABLE)
def test_whoever_waits_for_our_answer_is_never_sent_away_while_others_keep_us_waiting(stage):
    room = connections(most=2)
    waiting, slow = admitted(room, Caller("waiting"), Caller("slow"))
    room.move(waiting, Stage.ANSWER, 1)
    room.move(slow, stage, 2)

    admitted(room, Caller("newcomer"))

    assert closed(waiting, slow) == ["slow"]


def test_whoever_only_looks_makes_room_for_an_event():
    room = connections(most=2)
    event, look = admitted(room, Caller("event"), Caller("look"))
    room.move(event, Stage.ANSWER, 1)
    room.move(look, Stage.LOOK, 2)
    (newcomer,) = admitted(room, Caller("newcomer"))

    assert closed(event, look, newcomer) == ["look"]


def test_where_everybody_waits_for_our_answer_the_newcomer_goes():
    room = connections(most=1)
    (waiting,) = admitted(room, Caller("waiting"))
    room.move(waiting, Stage.ANSWER, 1)
    (newcomer,) = admitted(room, Caller("newcomer"))

    assert closed(waiting, newcomer) == ["newcomer"]
    room.remove(newcomer)  # its loss is told afterwards
    assert len(room) == 1


def test_one_client_takes_nobody_elses_place():
    room = connections(most=10, most_of_one=2)
    theirs = [Caller(f"theirs {number}", "198.51.100.7") for number in range(5)]
    other = Caller("other", "203.0.113.9")
    admitted(room, other, *theirs)

    assert closed(other, *theirs) == ["theirs 0", "theirs 1", "theirs 2"]


def test_an_address_is_forgotten_with_its_last_connection():
    room = connections(most_of_one=1)
    for number in range(100):
        (caller,) = admitted(room, Caller("", f"198.51.100.{number}"))
        room.remove(caller)

    assert room._clients == room._client_of == room._crowds == {}


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("127.0.0.1", ""),
        ("127.9.9.9", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("10.1.2.3", ""),
        ("", ""),
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_is_an_address_or_the_network_that_anybody_with_ipv6_has(address, client):
    trusted = settings(webhook_trusted_proxies="10.0.0.0/8, 192.0.2.1").trusted_proxies

    assert client_of(address, trusted) == client


@pytest.mark.parametrize("stage", PATIENCE)
def test_whoever_keeps_us_waiting_is_closed_after_a_while(stage):
    room = connections()
    (caller,) = admitted(room, Caller("slow"))
    room.move(caller, stage, 10)

    room.sweep(10 + PATIENCE[stage] - 0.01)
    assert not caller.aborted
    room.sweep(10 + PATIENCE[stage])
    assert caller.aborted
    assert len(room) == 0


def test_when_too_much_is_kept_whoever_has_kept_some_longest_goes():
    room = connections(most_held=100)
    old, idle, new = admitted(room, Caller("old"), Caller("idle"), Caller("new"))
    room.hold(old, 40)
    room.hold(new, 50)
    room.hold(old, 50)
    assert closed(old, idle, new) == []

    room.hold(new, 51)
    assert closed(old, idle, new) == ["old"]
    room.hold(new, 100)
    assert closed(idle, new) == []


def test_what_is_complete_is_kept_no_longer():
    room = connections(most_held=100)
    one, other = admitted(room, Caller("one"), Caller("other"))
    for _ in range(10):
        room.hold(one, 90)
        room.hold(one, 0)
    room.hold(other, 100)

    assert closed(one, other) == []


def test_that_room_was_made_is_said_in_one_line_a_minute(caplog):
    room = connections(most=1)
    admitted(room, *(Caller(str(number)) for number in range(500)))
    for second in range(60):
        room.sweep(second)
    for _ in range(7):
        room.admit(Caller("late"), 60)
    room.sweep(60)

    assert [record.getMessage() for record in caplog.records] == [
        "connections were closed to make room (499 too many); 1 are open",
        "connections were closed to make room (7 too many); 1 are open",
    ]


@pytest.mark.parametrize(
    ("soft", "hard", "expected", "raised"),
    [
        pytest.param(100_000, 100_000, 4000, None, id="enough"),
        pytest.param(1024, 100_000, 4000, 4000 + OWN_FILES, id="raised as far as is needed"),
        pytest.param(1024, 2048, 2048 - OWN_FILES, 2048, id="raised as far as is allowed"),
        pytest.param(resource.RLIM_INFINITY, resource.RLIM_INFINITY, 4000, None, id="no limit"),
        pytest.param(1024, resource.RLIM_INFINITY, 4000, 4000 + OWN_FILES, id="may be raised without limit"),
    ],
)
def test_there_are_no_more_connections_than_files(monkeypatch, caplog, soft, hard, expected, raised):
    set_to = []
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limits: set_to.append(limits[0]))

    assert most_connections(4000) == expected
    assert set_to == ([raised] if raised else [])
    assert ("allow this process 4128" in caplog.text) == (expected < 4000)


def test_where_hardly_any_file_may_be_open_nothing_is_served(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (64, 64))
    monkeypatch.setattr(resource, "setrlimit", lambda _which, _limits: None)

    with pytest.raises(ConfigurationError, match="only 64 files may be open"):
        most_connections(4000)
