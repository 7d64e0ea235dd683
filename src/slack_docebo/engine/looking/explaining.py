"""One person explained: what both sides show, what the rules do, and what happened before. Nothing is written."""

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from datetime import datetime

from slack_docebo.clients.slack import SlackClient
from slack_docebo.domain.addresses import as_meant
from slack_docebo.domain.attributes import current_value, same
from slack_docebo.domain.decisions import Decision
from slack_docebo.domain.exclusion import FORGOTTEN
from slack_docebo.domain.matching import UNCONFIRMED, Accounts, FoundBy, Match
from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.operations import Kind, Operation
from slack_docebo.domain.people import SLACK_ID, Account, Known, Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.returns import NOT_ASKED
from slack_docebo.domain.rules import AttributeRule
from slack_docebo.domain.sources import said
from slack_docebo.engine.planning.people import as_decided, in_grace, plan_people
from slack_docebo.engine.planning.returners import look_for_leavers
from slack_docebo.engine.reading.accounts import look_up
from slack_docebo.engine.reading.connection import validate
from slack_docebo.engine.reading.evidence import observe_account, observe_person
from slack_docebo.engine.reporting.outcomes import IN_WORDS
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import JournalEntry
from slack_docebo.storage.plans import Plan
from slack_docebo.storage.standings import Period
from slack_docebo.storage.tables import Tables

HISTORY = 10
DOCEBO_ID = re.compile(r"docebo:([1-9][0-9]{0,17})", re.IGNORECASE)
NOT_SHOWN = "Docebo does not show what the account has: written when the result changes"
NOT_SAID = "not said by Slack"
HIDDEN = "Slack's search by e-mail hides deactivated people: if this one has left, ask by Slack id"


@dataclass(frozen=True, slots=True)
class Compared:
    """One rule for one person: what it reads, its result, and what the account has."""

    name: str  # the attribute
    rule: str
    inputs: MappingType[str, str | None]  # what Slack says, by source; None: it does not say
    source: str  # the result, in the form in which Docebo keeps it; "" where there is none
    target: str | None  # None: there is no account
    same: bool
    note: str = ""

    @property
    def reads(self) -> str:
        """The inputs in one line, with their values."""
        return ", ".join(f"{name}: {NOT_SAID if value is None else repr(value)}" for name, value in self.inputs.items())

    @property
    def unsaid(self) -> str:
        """The inputs that Slack does not say, without any value."""
        return ", ".join(name for name, value in self.inputs.items() if value is None)


