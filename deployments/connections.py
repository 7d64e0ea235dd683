"""The open connections of a listener: their number is bounded, and one is closed when room is needed for another."""

import logging
import resource
from collections import Counter
from collections.abc import Iterable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Protocol

from slack_docebo.errors import ConfigurationError
from slack_docebo.setting_types import Network
from slack_docebo.webhook.metrics import Metrics

MOST = 4000  # connections of one listener; an idle one costs about 10 kB
MOST_OF_ONE = 128  # connections of one client: Slack keeps a handful
MOST_HELD = 32 * 1024 * 1024  # bytes of all requests that have not been answered and are not complete
OWN_FILES = 128  # for everything but connections: database, log, Prefect
COMPLAINT_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Stage(IntEnum):
    """What a connection waits for. Where room is needed, connections of the first stage are closed first."""

    HEAD = 0  # a complete head
    BODY = 1  # a complete body
    TAKING = 2  # its client, which has to read the answer
    LOOK = 3  # our answer to a request other than an event
    ANSWER = 4  # our answer to an event: such a connection is not closed for others


EXPENDABLE = tuple(stage for stage in Stage if stage is not Stage.ANSWER)
# Seconds. A head: from connecting, or from the last answer, to its end. A body has its deadline in the application.
PATIENCE = {Stage.HEAD: 5.0, Stage.TAKING: 5.0}


class Connection(Protocol):
    """What Connections needs of a connection."""

    address: str  # of the client; "" if unknown

    def abort(self) -> None:
        """Close it at once."""


class Crowd:
    """Connections by stage; within a stage, the one that has waited longest is first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._stages: dict[Connection, Stage] = {}
        self._since: list[dict[Connection, float]] = [{} for _ in Stage]

    def __len__(self) -> int:
        return len(self._stages)

    @property
    def full(self) -> bool:
        return len(self) >= self._most

    def move(self, connection: Connection, stage: Stage, now: float) -> None:
        """Put *connection*, of this crowd or new to it, into another stage from *now* on."""
        before = self._stages.get(connection)
        if before is not None:
            del self._since[before][connection]
        self._stages[connection] = stage
        self._since[stage][connection] = now

    def remove(self, connection: Connection) -> None:
        stage = self._stages.pop(connection, None)
        if stage is not None:
            del self._since[stage][connection]

    def first(self, *stages: Stage) -> Connection | None:
        """Return the connection in *stages* that is to be closed first, or None."""
        return next((connection for stage in stages for connection in self._since[stage]), None)

    def overdue(self, stage: Stage, begun: float) -> list[Connection]:
        """Return the connections of this stage that have waited since *begun* or longer."""
        found = []
        for connection, since in self._since[stage].items():
            if since > begun:
                break
            found.append(connection)
        return found


class Connections:
    """Keeps the connections of one listener within their bounds; to be used in one event loop only.

    The bound for each client does not hold for this machine and the *trusted* networks: proxies speak for many.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        most: int = MOST,
        most_of_one: int = MOST_OF_ONE,
        most_held: int = MOST_HELD,
        trusted: Iterable[Network] = (),
    ) -> None:
        self.metrics = metrics
        self._most_of_one = most_of_one
        self._most_held = most_held
        self._trusted = tuple(trusted)
        self._all = Crowd(most)
        self._clients: dict[str, Crowd] = {}
        self._client_of: dict[Connection, str] = {}
        self._crowds: dict[Connection, list[Crowd]] = {}
        self._holding: dict[Connection, int] = {}
        self._held = 0
        self._sent_away: Counter[str] = Counter()
        self._complained_at = float("-inf")

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, connection: Connection, now: float) -> None:
        """Admit a new *connection*; if that is one too many, close the one that is to be closed first, maybe itself."""
        client = client_of(connection.address, self._trusted)
        crowds = [(self._all, "too many")]
        if client:
            crowds.insert(0, (self._clients.get(client) or Crowd(self._most_of_one), "too many of one client"))
        for crowd, reason in crowds:
            if crowd.full and not self._make_room(crowd, connection, reason):
                return
        self.metrics.connections.inc()
        self._crowds[connection] = [crowd for crowd, _ in crowds]
        if client:
            self._client_of[connection] = client
            self._clients[client] = crowds[0][0]
        self.move(connection, Stage.HEAD, now)

    def move(self, connection: Connection, stage: Stage, now: float) -> None:
        """Put *connection* into another stage from *now* on, unless it was closed already."""
        for crowd in self._crowds.get(connection, ()):
            crowd.move(connection, stage, now)

    def remove(self, connection: Connection) -> None:
        """Forget *connection*."""
        if connection not in self._crowds:
            return
        self.metrics.connections.dec()
        self._held -= self._holding.pop(connection, 0)
        for crowd in self._crowds.pop(connection):
            crowd.remove(connection)
        client = self._client_of.pop(connection, "")
        if client and not self._clients[client]:
            del self._clients[client]

    def hold(self, connection: Connection, size: int) -> None:
        """Note that *size* bytes of *connection* are held; if all hold too many, close the one that has held some longest."""
        if connection not in self._crowds:
            return
        self._held += size - self._holding.get(connection, 0)
        if size:
            self._holding[connection] = size
        else:
            self._holding.pop(connection, None)
        while self._held > self._most_held:
            self._evict(next(iter(self._holding)), "too much together")

    def sweep(self, now: float) -> None:
        """Close connections that have waited too long for their client, and log how many were closed to make room."""
        for stage, patience in PATIENCE.items():
            for connection in self._all.overdue(stage, now - patience):
                self._close(connection, "too slow")
        if self._sent_away and now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            said = ", ".join(f"{count} {reason}" for reason, count in sorted(self._sent_away.items()))
            logger.warning("connections were closed to make room (%s); %d are open", said, len(self))
            self._sent_away.clear()

    def _make_room(self, crowd: Crowd, newcomer: Connection, reason: str) -> bool:
        """Close a connection of *crowd*; return False if it is the new one, because all others have sent an event."""
        leaver = crowd.first(*EXPENDABLE) or newcomer
        self._evict(leaver, reason)
        return leaver is not newcomer

    def _evict(self, connection: Connection, reason: str) -> None:
        self._sent_away[reason] += 1
        self._close(connection, reason)

    def _close(self, connection: Connection, reason: str) -> None:
        self.metrics.closed.labels(reason).inc()
        self.remove(connection)
        connection.abort()


def client_of(address: str, trusted: Iterable[Network] = ()) -> str:
    """Return the client that a connection from *address* counts for; "" for this machine, trusted and unknown ones."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip
    if ip.is_loopback or any(ip in network for network in trusted):
        return ""
    # Who has one IPv6 address has all 2^64 of its network.
    return str(ip if isinstance(ip, IPv4Address) else ip_network((ip, 64), strict=False))


def most_connections(wanted: int) -> int:
    """Return how many connections, at most *wanted*, the limit of open files allows; raise that limit if need be.

    Raises ConfigurationError if it allows hardly any.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = wanted if soft == resource.RLIM_INFINITY else min(wanted, soft - OWN_FILES)
    if allowed < OWN_FILES:
        raise ConfigurationError(f"only {soft} files may be open (ulimit -n): allow this process {needed}")
    if allowed < wanted:
        logger.warning(
            "only %d files may be open (ulimit -n), so only %d connections: allow this process %d",
            soft,
            allowed,
            needed,
        )
    return allowed
