"""Flow *doctor*: is everything in place, and what is to be done where it is not."""

from prefect import flow

from slack_docebo.engine.looking.diagnosis import Diagnosis
from slack_docebo.errors import SyncError
from tasks.examine_installation import examine_installation
from tasks.hooks import ON_TROUBLE
from tasks.run import concluded, renew_status_page


@flow(name="doctor", flow_run_name="doctor", **ON_TROUBLE)
@concluded
async def doctor() -> Diagnosis:
    """Examine the installation as the worker sees it, like `slack-docebo doctor`; fail if a check fails.

    The result is an artifact of this run: a row for each check.
    """
    diagnosis = await examine_installation()
    await renew_status_page()  # what it says of the connection may have been mended
    if diagnosis.failed:
        raise SyncError(diagnosis.line)
    return diagnosis