@dataclass(slots=True)
class Explanation:
    """Everything that is known about one person; values are personal, `lines` holds none."""

    slack_id: str = ""
    user: SourceUser | None = None
    seen: Observation[SourceUser] = NOT_ASKED
    out_of_scope: str = ""  # why; "" when in scope
    known: Known | None = None  # which account the person has, or had last
    match: Match = field(default_factory=Match)
    account: Account | None = None
    attributes: list[Compared] = field(default_factory=list)
    operation: Operation | None = None
    decisions: list[Decision] = field(default_factory=list)  # by hand: what binds runs, and what was acknowledged
    history: list[tuple[Plan, JournalEntry]] = field(default_factory=list)
    left_alone: list[Period] = field(default_factory=list)  # the newest first
    last_look: datetime | None = None  # when a run last looked at everybody
    notes: list[str] = field(default_factory=list)

    @property
    def mapping(self) -> Mapping | None:
        """The person's mapping."""
        return self.known if isinstance(self.known, Mapping) else None

    @property
    def is_about_somebody(self) -> bool:
        """Whether Slack, Docebo or the journal knows the person who was asked for."""
        return any((self.user, self.account, self.known, self.history, self.left_alone))

    @property
    def line(self) -> str:
        """One line without a name in it, for states and logs: what an import would do."""
        if not self.is_about_somebody:
            return "nobody was found: is it the right id?"
        operation = self._operation() if self.operation else "nothing would be done"
        return f"{self.slack_id or 'nobody in Slack'}: {operation}"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Questions and answers by id and attribute name, without anybody's data."""
        return [
            ("In Slack", self._in_slack()),
            ("In scope", self._in_scope()),
            ("Mapped", f"to account {self.mapping.docebo_id}" if self.mapping else "no"),
            ("Account", self._account()),
            ("Would be done", self._operation()),
            *(("Decided by hand", self._decided(one)) for one in self.decisions),
            *(("Left alone", self._left_alone(period)) for period in self.left_alone),
            *(("Note", note) for note in self.notes),
        ]

    @property
    def names(self) -> list[tuple[str, str]]:
        """How the person is called on each side, and the addresses."""
        sides = []
        if self.user:
            sides.append(("Called in Slack", f"{self.user.real_name or self.user.display_name}, {self.user.email}"))
        if self.account:
            called = f"{self.account.first_name} {self.account.last_name}, {self.account.email}"
            sides.append(("Called in Docebo", f"{called}, username {self.account.username}"))
        return sides

    @property
    def next_steps(self) -> list[Step]:
        """What can be done about the person, if there is one."""
        if not (self.slack_id and self.is_about_somebody):
            return []
        alone = {"slack_ids": [self.slack_id]}
        return [
            Step(
                "Bring just this person in line: see first what that does", "realtime-sync", {**alone, "dry_run": True}
            ),
            Step("Decide about this person", "decide", alone),
            Step("Show what is kept about this person", "personal-data", {"slack_id": self.slack_id}),
        ]

    def _in_slack(self) -> str:
        if self.user is None:
            return f"no user {self.slack_id}" if self.slack_id else "not found"
        return f"{self.user.slack_id}, deactivated" if self.user.deactivated else self.user.slack_id

    def _in_scope(self) -> str:
        if self.user is None:
            return "nobody to look at"
        return f"no: {self.out_of_scope}" if self.out_of_scope else "yes"

    def _account(self) -> str:
        if self.match.problem:
            return self.match.problem
        if self.account is None:
            return "none found"
        inactive = "" if self.account.active else ", inactive"
        how = f", found by {self.match.by}" if self.match.by else ""
        return f"{self.account.docebo_id}{inactive}{how}"

    def _left_alone(self, period: Period) -> str:
        """Say why, from when to when.

        A period without an end still held when everybody was last looked at, which is told.
        """
        if period.until:
            return f"from {in_utc(period.since)} to {in_utc(period.until)}: {period.standing.reason}"
        seen = f"; last looked at {in_utc(self.last_look)}" if self.last_look and self.last_look > period.since else ""
        return f"since {in_utc(period.since)}: {period.standing.reason}{seen}"

    def _decided(self, decision: Decision) -> str:
        of = f", of: {'; '.join(decision.reasons)}" if decision.reasons else ""
        return f"{decision.verdict}, since {in_utc(decision.since)}{of}"

    def _operation(self) -> str:
        if self.operation is None:
            return "nothing"
        what = f" {', '.join(self.operation.changes)}" if self.operation.changes else ""
        return f"{IN_WORDS.get(self.operation.kind, self.operation.kind)}{what} ({self.operation.reason})"


async def explain(runtime: Runtime, who: str) -> Explanation:
    """Explain the person with this e-mail address, Slack id or `docebo:ID`, at a few calls.

    Raises ConfigurationError for anything else, and what `validate` raises.
    """
    who = as_meant(who)
    by_docebo, by_email = DOCEBO_ID.fullmatch(who), "@" in who
    if not (by_docebo or by_email or SLACK_ID.fullmatch(who)):
        raise ConfigurationError("name the person by e-mail address, Slack id (U...) or docebo:ID")
    workspace = await validate(runtime, pin=False)
    policy = runtime.behaviour.policy(workspace.team)
    found = Explanation(slack_id="" if by_docebo or by_email else who)
    near = Accounts()
    if by_docebo:
        await _start_at_account(runtime, workspace.team, int(by_docebo[1]), found=found, near=near)
    elif by_email:
        await _start_at_address(runtime, workspace.team, who, found=found, near=near)
    if found.slack_id and found.user is None:
        found.seen = await observe_person(runtime, found.slack_id)
        if isinstance(found.seen, Present):
            found.user = found.seen.value
    if found.user:
        found.slack_id = found.user.slack_id  # where Slack knows the person under two ids, the one that counts
    with runtime.store.reading() as tables:
        person = found.user or SourceUser(found.slack_id, workspace.team)
        found.known = (
            tables.mappings(runtime.settings.docebo_url).known_of_people(workspace.team, [person]).get(found.slack_id)
        )
        if found.slack_id:
            _look_back(tables, runtime.settings.docebo_url, workspace.team, found)
    await look_up(runtime, [(person, found.known)], near)
    planner = Planner(policy, near)
    _judge(runtime, planner, found)
    if found.operation and found.operation.kind is Kind.CREATE:
        await look_for_leavers(runtime, planner, [[found.operation]])
    if planner.returns.settle({one: await observe_person(runtime, one) for one in planner.returns.holders}):
        _judge(runtime, planner.anew(), found)
    return found


