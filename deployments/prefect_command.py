"""`python -m deployments.prefect_command ...`: Prefect's own command, which leaves paused what somebody has paused.

`prefect deploy` takes what `prefect.yaml` does not call paused for what is to run (`prefect/deployments/runner.py` of 3.x):
each update, and each start of `make up`, would switch on again a reconciliation that somebody has paused, and it writes
to everybody.

It deploys many flows in half the time, too: Prefect makes five clients for each of them, and all read the authorities'
certificates but for `share_certificates`.
"""

from uuid import UUID

from prefect.cli import app
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentUpdate

from deployments.shared_certificates import share_certificates

_update = PrefectClient.update_deployment


def main() -> None:
    """Run Prefect's command with the words of the command line."""
    share_certificates()
    PrefectClient.update_deployment = _update_but_for_pauses  # type: ignore[method-assign,assignment]  # (it has no other place for it)
    app()


async def _update_but_for_pauses(client: PrefectClient, deployment_id: UUID, deployment: DeploymentUpdate) -> None:
    deployment.model_fields_set.discard("paused")  # what is not set is not sent, and the server keeps it
    await _update(client, deployment_id, deployment)


if __name__ == "__main__":
    main()
