"""Every fault at random points of an import, and `kill -9` at random moments: the next run makes everything right."""

import asyncio
import random
import tempfile
import time
from pathlib import Path

from bench.table import Results
from sandbox.server import Sandbox
from tests.faults import FAULTS, disturbed_import, import_killed_at_call, sides
from tests.importing import run_import, settings_for

USERS, PAGE = 600, 50
SEEDS, KILLS = 5, 50


def main() -> None:
    """Measure and print everything; stop at the first state that is not right."""
    begun = time.perf_counter()
    with Sandbox(users=USERS, rate_limits=False) as sandbox, tempfile.TemporaryDirectory() as name:
        trials = _Trials(sandbox, Path(name))
        for seed in range(SEEDS):
            for method, kind in FAULTS:
                asyncio.run(trials.fault(method, kind, random.Random(f"{seed} {method} {kind}")))
        for seed in range(KILLS):
            asyncio.run(trials.kill(random.Random(seed)))
    results = Results(f"Disturbed imports of {USERS} users, each followed by one more run")
    results.add("imports with a fault", SEEDS * len(FAULTS))
    results.add("   that said they had done everything, and had", trials.unharmed)
    results.add("imports killed with kill -9", KILLS)
    results.add("final states that differ from the undisturbed one", 0)
    results.add("overlapping batch calls", len(sandbox.docebo_gate.counters.violations))
    results.add("took", time.perf_counter() - begun, None, "s")
    results.show()


class _Trials:
    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.unharmed = 0
        self._sandbox = sandbox
        self._folder = folder
        self._number = 0
        url = self._new_store()
        asyncio.run(run_import(settings_for(sandbox.facts(), url)))
        self._calls = sandbox.slack_gate.counters.calls.total() + sandbox.docebo_gate.counters.calls.total()
        self._right = sides(sandbox, url)

    async def fault(self, method: str, kind: str, chance: random.Random) -> None:
        url = self._new_store()
        settings = settings_for(self._sandbox.facts(), url, slack_page_size=PAGE)
        most = {"users.list": USERS // PAGE, "GET /manage/v1/user": 1}.get(method, 5)
        if await disturbed_import(self._sandbox, settings, method, kind, chance.randrange(most)):
            self._check(url, f"{method} {kind}, said to be done")
            self.unharmed += 1
        await run_import(settings)
        self._check(url, f"{method} {kind}")

    async def kill(self, chance: random.Random) -> None:
        url = self._new_store()
        gates = (self._sandbox.slack_gate, self._sandbox.docebo_gate)
        for gate in gates:
            gate.latency = 0.02
        await asyncio.to_thread(import_killed_at_call, chance.randrange(1, self._calls + 1), self._sandbox, url)
        for gate in gates:
            gate.latency = 0
        await run_import(settings_for(self._sandbox.facts(), url))
        self._check(url, "kill -9")

    def _new_store(self) -> str:
        self._sandbox.reset()
        self._number += 1
        return f"sqlite:///{self._folder}/{self._number}.db"

    def _check(self, url: str, what: str) -> None:
        if sides(self._sandbox, url) != self._right or self._sandbox.docebo_gate.counters.violations:
            raise RuntimeError(f"after {what} the state is not that of an undisturbed import")
