"""Branches, managers and SCIM: how many calls they take beside those of an import without them. No latency, no pace."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence

from bench.table import Results
from sandbox.server import Sandbox
from slack_docebo.engine.planning.managing import plan_managers
from slack_docebo.engine.planning.moving import plan_moves
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.runtime import Runtime
from slack_docebo.settings import Settings
from tests.importing import prove, settings_for
from tests.integration.after_an_import import PlanAfterwards, import_then

BRANCHES = 40
MOVED, INTO = 300, 12
SPAN = 10  # people who report to one manager
NAMES = "first_name, last_name, email"
BATCH, MOVE, LIST = "POST /manage/v1/user/batch", "PUT /manage/v1/user/move_to_branch", "GET /manage/v1/user"


def main(arguments: Sequence[str] = ()) -> int:
    """Import a company without and with all of it, twice, move some, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.hierarchy", description=__doc__)
    parser.add_argument("people", nargs="?", type=int, default=10_000)
    people = parser.parse_args(arguments).people
    results = Results(f"Branches, managers and SCIM, {people:,} people")
    with Sandbox(users=people, docebo_users=0, rate_limits=False) as company, tempfile.TemporaryDirectory() as folder:
        _organise(company)
        plain = _calls(company, folder, "plain", {"ATTRIBUTES": NAMES}, plan_managers_alone)
        by_branches = {}
        for branches in (1, BRANCHES):
            company.docebo.reset()
            _organise(company, branches)
            of_branches = {"ATTRIBUTES": f"{NAMES}, branch = scim:department"}
            by_branches[branches] = _calls(
                company, folder, f"into-{branches}", of_branches, plan_managers_alone
            ).total()
        company.docebo.reset()
        _organise(company)
        rows = {"ATTRIBUTES": f"{NAMES}, branch = scim:department, manager = scim:manager", "BRANCH_MOVES": "true"}
        rows["LIMIT_BRANCH_MOVES"] = "none"
        first = _calls(company, folder, "all", rows, plan_managers_alone)
        second = _calls(company, folder, "all", rows, plan_managers_alone)
        for place, slack_id in enumerate(list(company.slack.scim)[:MOVED]):
            company.slack.scim[slack_id]["department"] = f"B{place % INTO}"
        moves = _calls(company, folder, "all", rows, plan_moves)
    results.add("calls of SCIM", first["scim users"], -(-people // 1_000))
    more = by_branches[BRANCHES] - by_branches[1]
    results.add(f"newcomers into {BRANCHES} branches: calls more than into one", more, 0)
    results.add(f"batch calls more for {BRANCHES} branches and all managers", first[BATCH] - plain[BATCH], people / 100)
    results.add("batch calls of the second import", second[BATCH], 0)
    results.add(f"{MOVED} people into {INTO} branches: calls that move", moves[MOVE], INTO)
    results.add("calls of Docebo's list more, to find out where they are", moves[LIST] - second[LIST])
    results.show()
    return 0


def _organise(company: Sandbox, branches: int = BRANCHES) -> None:
    """Give everybody a department, which is the code of a branch, and a manager: one for each ten people."""
    for number in range(branches):
        company.docebo.add_branch(f"B{number}", f"Branch {number}")
    ids = [str(user["id"]) for user in company.slack if user["profile"].get("email") and not user.get("deleted")]
    for place, slack_id in enumerate(ids):
        said = {"department": f"B{place % branches}"}
        company.slack.scim[slack_id] = said | ({"manager": ids[(place - 1) // SPAN]} if place else {})


def _calls(company: Sandbox, folder: str, database: str, rows: Mapping[str, str], plan: PlanAfterwards) -> Counter[str]:
    """Return the calls of one import with what follows it, by what was called."""
    facts = company.facts()
    of_scim = {"slack_scim_token": facts["scim_token"], "slack_scim_url": facts["scim_url"]}
    settings: Settings = settings_for(facts, f"sqlite:///{folder}/{database}.db", docebo_timeout_seconds=60, **of_scim)
    prove(settings)
    before = company.slack_gate.counters.calls + company.docebo_gate.counters.calls
    asyncio.run(import_then(settings, rows, plan))
    return company.slack_gate.counters.calls + company.docebo_gate.counters.calls - before


async def plan_managers_alone(runtime: Runtime, workspace: Workspace, listed: SourceSnapshot) -> str | None:
    """Return the id of the plan of managers."""
    plan_id, _ = await plan_managers(runtime, workspace, listed)
    return plan_id


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
