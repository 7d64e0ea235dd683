"""The whole installation in small: worker, Prefect server, webhook and Docebo each die once and come back."""

import pytest

from bench.nothing_lost import try_to_lose

pytestmark = pytest.mark.long


def test_nothing_is_lost_when_every_part_dies_once(tmp_path):
    outcome = try_to_lose(tmp_path, events=120, people=60, rate=30, pauses=(0.3, 1.5), seed=20260301)

    assert outcome.faults == []
    assert set(outcome.deaths) == {"Docebo", "Prefect server", "webhook", "worker"}
