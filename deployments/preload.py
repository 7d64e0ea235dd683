"""What the small process imports that all runs are forked from, before the first of them: all that a run needs.

Nobody else imports this.
"""

import gc
import os
from importlib import import_module

import deployments.flow_run
import deployments.our_flows
from deployments.shared_certificates import share_certificates
from slack_docebo.clients.certificates import certificates

IN_THE_FIRST_MOMENTS_OF_A_RUN = (
    "anyio._backends._asyncio",
    "prefect.concurrency.asyncio",
    "prefect.task_engine",
    "prefect.utilities.visualization",
    "sqlalchemy.dialects.postgresql.psycopg",
    "psycopg",
)
for module in IN_THE_FIRST_MOMENTS_OF_A_RUN:
    import_module(module)

share_certificates()
certificates()
deployments.flow_run.note_worker_end()
os.setsid()  # a signal to the worker's group is for the worker, who ends the runs
gc.freeze()  # else each child's garbage collector would write to, and so copy, the memory they share
