"""`python -m deployments.prefect_command ...`: Prefect's own command, in half the time where it deploys many flows.

It makes five clients for each of them, and all read the authorities' certificates but for `share_certificates`.
"""

from prefect.cli import app

from deployments.shared_certificates import share_certificates

if __name__ == "__main__":
    share_certificates()
    app()
