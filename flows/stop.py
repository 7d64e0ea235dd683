"""Flows *stop* and *go*: the order that nothing be written to Docebo, given and taken back."""

from typing import Annotated

from prefect import flow

from slack_docebo.engine.writing import halting
from tasks.forms import titled
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, renew_status_page


@flow(name="stop", flow_run_name="stop", **ON_TROUBLE)
@concluded
async def stop(reason: Annotated[str, titled("Why, for those who meet the order", max_length=200)] = "") -> str:
    """Let no run write anything to Docebo from its next batch on, until *go*; what is planned or waits stays.

    Args:
        reason: Shown by doctor and by each run that meets the order. No names: everybody who sees Prefect sees it.
    """
    told = halting.stop(reason)
    await renew_status_page()
    return told


@flow(name="go", flow_run_name="go", **ON_TROUBLE)
@concluded
async def go() -> str:
    """Let runs write again after *stop*."""
    told = halting.go()
    await renew_status_page()
    return told
