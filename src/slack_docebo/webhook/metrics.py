"""What the webhook counts, and what it tells of runs, for Prometheus."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import GaugeHistogramMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from slack_docebo.storage.events import MEMBERS_CHANGED
from slack_docebo.storage.inbox import InboxStatus
from slack_docebo.storage.milestones import Milestone
from slack_docebo.storage.refusals import RefusalKind
from slack_docebo.webhook.figures import OPERATIONS, OUTCOMES, Figures
from slack_docebo.webhook.intake import ABOUT_PEOPLE, ALARMING, KINDS, MISSING, REASONS

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
SECONDS_TO_ACCOUNT = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600)
ANSWERS = (200, 400, 401, 403, 408, 413, 415, 421, 503)
STORED = (*ABOUT_PEOPLE, MEMBERS_CHANGED)
SIDES = ("slack", "docebo")
REFUSED = (400, 413, 431, 501, 505)
CLOSED = ("too many", "too many of one client", "too much together", "too slow")
ASKED = ("realtime-sync/slack-events", "bulk-import/reconcile", "sweep/sweep")
GROUP_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500)


class Metrics:
    """The counters of one webhook, and the figures of runs, in a registry of their own.

    Each value of a label that is known beforehand is there from the start: otherwise the first alarm is no increase.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.answers = self._counter("answers", "Requests to /slack/events, by status of the answer.", status=ANSWERS)
        self.seconds = Histogram(
            "slack_docebo_webhook_acknowledgement_seconds",
            "From the request to its answer, for what Slack signed.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self.refused = self._counter(
            "requests_refused", "Requests that the application never saw, by status of the answer.", status=REFUSED
        )
        self.closed = self._counter("connections_closed", "Connections that we ended without an answer.", reason=CLOSED)
        self.connections = self._gauge("webhook_connections", "Connections that are open.")
        self.stored = self._counter(
            "events_stored", "Events committed to the inbox; repeated ones included.", kind=STORED
        )
        self.dropped = self._counter("events_dropped", "Acknowledged and not stored.", reason=REASONS, kind=KINDS)
        self.missing = self._counter(
            "events_missing", "Payloads for which a reconciliation is needed, by why.", reason=MISSING
        )
        self.alerts = self._counter("alerts", "Events that mean that nothing will come any more.", kind=ALARMING)
        self.groups = Histogram(
            "slack_docebo_webhook_events_per_commit",
            "Events that shared one transaction.",
            buckets=GROUP_SIZES,
            registry=self._registry,
        )
        self.store_faults = self._counter("store_faults", "Transactions that failed.")
        self.runs = self._counter(
            "runs_asked",
            "Flow runs asked for, by deployment and outcome.",
            deployment=ASKED,
            outcome=("created", "failed"),
        )
        self._refused_in_a_row = self._gauge(
            "webhook_refused_in_a_row",
            "Requests that Slack has not signed for us, or events of another app or workspace, since something was taken.",
            kind=list(RefusalKind),
        )
        self._waiting = self._gauge("inbox_waiting", "Events that are not done yet.")
        self._oldest = self._gauge("inbox_oldest_seconds", "Age of the oldest of them.")
        self._parked = self._gauge("inbox_parked", "Events set aside with an error.")
        self._unacknowledged = self._gauge(
            "inbox_parked_unacknowledged", "Those of them of which nobody has said that it may stay so."
        )
        self._reached = self._gauge(
            "last_timestamp_seconds",
            "When it was last taken through to its end: an import of everybody for real, the sweep; and when a run last"
            " found that FREEZE lets it write nothing. 0: never yet.",
            what=list(Milestone),
        )
        self._reads = self._gauge(
            "last_complete_read_timestamp_seconds", "When a side was last read completely.", side=SIDES
        )
        self._people = self._gauge(
            "people_last_day",
            "People of the last 24 hours by operation and outcome.",
            operation=OPERATIONS,
            outcome=OUTCOMES,
        )
        self._calls_left = self._gauge(
            "docebo_calls_left_ratio", "Part of the calls to Docebo that may be made at once that is left: 1 is all."
        )
        self._event_seconds = _EventSeconds()
        self._registry.register(self._event_seconds)

    def observe_refusals(self, in_a_row: Mapping[str, int]) -> None:
        """Set the gauges of refusals to how many there were *in_a_row* of each kind."""
        for kind, number in in_a_row.items():
            self._refused_in_a_row.labels(kind).set(number)

    def observe(self, status: InboxStatus, *, now: datetime) -> None:
        """Set the gauges of the inbox to its present status."""
        self._waiting.set(status.waiting)
        self._oldest.set(age(status, now))
        self._parked.set(status.parked)

    def observe_runs(self, figures: Figures) -> None:
        """Set the gauges of runs to *figures*."""
        for milestone in Milestone:
            self._reached.labels(milestone).set(_seconds(figures.milestones.get(milestone)))
        for side in SIDES:
            self._reads.labels(side).set(_seconds(figures.reads.get(side)))
        for operation, outcome in product(OPERATIONS, OUTCOMES):
            self._people.labels(operation, outcome).set(figures.people.get((operation, outcome), 0))
        self._unacknowledged.set(figures.unacknowledged)
        self._calls_left.set(figures.calls_left)
        self._event_seconds.seconds = figures.seconds

    def page(self) -> bytes:
        """Return the counters in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, description: str, **labels: Iterable[object]) -> Counter:
        counter = Counter(f"slack_docebo_webhook_{name}", description, list(labels), registry=self._registry)
        _start(counter, labels)
        return counter

    def _gauge(self, name: str, description: str, **labels: Iterable[object]) -> Gauge:
        gauge = Gauge(f"slack_docebo_{name}", description, list(labels), registry=self._registry)
        _start(gauge, labels)
        return gauge


class _EventSeconds(Collector):
    """How long the events of the last day took: a histogram that is read from the database anew, and so no sum of all time."""

    def __init__(self) -> None:
        self.seconds: Sequence[float] = ()

    def collect(self) -> Iterator[GaugeHistogramMetricFamily]:
        """Yield how many events took no longer than each bound."""
        ordered = sorted(self.seconds)
        buckets = [(str(float(bound)), float(bisect_right(ordered, bound))) for bound in SECONDS_TO_ACCOUNT]
        yield GaugeHistogramMetricFamily(
            "slack_docebo_event_to_account_seconds",
            "From event to account, events of the last 24 hours.",
            buckets=[*buckets, ("+Inf", float(len(ordered)))],
            gsum_value=sum(ordered),
        )


def _start(metric: Counter | Gauge, labels: Mapping[str, Iterable[object]]) -> None:
    """Let each value of the *labels* be there at 0."""
    if labels:
        for values in product(*labels.values()):
            metric.labels(*values)


def _seconds(moment: datetime | None) -> float:
    return moment.timestamp() if moment else 0.0


def age(status: InboxStatus, now: datetime) -> float:
    """Return how many seconds the oldest event that is not done has been there; 0 if there is none."""
    oldest = status.oldest_received_at
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
