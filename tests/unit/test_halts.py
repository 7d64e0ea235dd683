"""How a halt is told."""

from datetime import UTC, datetime

from slack_docebo.storage.halts import Halt


def test_a_halt_says_since_when_by_the_clock_of_whoever_reads_it():
    halt = Halt(datetime(2026, 11, 28, 1, 30, tzinfo=UTC), "audit")

    assert str(halt) == "stopped since 2026-11-28 01:30 UTC (audit)"
    assert halt.by_clock("Europe/Rome") == "stopped since 2026-11-28 02:30 CET (audit)"
