"""`python -m deployments.services_health`: whether Prefect's background services still do what recurs.

Prefect's scheduler, like its other services, is a task that sets the moment of its next turn in Redis. If that has long
passed, or is gone with what Redis held, no schedule starts a run, while everything answers. This looks at Redis alone:
importing Prefect would take seconds at each check.
"""

import os
import sys
import time

from redis import Redis
from redis.exceptions import RedisError

ADDRESS = "PREFECT_SERVER_DOCKET_URL"
DOCKET = "prefect"  # that of `prefect server services start`
SCHEDULER = "schedule_deployments"  # has a turn each minute
PATIENCE = 120.0  # seconds after its turn


def main() -> int:
    """Print what is wrong, and return 1, or return 0."""
    key = f"{DOCKET}:runs:{SCHEDULER}"
    try:
        with Redis.from_url(os.environ[ADDRESS], socket_timeout=5, socket_connect_timeout=5) as redis:
            turn = redis.hget(key, "when")
    except RedisError as error:
        print(f"Redis does not answer: {error}", file=sys.stderr)
        return 1
    if turn is None:
        print("Redis knows of no next turn of the scheduler: it may have come back empty", file=sys.stderr)
        return 1
    if (overdue := time.time() - float(turn)) > PATIENCE:
        print(f"the scheduler should have had its turn {overdue:.0f} seconds ago", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
