"""A plan carried out, and what became of it reported."""

from slack_docebo.engine.reporting.summary import Summary
from slack_docebo.runtime import Runtime
from tasks.map_user_details import map_user_details
from tasks.process_user_details import process_user_details
from tasks.report_outcome import report_outcome


async def carry_out(runtime: Runtime, plan_id: str, *, dry_run: bool = False) -> Summary:
    """Do what the plan says, unless it is a *dry_run*; report what became of it, also where that ends half-way."""
    try:
        if not dry_run:
            await process_user_details(runtime, plan_id)
            await map_user_details(runtime, plan_id)
    finally:
        summary = await report_outcome(runtime, plan_id)
    return summary
