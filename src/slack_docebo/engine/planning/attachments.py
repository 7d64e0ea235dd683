"""Attachments: files that go with a plan: orphans, values that accounts do not get, and branches to make for them."""

from collections import Counter
from collections.abc import Sequence

from slack_docebo.domain.branches import to_be_made
from slack_docebo.domain.rules import NO_BRANCH, Shortfall
from slack_docebo.domain.targets import BRANCH
from slack_docebo.engine.reporting.files import (
    branches_file,
    orphan_file,
    values_file,
    write_branches,
    write_orphans,
    write_values,
)
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.runtime import Runtime
from slack_docebo.storage.plans import Facts


def tell_orphans(runtime: Runtime, plan_id: str, orphans: OrphanSearch) -> Facts:
    """Write the file of orphans; return their numbers, and why the file could not be written, "" if it could."""
    file = orphan_file(runtime.settings.report_dir, plan_id)
    found, fault = write_orphans(orphans.found(), file, runtime.behaviour.people_shown)
    return {"orphans": found, "orphan_fault": fault}


def tell_shortfalls(runtime: Runtime, plan_id: str, shortfalls: Sequence[Shortfall]) -> Facts:
    """Write the files of values that accounts do not get, and of branches to make; return facts like `tell_orphans`."""
    folder = runtime.settings.report_dir
    found, fault = write_values(shortfalls, runtime.field_titles, values_file(folder, plan_id))
    facts: dict[str, object] = {"shortfalls": found, "shortfall_fault": fault}
    wanted = Counter(one.value for one in shortfalls if one.target == BRANCH and one.why == NO_BRANCH)
    if runtime.org_chart.branches and (new := to_be_made(wanted, runtime.org_chart.branches)):
        fault = write_branches(new, branches_file(folder, plan_id))
        facts |= {"missing_branches": len(new), "missing_branches_fault": fault}
    return facts
