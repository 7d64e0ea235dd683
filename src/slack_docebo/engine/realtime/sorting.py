"""Sorting: which cases of a round need no call, which have to be read from Slack, and which compared with Docebo."""

from collections.abc import Collection, Iterable
from dataclasses import replace

from slack_docebo.domain.operations import Kind
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.stamps import NOT_BELIEVED, TOLERANCE, UNSTAMPED
from slack_docebo.engine.realtime.merging import Case, is_complete, is_newer, is_outdone, restored
from slack_docebo.engine.realtime.serve_result import Became
from slack_docebo.engine.realtime.settling import Settlement
from slack_docebo.engine.writing.admitting import LISTED
from slack_docebo.errors import told
from slack_docebo.runtime import Runtime
from slack_docebo.storage.reads import ProvenRead, slack_source


class Sorter:
    """Sorts the cases of one round by what is stored about the people; cases that need no call are settled at once."""

    def __init__(self, runtime: Runtime, team: str, planner: Planner, settlement: Settlement) -> None:
        self._runtime = runtime
        self._team = team
        self._planner = planner
        self._settlement = settlement

    def without_forgotten(self, cases: Collection[Case]) -> list[Case]:
        """Delete the events of forgotten people, and return the other *cases*."""
        with self._runtime.store.reading() as tables:
            excluded = tables.exclusions.all()
        kept: list[Case] = []
        forgotten: list[Case] = []
        for case in cases:
            user = case.user or SourceUser(case.slack_id, "")
            (forgotten if excluded.cover(user) else kept).append(case)
        for case in forgotten:
            with self._runtime.store.transaction() as tables:
                tables.inbox.forget(case.slack_id)
        return kept

    def sort_out(self, cases: list[Case], superseded: list[str]) -> tuple[list[Case], list[Case]]:
        """Finish cases that need no call; return those to compare with Docebo, and those to read from Slack first."""
        people = {case.slack_id: case.user or SourceUser(case.slack_id, "") for case in cases}
        ids = [slack_id for user in people.values() for slack_id in user.ids]
        self._pass_incidents_on(cases)
        with self._runtime.store.reading() as tables:
            known = tables.applied(self._runtime.settings.docebo_url)
            applied = known.stamps(self._team, ids, now=self._runtime.now())
            mappings = tables.mappings(self._runtime.settings.docebo_url)
            of_people = mappings.known_of_people(self._team, people.values())
            cases = [replace(case, known=of_people.get(case.slack_id)) for case in cases]
            last_read = tables.reads.last(slack_source(self._team))
            linked = tables.platforms.linked_since(self._runtime.settings.docebo_url)
            # Once an event was tried, nobody knows what was written since: what was applied last tells nothing.
            unwritten = [case.slack_id for case in cases if self._lacks_fingerprint(case) and not case.tried]
            settled = tables.inbox.last_applied(unwritten, since=linked)
        cases = [replace(case, settled=settled.get(case.slack_id)) for case in cases]
        in_line: list[Case] = []
        todo: list[Case] = []
        to_read: list[Case] = []
        for case in cases:
            stamps = [applied.get(slack_id, UNSTAMPED) for slack_id in people[case.slack_id].ids]
            done = NOT_BELIEVED if NOT_BELIEVED in stamps else max(stamps)
            try:
                if not case.doubtful and case.updated < done <= case.newest.event.received_at.timestamp():
                    superseded += case.event_ids
                elif self._is_unsure(case, done) or self._says_too_little(case):
                    to_read.append(case)
                elif self._is_in_line(case):
                    in_line.append(case)
                elif case.updated == done or self._may_be_outdated(case, last_read):
                    to_read.append(case)
                else:
                    todo.append(case)
            except Exception as error:
                self._settlement.fail([case], told(error))
        self._settlement.finish(in_line, superseded, became=Became.IN_LINE)
        if costly := [case.slack_id for case in (*todo, *to_read)]:
            with self._runtime.store.transaction(durable=False) as tables:
                tables.shares.spend(costly, self._runtime.now())
        todo, outdone = self._without_outdone(todo) if todo else ([], [])
        return todo, [*to_read, *outdone]

    def not_in_line(self, cases: Collection[Case]) -> list[Case]:
        """Return the *cases* to compare with Docebo; finish those that are in line by what Slack has shown."""
        in_line: list[Case] = []
        others: list[Case] = []
        for case in self.without_forgotten(cases):
            try:
                (in_line if case.read and self._is_in_line(case) else others).append(case)
            except Exception as error:
                self._settlement.fail([case], told(error))
        self._settlement.finish(in_line, became=Became.IN_LINE)
        return others

    def _is_unsure(self, case: Case, done: int) -> bool:
        """Tell whether it is unclear, by clocks and stamps, how new the event is; *done* is the stamp last applied."""
        is_ahead = case.newest.event.received_at > self._runtime.now() + TOLERANCE
        return case.doubtful or is_ahead or case.updated < done or done == NOT_BELIEVED

    def _without_outdone(self, cases: Collection[Case]) -> tuple[list[Case], list[Case]]:
        """Return two lists: *cases* that are the newest, and those with a perhaps newer event that is set aside.

        An event is set aside that waits for another attempt, is parked, or was dropped.
        """
        by_id = {slack_id: case for case in cases for slack_id in case.person.ids}
        with self._runtime.store.reading() as tables:
            set_aside = tables.inbox.set_aside(self._team, by_id)
            outdone = {by_id[slack_id].slack_id for slack_id, entry in set_aside if is_outdone(by_id[slack_id], entry)}
        newest = [case for case in cases if case.slack_id not in outdone]
        return newest, [case for case in cases if case.slack_id in outdone]

    def _may_be_outdated(self, case: Case, last_read: ProvenRead | None) -> bool:
        """Tell whether something newer than the event may have been read or applied: then only Slack knows.

        So it is with an event that has waited for long, like those in a database restored from a backup.
        """
        has_waited = case.newest.event.received_at < self._runtime.now() - LISTED
        return has_waited or (last_read is not None and not is_newer(case, last_read.proven_at))

    def _pass_incidents_on(self, cases: Iterable[Case]) -> None:
        """Copy the incident with which a person waits to the newest event, which supersedes the one that has it."""
        if waiting := [case for case in cases if case.incident and case.newest.incident != case.incident]:
            with self._runtime.store.transaction() as tables:
                for case in waiting:
                    tables.inbox.mark(case.event_ids, case.incident)

    def _is_in_line(self, case: Case) -> bool:
        planned = self._planner.plan_trusting(*case.pair)
        return _is_unchanged(case) if planned is None else planned.kind is Kind.LEAVE

    def _says_too_little(self, case: Case) -> bool:
        """Tell whether the event alone does not show all that has to be known of the person."""
        policy = self._planner.policy
        written = policy.rules if policy.provision else ()
        return (
            case.user is None
            or not is_complete(case.user, written)
            or self._lacks_confirmation(case)
            or self._is_from_elsewhere(case)
        )

    def _lacks_confirmation(self, case: Case) -> bool:
        """Tell whether an account would be found or created although the event does not say enough about the person.

        That is so if it does not say whether the address is confirmed, or whether the person is a bot or a guest.
        """
        user, mapping = case.pair
        scope = self._planner.policy.scope
        says_nothing = not (user.confirmed or user.unconfirmed) or bool(scope.kind_in_doubt(user))
        return says_nothing and mapping is None and not scope.reason_against(user)

    def _is_from_elsewhere(self, case: Case) -> bool:
        """Tell whether the event shows a known person in another workspace only, where they alone may have left."""
        user = case.person
        return case.known is not None and bool(user.workspaces) and not user.is_member_of(self._team)

    def _lacks_fingerprint(self, case: Case) -> bool:
        """Tell whether there is no fingerprint that shows what was last written to the person's account.

        Administrators and people without an account have none; while provisioning is off, a fingerprint shows nothing.
        """
        mapping, policy = case.mapping, self._planner.policy
        recorded = mapping is not None and policy.provision and bool(mapping.fingerprint or mapping.deactivated)
        return policy.map and not recorded


def _is_unchanged(case: Case) -> bool:
    """Tell whether the event shows the same profile as the last applied one, so that there is nothing to do.

    This is for people without a fingerprint, which shows for others that they are unchanged.
    """
    settled = restored(case.settled)
    return settled is not None and replace(settled, updated=0) == replace(case.person, updated=0)
