"""What the small process imports that all runs are forked from, before the first of them: all that a run needs.

Nobody else imports this.
"""

import gc
import os

import deployments.flow_run
import deployments.our_flows  # noqa: F401

os.setsid()  # a signal to the worker's group is for the worker, who ends the runs
gc.freeze()  # else each child's garbage collector would write to, and so copy, the memory they share