async def _start_at_account(runtime: Runtime, team: str, docebo_id: int, *, found: Explanation, near: Accounts) -> None:
    """Find the person of the account: by the mapping, else by the account's e-mail address."""
    seen = await observe_account(runtime.docebo, docebo_id)
    viewed = seen.value if isinstance(seen, Present) else None
    if isinstance(seen, Gone):
        found.notes.append(seen.evidence)
    elif isinstance(seen, Unknown):
        found.notes.append(seen.why)
    with runtime.store.reading() as tables:
        found.slack_id = tables.mappings(runtime.settings.docebo_url).holders(team, [docebo_id]).get(docebo_id, "")
    if viewed:
        near.add(await runtime.docebo.find_users(viewed.username))  # the view lacks attributes that the search has
        if not found.slack_id and viewed.email:
            await _search_slack(runtime.slack, viewed.email, found)
    found.account = near.get(docebo_id) or viewed


async def _start_at_address(runtime: Runtime, team: str, address: str, *, found: Explanation, near: Accounts) -> None:
    """Find the person with the address: by the mapping of the account that has it, else in Slack.

    The mapping comes first because it also knows deactivated people.
    """
    near.add(await runtime.docebo.find_users(address))
    with runtime.store.reading() as tables:
        holders = tables.mappings(runtime.settings.docebo_url).holders(team, [account.docebo_id for account in near])
    if len(holders) == 1:
        found.slack_id = next(iter(holders.values()))
        return
    await _search_slack(runtime.slack, address, found)


async def _search_slack(slack: SlackClient, address: str, found: Explanation) -> None:
    user = await slack.find_user(address)
    if user is None:
        found.notes.append(HIDDEN)
        return
    found.slack_id = user.slack_id


def _look_back(tables: Tables, docebo: str, team: str, found: Explanation) -> None:
    """Read what runs have done about the person, and the periods in which they left the person alone."""
    found.history = tables.journal.history(found.slack_id, HISTORY)
    decided = (tables.binding(team), tables.acknowledged(team))
    found.decisions = [decisions[found.slack_id] for decisions in decided if found.slack_id in decisions]
    found.left_alone = tables.standings.history(docebo, team, found.slack_id)[:HISTORY]
    last = tables.plans.last_whole(docebo, team)
    found.last_look = last.created_at if last else None


def _judge(runtime: Runtime, planner: Planner, found: Explanation) -> None:
    """Apply the rules of a run; what they would do is only explained."""
    policy = planner.policy
    if found.user:
        found.out_of_scope = policy.scope.reason_against(found.user)
        found.match = planner.match(found.user, found.known)
        with runtime.store.reading() as tables:
            planned = plan_people(tables, runtime.settings.docebo_url, planner, [found.user], now=runtime.now())
        if planned.operations:
            found.operation = planned.operations[0]
        else:
            found.out_of_scope = FORGOTTEN
    elif found.mapping:
        found.match = Match(planner.accounts.get(found.mapping.docebo_id), FoundBy.MAPPING)
        operation = planner.plan_unlisted(found.mapping, found.seen)
        with runtime.store.reading() as tables:
            graced = in_grace(tables, planner, [operation], now=runtime.now())
            (found.operation,) = as_decided(tables, policy.scope.team, graced)
    if found.match.account:
        found.account = found.match.account
    if found.user:
        found.attributes = compared(found.user, found.account, policy, runtime.profile_labels)


def compared(
    user: SourceUser, account: Account | None, policy: Policy, labels: MappingType[str, str]
) -> list[Compared]:
    """Return what each rule makes of *user*, and what *account* has; *labels* name the sources that have one."""
    rows = []
    user = policy.scope.as_member(user)
    for rule in policy.rules:
        told = rule.value(user)
        target = None if account is None else current_value(account, rule.target) or ""
        source = told or ""
        note = "written on creation only" if rule.on_create_only else ""
        if not source and not (rule.clear and told is not None):
            note = f"{_why_not(rule, user)}: left as it is"
        elif account and current_value(account, rule.target) is None:
            note = NOT_SHOWN
        inputs = {labels.get(name, name): said(user, name) for name in rule.sources}
        is_same = target is not None and same(rule.target, source, target)
        rows.append(
            Compared(
                name=rule.target,
                rule=rule.written or str(rule),
                inputs=inputs,
                source=source,
                target=target,
                same=is_same,
                note=note,
            )
        )
    return rows


def _why_not(rule: AttributeRule, user: SourceUser) -> str:
    """Say why *rule* has no value for *user*."""
    if lacking := rule.shortfall(user):
        return lacking.why
    if "email" in rule.sources and user.unconfirmed:
        return UNCONFIRMED
    return NOT_SAID if rule.value(user) is None else "empty in Slack"
