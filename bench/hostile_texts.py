"""Text of others against its bars: 10,000 hostile names at every outlet, what one member's megabytes cost, and growth."""

import asyncio
import csv
import io
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import starmap
from pathlib import Path
from random import Random
from typing import Any

import httpx

from bench.table import Results
from deployments.local import sandbox
from sandbox.server import Sandbox
from slack_docebo.clients.slack_wire import source_user
from slack_docebo.domain.scope import Scope
from slack_docebo.domain.texts import markdown
from slack_docebo.engine.reporting.files import write_files
from slack_docebo.engine.reporting.troubles import Notice, Trouble
from slack_docebo.storage.store import Store
from tests.growing import CASES, GROWTH, NASTY, SIZE, TIMES, WORKS
from tests.hostile_texts import INERT, TEXTS, parts, seen
from tests.importing import run_import, settings_for
from tests.integration.commands import environment, run

NAMES = 10_000
PEOPLE = 10_000
OPTIONS = ("--docebo-users", "0", "--no-rate-limits", "--latency-ms", "100")
MEGABYTE = 2**20
RUNS = 3
NOTHING = 0.03  # seconds; less says nothing about growth
NAME_FIELDS = ("first_name", "last_name", "real_name", "display_name", "title", "status_text", "phone")
ACTIVE = re.compile(r"""[ "]*[=+\-@＝＋－＠]""")


def main() -> None:
    """Measure and print everything."""
    outlets(NAMES)
    weigh(PEOPLE)
    growth()


def outlets(names: int) -> None:
    """Import members with *names* hostile names, and count what is active or invisible wherever they are shown."""
    results = Results(f"{names} hostile names: what is shown of them and is not text")
    with tempfile.TemporaryDirectory() as name, Sandbox(users=2 * names, docebo_users=0, rate_limits=False) as company:
        folder, url = Path(name), f"sqlite:///{name}/store.db"
        shown = composed(names)
        for slack_id, text in zip(in_scope(company.slack), shown, strict=False):
            company.slack.change(slack_id, {"name": text, "profile": dict.fromkeys(NAME_FIELDS, text)})
        plan = asyncio.run(run_import(settings_for(company.facts(), url))).plan.id
        env = environment(company.facts(), url, folder, COLUMNS="100000")
        most = str(3 * names)

        for title, arguments in {
            "plan show --values": ("plan", "show", plan, "--values", "--limit", most),
            "mappings list": ("mappings", "list", "--limit", most),
            "mappings list --json": ("mappings", "list", "--limit", most, "--json"),
        }.items():
            done = run(env, *arguments)
            lines = (done.stdout + done.stderr).split("\n")
            results.add(f"{title}: lines", sum(not seen(line) for line in lines) + abs(done.returncode), 0)
        run(env, "mappings", "export", f"{name}/mappings.csv")
        with Store.open(url) as store:
            report, listed = write_files(store, plan, folder).written
        for title, file in {"report": report, "export": folder / "mappings.csv"}.items():
            cells = [cell for delimiter in ",;" for row in rows(file, delimiter) for cell in row]
            results.add(f"{title}, CSV: cells", sum(bool(ACTIVE.match(c)) or not seen(c) for c in cells), 0)
        records = listed.read_text("utf-8").split("\n")
        results.add("report, JSON: lines", sum(not seen(line) for line in records), 0)
        pages = (f"| a | b |\n|---|---|\n| {markdown(text)} | {markdown(text)} |" for text in shown)
        results.add("artifacts: names", sum(map(is_active, pages)), 0)
        mails = (Notice(Trouble.FAILED, "bulk-import", text, text).body.split("\n\n") for text in shown)
        results.add("mails: names", sum(len(mail) != 3 or not all(map(seen, mail)) for mail in mails), 0)
    results.show()


def weigh(people: int) -> None:
    """Import *people*, one of whom has a megabyte in every field, and the same people without it, in turn."""
    results = Results(f"Import of {people} people, one of them with a megabyte in every field")
    names = ("<" * 1000 + "a\u0301\u0316" * 1000) * (MEGABYTE // 4000)
    fields = {f"Xf{number}": {"value": "x" * MEGABYTE} for number in range(3)}
    profiles = {
        "light": {"name": "ada", "profile": {**dict.fromkeys(NAME_FIELDS, "Ada"), "fields": {}}},
        "heavy": {"name": names, "profile": {**dict.fromkeys(NAME_FIELDS, names), "fields": fields}},
    }
    spent: dict[str, list[float]] = {weight: [] for weight in profiles}
    with (
        tempfile.TemporaryDirectory() as name,
        sandbox(*OPTIONS, "--users", str(people), folder=Path(name)) as facts,
    ):
        with httpx.stream("GET", f"{facts['slack_control_url']}users") as dump:
            slack_id = next(in_scope(map(json.loads, dump.iter_lines())))
        for _ in range(RUNS):
            for weight, profile in profiles.items():
                changed = httpx.patch(f"{facts['slack_control_url']}users/{slack_id}", json=profile, timeout=60)
                changed.raise_for_status()
                spent[weight].append(seconds(facts))
    results.add("time against that without", min(spent["heavy"]) / min(spent["light"]), 1.1)
    results.show()


def growth() -> None:
    """Let everything that works on text of others do so with texts of two sizes, and show what grows most."""
    results = Results(f"Processor time for {TIMES} times the text, against that for the text")
    texts = {name: [(work, make, SIZE) for make in NASTY.values()] for name, work in WORKS.items()}
    for name, cases in {**texts, **{name: [case] for name, case in CASES.items()}}.items():
        results.add(name, max(starmap(grown, cases)), GROWTH)
    results.show()


def grown(work: Callable[[Any], object], make: Callable[[int], Any], size: int) -> float:
    """Return how many times as long the larger size takes: 0 where even that is next to nothing."""
    small, large = (min(spent(work, make(n)) for _ in range(RUNS)) for n in (size, TIMES * size))
    return large / small if large > NOTHING else 0


def spent(work: Callable[[Any], object], given: object) -> float:
    """Return the seconds of processor time that *work* takes."""
    begun = time.process_time()
    work(given)
    return time.process_time() - begun


def composed(number: int) -> list[str]:
    """Return as many texts, each of which is one of TEXTS or several of them in one another."""
    random = Random(16)
    return [*TEXTS, *("".join(random.sample(TEXTS[:-2], 3))[:80] + str(i) for i in range(number - len(TEXTS)))]


def in_scope(members: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the Slack ids of those who are imported."""
    return (user.slack_id for user in map(source_user, members) if not Scope().reason_against(user))


def rows(file: Path, delimiter: str) -> Iterable[list[str]]:
    """Yield the rows as a spreadsheet reads them that parts cells at *delimiter*."""
    return csv.reader(io.StringIO(file.read_text("utf-8"), newline=""), delimiter=delimiter)


def is_active(page: str) -> bool:
    """Tell whether *page*, which should be text in a table, has anything else or anything that is not seen."""
    return any(kind not in INERT or not seen(content) for kind, content in parts(page))


def seconds(facts: Mapping[str, Any]) -> float:
    """Return how long an import into an empty platform and database takes."""
    httpx.post(f"{facts['docebo_control_url']}reset").raise_for_status()
    with tempfile.TemporaryDirectory() as name:
        settings = settings_for(facts, f"sqlite:///{name}/store.db")
        Store.of(settings).close()
        begun = time.perf_counter()
        asyncio.run(run_import(settings))
        return time.perf_counter() - begun


if __name__ == "__main__":
    main()
