"""What the webhook counts, for Prometheus."""

from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from slack_docebo.storage.inbox import InboxStatus

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
GROUP_SIZES = (1, 2, 5, 10, 25, 50, 100, 250, 500)


class Metrics:
    """The counters of one webhook, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self.answers = self._counter("answers", "Requests to /slack/events, by status of the answer.", "status")
        self.seconds = Histogram(
            "slack_docebo_webhook_acknowledgement_seconds",
            "From the request to its answer, for what Slack signed.",
            buckets=SECONDS,
            registry=self._registry,
        )
        self.refused = self._counter(
            "requests_refused", "Requests that the application never saw, by status of the answer.", "status"
        )
        self.closed = self._counter("connections_closed", "Connections that we ended without an answer.", "reason")
        self.connections = self._gauge("webhook_connections", "Connections that are open.")
        self.stored = self._counter("events_stored", "Events committed to the inbox; repeated ones included.", "kind")
        self.dropped = self._counter("events_dropped", "Acknowledged and not stored.", "reason", "kind")
        self.alerts = self._counter("alerts", "Events that mean that nothing will come any more.", "kind")
        self.groups = Histogram(
            "slack_docebo_webhook_events_per_commit",
            "Events that shared one transaction.",
            buckets=GROUP_SIZES,
            registry=self._registry,
        )
        self.store_faults = self._counter("store_faults", "Transactions that failed.")
        self.runs = self._counter(
            "runs_asked", "Flow runs asked for, by deployment and outcome.", "deployment", "outcome"
        )
        self._waiting = self._gauge("inbox_waiting", "Events that are not done yet.")
        self._oldest = self._gauge("inbox_oldest_seconds", "Age of the oldest of them.")
        self._parked = self._gauge("inbox_parked", "Events set aside with an error.")

    def observe(self, status: InboxStatus, *, now: datetime) -> None:
        """Set the gauges of the inbox to its present status."""
        self._waiting.set(status.waiting)
        self._oldest.set(age(status, now))
        self._parked.set(status.parked)

    def page(self) -> bytes:
        """Return the counters in Prometheus' text format."""
        return generate_latest(self._registry)

    def _counter(self, name: str, description: str, *labels: str) -> Counter:
        return Counter(f"slack_docebo_webhook_{name}", description, labels, registry=self._registry)

    def _gauge(self, name: str, description: str) -> Gauge:
        return Gauge(f"slack_docebo_{name}", description, registry=self._registry)


def age(status: InboxStatus, now: datetime) -> float:
    """Return how many seconds the oldest event that is not done has been there; 0 if there is none."""
    oldest = status.oldest_received_at
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())
