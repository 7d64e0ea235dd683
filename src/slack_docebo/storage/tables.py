"""The tables of the store, as one transaction sees them."""

from collections.abc import Iterable

from sqlalchemy import Connection

from slack_docebo.domain.decisions import Decisions, latest
from slack_docebo.domain.standing import is_undecided
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.contacts import ContactRepository
from slack_docebo.storage.deactivations import DeactivationRepository
from slack_docebo.storage.decisions import DecisionRepository
from slack_docebo.storage.dialects import DialectRepository
from slack_docebo.storage.exclusions import ExclusionRepository
from slack_docebo.storage.expirations import ExpirationRepository
from slack_docebo.storage.gone_accounts import GoneAccountRepository
from slack_docebo.storage.halts import HaltRepository
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.intents import IntentRepository
from slack_docebo.storage.journal import JournalRepository
from slack_docebo.storage.leases import LeaseRepository
from slack_docebo.storage.leavers import LeaverRepository
from slack_docebo.storage.links import LinkRepository
from slack_docebo.storage.managers import ManagerRepository
from slack_docebo.storage.mappings import MappingRepository
from slack_docebo.storage.milestones import MilestoneRepository
from slack_docebo.storage.names import NameRepository
from slack_docebo.storage.operations import OperationRepository
from slack_docebo.storage.page_limits import PageLimitRepository
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.placements import PlacementRepository
from slack_docebo.storage.plans import PlanRepository
from slack_docebo.storage.platforms import UNKNOWN, PlatformRepository
from slack_docebo.storage.profiles import ProfileRepository
from slack_docebo.storage.reads import ReadRepository
from slack_docebo.storage.refusals import RefusalRepository
from slack_docebo.storage.setting_changes import SettingChangeRepository
from slack_docebo.storage.shares import ShareRepository
from slack_docebo.storage.sightings import SightingRepository
from slack_docebo.storage.standings import StandingRepository
from slack_docebo.storage.unfound import UnfoundRepository
from slack_docebo.storage.wake_ups import WakeUpRepository


class Tables:
    """The repositories of one transaction; they may be used until its block ends."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.contacts = ContactRepository(connection)
        self.decisions = DecisionRepository(connection)
        self.exclusions = ExclusionRepository(connection)
        self.halts = HaltRepository(connection)
        self.inbox = InboxRepository(connection)
        self.intents = IntentRepository(connection)
        self.journal = JournalRepository(connection)
        self.leavers = LeaverRepository(connection)
        self.leases = LeaseRepository(connection)
        self.links = LinkRepository(connection)
        self.milestones = MilestoneRepository(connection)
        self.names = NameRepository(connection)
        self.operations = OperationRepository(connection)
        self.page_limits = PageLimitRepository(connection)
        self.people = PersonRepository(connection)
        self.plans = PlanRepository(connection)
        self.platforms = PlatformRepository(connection)
        self.profiles = ProfileRepository(connection)
        self.reads = ReadRepository(connection)
        self.refusals = RefusalRepository(connection)
        self.setting_changes = SettingChangeRepository(connection)
        self.shares = ShareRepository(connection)
        self.standings = StandingRepository(connection)
        self.unfound = UnfoundRepository(connection)
        self.wake_ups = WakeUpRepository(connection)

    def applied(self, docebo: str = UNKNOWN) -> AppliedRepository:
        return AppliedRepository(self.connection, self.platforms, docebo)

    def deactivations(self, docebo: str) -> DeactivationRepository:
        return DeactivationRepository(self.connection, self.platforms, docebo)

    def dialect(self, docebo: str) -> DialectRepository:
        return DialectRepository(self.connection, self.platforms, docebo)

    def expirations(self, docebo: str) -> ExpirationRepository:
        return ExpirationRepository(self.connection, self.platforms, docebo)

    def gone_accounts(self, docebo: str) -> GoneAccountRepository:
        return GoneAccountRepository(self.connection, self.platforms, docebo)

    def managers(self, docebo: str) -> ManagerRepository:
        return ManagerRepository(self.connection, self.platforms, docebo)

    def mappings(self, docebo: str = UNKNOWN) -> MappingRepository:
        return MappingRepository(self.connection, self.platforms, docebo)

    def placements(self, docebo: str) -> PlacementRepository:
        return PlacementRepository(self.connection, self.platforms, docebo)

    def sightings(self, docebo: str) -> SightingRepository:
        return SightingRepository(self.connection, self.platforms, docebo)

    def binding(self, team: str) -> Decisions:
        """Return `DecisionRepository.binding` by all ids of the people."""
        return self._by_every_id(team, self.decisions.binding(team))

    def acknowledged(self, team: str) -> Decisions:
        """Return `DecisionRepository.acknowledged` by all ids of the people."""
        return self._by_every_id(team, self.decisions.acknowledged(team))

    def _by_every_id(self, team: str, decisions: Decisions) -> Decisions:
        theirs = self.people.by_every_id(team, decisions)
        return {slack_id: found for slack_id, ids in theirs.items() if (found := latest(decisions, ids))}

    def waiting(self, docebo: str, team: str, reasons: Iterable[str]) -> dict[str, str]:
        """Return the people who wait for a decision, as Slack ids with the reason, which is one of *reasons*.

        People of whom somebody has acknowledged that reason are left out.
        """
        undecided = self.standings.left_alone_for(docebo, team, filter(is_undecided, reasons))
        seen = self.acknowledged(team)
        return {one: why for one, why in undecided.items() if one not in seen or not seen[one].acknowledges(why)}

    def parked_as_acknowledged(self, team: str) -> int:
        """Count the workspace's parked events whose error somebody has acknowledged."""
        seen = self.acknowledged(team)
        return sum(seen[slack_id].acknowledges(error) for slack_id, error in self.inbox.parked_errors(team, seen))
