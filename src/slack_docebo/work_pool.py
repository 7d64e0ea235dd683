"""The work pool in Prefect: `deployments` makes it and serves it, and `doctor` looks for it."""

WORK_POOL = "slack-docebo-flows"
