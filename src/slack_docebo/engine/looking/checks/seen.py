"""What is examined, and what earlier checks have found for later ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from slack_docebo.clients.exchanges import Recorder
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.settings import DoctorSettings
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables

SECONDS = 10.0  # that an answer may take
FEW_CALLS = 50  # as many as the reconciliation of a small platform makes


@dataclass(slots=True)
class Seen:
    """One installation: its settings, and what the checks have found so far."""

    settings: DoctorSettings
    recorder: Recorder | None = None
    behaviour: IntegrationSettings | None = None  # None until the table of settings was read
    team: str = ""  # the workspace of the token; "" until Slack has taken it
    calls_left: int | None = None  # calls to Docebo that may be made at once; None until they were counted

    @property
    def has_few_calls(self) -> bool:
        """Whether so few calls to Docebo are left that checks leave them to runs."""
        return self.calls_left is not None and self.calls_left < FEW_CALLS

    @contextmanager
    def reading(self) -> Iterator[Tables]:
        """Open the database and read it."""
        with Store.of(self.settings) as store, store.reading() as tables:
            yield tables
