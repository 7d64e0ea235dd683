"""The branches of Docebo's organisation chart, read in one call."""

from datetime import timedelta

from slack_docebo.domain.branches import Branches
from slack_docebo.domain.targets import BRANCH
from slack_docebo.runtime import Runtime


async def read_branches(runtime: Runtime) -> Branches:
    """Read which branches there are: by these, rules find theirs from now on, and rows name them."""
    read_at = runtime.now()
    runtime.org_chart.branches = Branches.of(await runtime.docebo.branches())
    runtime.org_chart.read_at = read_at
    runtime.behaviour = runtime.behaviour.holding({BRANCH: runtime.org_chart.branches})
    return runtime.org_chart.branches


async def renew_branches(runtime: Runtime) -> None:
    """Read the branches where that was longer ago than EVIDENCE_MINUTES, or was not done yet.

    Asked before somebody is placed: one that was renamed is named as it is now, and who was to come to one that is gone waits.
    """
    read_at, oldest = runtime.org_chart.read_at, timedelta(minutes=runtime.behaviour.evidence_minutes)
    if read_at is None or runtime.now() - read_at > oldest:
        await read_branches(runtime)
