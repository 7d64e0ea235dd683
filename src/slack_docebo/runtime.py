"""The runtime of one run: its settings, both clients, the store, and the gate before Docebo's batch calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from slack_docebo.clients.docebo import DoceboClient, open_docebo
from slack_docebo.clients.docebo_auth import ClientCredentials, Grant, JwtBearer, Password
from slack_docebo.clients.exchanges import Recorder
from slack_docebo.clients.scim import ScimClient, open_scim
from slack_docebo.clients.slack import SlackClient, open_slack
from slack_docebo.current_settings import Current
from slack_docebo.domain.branches import Branches
from slack_docebo.domain.mirror import Mirror
from slack_docebo.domain.rules import custom_fields
from slack_docebo.domain.sources import OF_LOCALE
from slack_docebo.domain.user_groups import UserGroup
from slack_docebo.integration_settings import IntegrationSettings
from slack_docebo.settings import DoceboSettings, Settings
from slack_docebo.storage.budget import CallBudget
from slack_docebo.storage.gate import BatchGate
from slack_docebo.storage.store import Store


@dataclass
class OrgChart:
    """Docebo's branches as this run knows them; they are read if a rule or a setting names one."""

    branches: Branches | None = None
    read_at: datetime | None = None
    of_leavers: int | None = None  # the branch to which accounts of leavers are moved, if they are


@dataclass
class Managers:
    """Docebo's managers as this run knows them, if a rule names any."""

    type_id: int | None = None  # of those that are written
    has_one_type: bool = False  # whether Docebo has no other
    # As rows name managers; by account, as this run has seen them.
    usernames: dict[int, str] = field(default_factory=dict)
    planned: dict[int, str] = field(default_factory=dict)  # their Slack ids when the plan was made, by account


@dataclass
class UserGroups:
    """Slack's user groups, where the scope names any."""

    by_id: dict[str, UserGroup] = field(default_factory=dict)
    read_at: datetime | None = None


@dataclass
class Listing:
    """The last listing of all of Docebo's accounts in this run."""

    began_at: datetime | None = None  # None before the first
    took: timedelta = timedelta()
    accounts: int = 0


@dataclass
class Evidence:
    """The calls that this run has made, and may make, to ask for people and accounts one by one."""

    calls: int = 0
    at_most: int = 0  # that were expected to be needed
    renewals: int = 0  # of the calls, those about people whom a list shows as before an event
    last_looks: int = 0  # of the calls, those about accounts right before they are shut
    renews_no_more: bool = False  # Slack has answered nobody: such people are left alone


class Runtime:
    """Everything that a run reads from and writes to, and what it has learned.

    A function that uses one part of it, or only the store and Docebo's address, takes these instead.
    A plain class on purpose: Prefect looks into dataclasses and pydantic models among a task's arguments.
    """

    def __init__(
        self,
        settings: Settings,
        behaviour: IntegrationSettings,
        store: Store,
        *,
        slack: SlackClient,
        docebo: DoceboClient,
        gate: BatchGate,
        budget: CallBudget,
        run_id: str,
        run_name: str = "",
    ) -> None:
        self.settings = settings
        self.behaviour = behaviour
        self.store = store
        self.slack = slack
        self.docebo = docebo
        self.gate = gate
        self.budget = budget
        self.run_id = run_id  # the Prefect flow run's id; it stands in the journal
        self.run_name = run_name or run_id  # what others are told who want to be alone as well
        self.mirror: Mirror | None = None  # known once the connection was validated
        # Of custom profile fields by their sources, where rules name any by label.
        self.profile_labels: dict[str, str] = {}
        self.field_titles: dict[str, str] = {}  # of the additional fields, likewise, where a rule fills any
        self.scim: ScimClient | None = None  # where there is a token for it
        self.org_chart = OrgChart()
        self.managers = Managers()
        self.groups = UserGroups()
        self.ids_looked_up: set[str] = set()  # of people whom the scope or a decision names, in an organisation
        self.listing = Listing()
        self.evidence = Evidence()
        self.begun = self.now()

    def mirror_into(self, mirror: Mirror) -> None:
        """Read the fields of *mirror* with each account, and fill them if mappings are written."""
        self.mirror = mirror
        self.docebo.want_fields(mirror.field_ids)
        if self.behaviour.map_slack_user_data:
            self.behaviour = self.behaviour.with_mirror(mirror.rules)

    def now(self) -> datetime:
        return datetime.now(UTC)

    @property
    def calls(self) -> dict[str, int]:
        """API calls made so far, by operation."""
        return {**self.slack.calls, **self.docebo.calls, **(self.scim.calls if self.scim else {})}


@asynccontextmanager
async def open_runtime(
    settings: Settings, behaviour: IntegrationSettings, *, run_id: str, run_name: str = ""
) -> AsyncIterator[Runtime]:
    """Open everything a run works with, and close it at the end; secrets exchanged meanwhile are taken up."""
    current = Current(settings)
    recorder = Recorder(settings.debug_record) if settings.debug_record else None
    store = Store.of(settings)
    try:
        gate = BatchGate(store, settings.docebo_url, grace_seconds=settings.docebo_timeout_seconds)
        budget = CallBudget(store, settings.docebo_url, settings.docebo_calls_per_hour)
        rules = behaviour.attributes
        with store.reading() as tables:
            known = tables.dialect(settings.docebo_url).known(datetime.now(UTC))
        async with (
            open_slack(
                lambda: current().slack_bot_token,
                base_url=settings.slack_api_url,
                page_size=settings.slack_page_size,
                calls_per_minute=settings.slack_calls_per_minute,
                with_locale=any(not OF_LOCALE.isdisjoint(rule.sources) for rule in rules),
                wanted_fields=custom_fields(rules),
                recorder=recorder,
            ) as slack,
            open_docebo(
                settings.docebo_url,
                lambda: grant(current()),
                timeout=settings.docebo_timeout_seconds,
                before_call=budget.spend,
                before_write=gate.begin_attempt,
                wanted_fields=frozenset(rule.field_id for rule in rules if rule.field_id),
                user_level=known.user_level,
                paging=known.pages,
                recorder=recorder,
            ) as docebo,
        ):
            runtime = Runtime(
                settings,
                behaviour,
                store,
                slack=slack,
                docebo=docebo,
                gate=gate,
                budget=budget,
                run_id=run_id,
                run_name=run_name,
            )
            async with _scim(settings, current, recorder) as runtime.scim:
                yield runtime
    finally:
        store.close()


@asynccontextmanager
async def _scim(
    settings: Settings, current: Current[Settings], recorder: Recorder | None
) -> AsyncIterator[ScimClient | None]:
    if settings.slack_scim_token is None:
        yield None
        return
    token = settings.slack_scim_token
    async with open_scim(
        lambda: current().slack_scim_token or token, base_url=settings.slack_scim_url, recorder=recorder
    ) as scim:
        yield scim


def grant(settings: DoceboSettings) -> Grant:
    """Return the OAuth2 grant whose credentials *settings* hold."""
    client = settings.docebo_client_id, settings.docebo_client_secret
    if settings.docebo_password:
        return Password(*client, settings.docebo_username, settings.docebo_password)
    if settings.docebo_private_key:
        return JwtBearer(*client, settings.docebo_username, settings.docebo_private_key)
    return ClientCredentials(*client)
