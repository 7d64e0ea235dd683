"""Absences: people and accounts that a list does not show. Each side is asked for them, once, before anything follows."""

from collections.abc import Iterator, Set
from dataclasses import dataclass, field, replace
from itertools import chain

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.decisions import never_touched
from slack_docebo.domain.leavers import acts_on_leaver, is_leaver
from slack_docebo.domain.observation import Observation, Present, Unknown
from slack_docebo.domain.operations import NO_LONGER_IN_SLACK, NOT_LISTED, NOT_PLANNED, Operation, leave_alone
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.returns import has_left
from slack_docebo.domain.standing import NOT_COMPARED, NOT_MAPPED
from slack_docebo.engine.planning.people import HeldBack
from slack_docebo.engine.reading.accounts import ask_for_unlisted
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import (
    ask_for_accounts,
    ask_for_people,
    check_calls,
    gone_people,
    note_ids,
    note_present,
)
from slack_docebo.engine.reading.missing import FEW, a_few, check_still_whole
from slack_docebo.engine.reading.organisation import check_excluded, find_under_other_ids
from slack_docebo.engine.reading.overtaken import overtaken
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import told
from slack_docebo.runtime import Runtime


@dataclass(slots=True)
class Absences:
    """Collects people who are in no list, or whose account is not listed, until each side was asked for them."""

    # In Slack, and the account is not listed, or there may be one that is not.
    held_back: list[HeldBack] = field(default_factory=list)
    missing: dict[str, Mapping] = field(default_factory=dict)  # mapped and not in Slack's list, by Slack id
    unmapped: list[str] = field(default_factory=list)  # not mapped and not in the list, and known by their standing
    seen: dict[str, Observation[SourceUser]] = field(default_factory=dict)  # what Slack says of the missing
    to_ask: list[str] = field(default_factory=list)  # of the missing
    # Not listed, and without a mapping: other people have the addresses of the accounts that were given to them.
    former_holders: list[str] = field(default_factory=list)
    # Not listed, and never to be touched, or named by the scope: under another id Slack may list them.
    named: list[str] = field(default_factory=list)
    # Not listed, and members of the user groups in scope: under another id Slack may list them.
    members: list[str] = field(default_factory=list)
    # Ids that are asked for, by the other ids under which these people are listed.
    shown_otherwise: dict[str, str] = field(default_factory=dict)

    def look_for_missing(
        self, runtime: Runtime, workspace: Workspace, planner: Planner, listed: SourceSnapshot, *, trusting: bool
    ) -> None:
        """Find the known people who are not in Slack's list, and those of them for whom Slack has to be asked.

        Slack is asked for people to whom something would be done (for none of them if *trusting*, which assumes that
        the target is unchanged), and for a few of the others, whose answers might show that the list is not whole.
        """
        docebo, team = runtime.settings.docebo_url, workspace.team
        gone = gone_people(runtime.store, team)
        note_present(runtime.store, team, [slack_id for slack_id in gone if slack_id in listed])
        with runtime.store.reading() as tables:
            mappings, standings = tables.mappings(docebo), tables.standings
            known = chain(mappings.slack_ids(team), standings.known(docebo, team))
            unlisted = {slack_id for slack_id in known if slack_id not in listed}
            self.missing = dict(sorted(mappings.of(team, unlisted).items()))
            told = standings.of(docebo, team, self.missing)
            gained = tables.people.other_ids(team, self.missing)
        if workspace.organisation:  # else nobody has another id
            _end_standings_under_local_ids(runtime, team, listed)
            self._look_for_named(runtime, team, listed, gone.keys())
        self.unmapped = sorted(unlisted - self.missing.keys())
        self.seen = {slack_id: gone.get(slack_id, Unknown(NOT_LISTED)) for slack_id in self.missing}
        for user in chain.from_iterable(listed) if gained else ():
            if former := gained.get(user.slack_id):  # Slack has said before that these are one person's
                self.seen[former] = Present(replace(user, local_id=former))
        unasked = [one for one in self.missing if one not in gone and not isinstance(self.seen[one], Present)]
        contested = planner.returns.holders
        unlisted_holders = {slack_id for slack_id in contested if slack_id not in listed}
        self.seen |= {slack_id: gone[slack_id] for slack_id in unlisted_holders & gone.keys()}
        self.former_holders = sorted(unlisted_holders - self.seen.keys())
        acted_on = [
            one
            for one in unasked
            if one in contested
            or (not trusting and acts_on_leaver(self.missing[one], planner.policy, planner.accounts))
        ]
        missed_before = {one for one, why in told.items() if why.reason.startswith((NOT_LISTED, NO_LONGER_IN_SLACK))}
        expected = listed.expected - missed_before - set(acted_on)
        others = [one for one in unasked if one in expected]
        self.to_ask = [*acted_on, *a_few(others)]
        if contested:
            shown = (user for user in chain.from_iterable(listed) if contested.intersection(user.ids))
            self.seen |= {slack_id: Present(user) for user in shown for slack_id in user.ids}

    def _look_for_named(self, runtime: Runtime, team: str, listed: SourceSnapshot, gone: Set[str]) -> None:
        """Find the people who are never to be touched, or whom the scope names, by an id that Slack's list lacks."""
        with runtime.store.reading() as tables:
            named = (never_touched(tables.decisions.binding(team)) | runtime.behaviour.ids_named) - gone
            members = runtime.behaviour.ids_of_members - gone
            known_as = tables.people.other_ids(team, named | members)
        found = {former for other, former in known_as.items() if other in listed}
        self.named = sorted(one for one in named - found if one not in listed)
        self.members = sorted(one for one in members - found if one not in listed)
        if self.named or self.members:  # known, they are known again under the other id
            with runtime.store.transaction() as tables:
                tables.people.register(team, {*self.named, *self.members}, now=runtime.now())

    async def ask(
        self,
        runtime: Runtime,
        workspace: Workspace,
        planner: Planner,
        listed: SourceSnapshot | None,
    ) -> None:
        """Ask Slack for the missing people, and Docebo for the missing accounts.

        Raises IncompleteRead before the first question if there are too many questions, and if Slack shows somebody
        whom its list should have held.
        """
        accounts = planner.accounts
        doubtful = [m for m in self.missing.values() if planner.asks_for_account(_left(m), m)]
        by_id = {*self.to_ask, *self.former_holders}
        if not (self.held_back or by_id or self.named or self.members or doubtful):
            return
        to_ask = sorted({*by_id, *self.named, *self.members})
        if listed is not None:
            shown = await find_under_other_ids(runtime, workspace, listed, to_ask)
            found = {slack_id: Present(user) for slack_id, user in shown.items()}
            await to_completion(note_ids, runtime.store, workspace.team, found)
            self.seen |= found
            settled = found.keys() | (runtime.ids_looked_up - by_id)
            to_ask = [slack_id for slack_id in to_ask if slack_id not in settled]
        wanted = {known.docebo_id: [user.email] for user, known in self.held_back if known}
        in_doubt = [*wanted, *(m.docebo_id for m in doubtful)]
        searches = len(accounts.ambiguous.intersection(in_doubt))
        check_calls(runtime, people=len(to_ask), accounts=len(in_doubt), searches=searches)
        former_ids = planner.returns.former_ids
        for some in (to_ask[:FEW], to_ask[FEW:]):  # a list that is not whole shows in the first few
            answers = await ask_for_people(runtime, workspace.team, some)
            await to_completion(note_ids, runtime.store, workspace.team, answers)
            if listed is not None:
                check_still_whole(workspace, listed, answers)
            # That a former id is gone says nothing of the person, whatever events there were lately.
            others = {one: seen for one, seen in answers.items() if one not in former_ids}
            self.seen |= answers | await to_completion(overtaken, runtime, workspace.team, others)
        staying = self.back(planner.policy).intersection(self.to_ask)  # leavers are planned for under the former id
        shown_now = {one: self.seen[one] for one in (*self.named, *self.members, *sorted(staying)) if one in self.seen}
        ids = {one: seen.value.slack_id for one, seen in shown_now.items() if isinstance(seen, Present)}
        self.shown_otherwise = {now: before for before, now in ids.items() if now != before}
        check_excluded(runtime.behaviour, [one for one in self.named if isinstance(self.seen.get(one), Unknown)])
        wanted |= {m.docebo_id: [_address(self.seen[m.slack_id])] for m in doubtful if has_left(self.seen[m.slack_id])}
        await ask_for_accounts(runtime, accounts, wanted)
        await ask_for_unlisted(runtime, accounts, [user.email for user, _ in self.held_back])

    def note_suspects(self, planner: Planner) -> None:
        """Note in *planner* which accounts of missing people may be somebody else's, if something would be done to them."""
        for slack_id, mapping in self.missing.items():
            account, is_told = planner.accounts.get(mapping.docebo_id), not isinstance(self.seen[slack_id], Unknown)
            if account and is_told and acts_on_leaver(mapping, planner.policy, planner.accounts):
                planner.note_other_bearer(_left(mapping), mapping, account)

    def operations(self, planner: Planner, *, trusting: bool) -> Iterator[Operation]:
        """Yield the operation for everybody who is not in Slack's list."""
        team = planner.policy.scope.team
        for slack_id in self.unmapped:
            yield _left_alone(slack_id, team, NOT_MAPPED)
        for slack_id, mapping in self.missing.items():
            if trusting:
                yield _left_alone(slack_id, team, NOT_COMPARED)
                continue
            try:
                yield planner.plan_unlisted(mapping, self.seen[slack_id])
            except Exception as error:  # whatever it is, it must not keep the plans of others waiting
                yield not_planned(slack_id, team, error)

    @property
    def hidden(self) -> int:
        """How many missing people Slack does not show when asked, so that nobody knows whether they have left."""
        return sum(isinstance(self.seen[slack_id], Unknown) for slack_id in self.to_ask)

    def back(self, policy: Policy) -> set[str]:
        """Return the Slack ids of missing people of whom Slack has said that they have not left."""
        return {
            slack_id
            for slack_id in self.missing
            if isinstance(seen := self.seen[slack_id], Present) and not is_leaver(seen.value, policy)
        }


def _end_standings_under_local_ids(runtime: Runtime, team: str, listed: SourceSnapshot) -> None:
    """End the standings of people under ids by which nobody plans for them any more: that of the organisation counts."""
    docebo, former = runtime.settings.docebo_url, {user.local_id for user in chain.from_iterable(listed)}
    with runtime.store.transaction() as tables:
        outgrown = former.intersection(tables.standings.known(docebo, team))
        tables.standings.replace(docebo, team, dict.fromkeys(outgrown), plan_id="", now=runtime.now())


def not_planned(slack_id: str, team: str, error: Exception) -> Operation:
    """Return the operation that leaves a person alone because planning has failed with *error*."""
    return _left_alone(slack_id, team, f"{NOT_PLANNED}: {told(error)}")


def _left_alone(slack_id: str, team: str, reason: str) -> Operation:
    return leave_alone(SourceUser(slack_id, team), team, reason)


def _address(seen: Observation[SourceUser]) -> str:
    return seen.value.email if isinstance(seen, Present) else ""


def _left(mapping: Mapping) -> SourceUser:
    """Return the person of *mapping* as somebody who has left."""
    return SourceUser(mapping.slack_id, mapping.slack_team, handle=mapping.slack_name, deactivated=True)
