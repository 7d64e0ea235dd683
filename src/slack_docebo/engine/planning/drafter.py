"""The drafter: it fills a draft, person by person; whoever it fails for keeps nobody else waiting."""

from collections.abc import Collection, Iterable, Sequence
from itertools import chain

from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.planning.absences import Absences, not_planned
from slack_docebo.engine.planning.drafts import Draft
from slack_docebo.engine.planning.people import (
    as_decided,
    in_grace,
    keep_found_accounts,
    keep_observations,
    note_names,
    plan_people,
)
from slack_docebo.engine.reporting.orphans import OrphanSearch
from slack_docebo.errors import Halted, LockLost, PlatformMismatch, StorageError
from slack_docebo.runtime import Runtime
from slack_docebo.storage.statements import chunks

EVERYBODYS = (Halted, LockLost, PlatformMismatch)  # errors that are no single person's
NOBODY_PLANNED = 20  # people for whom it may fail one after the other before it succeeds for anybody


class Drafter:
    """Stores in a draft what a planner finds for each person and, if that is no trial, what was learned of them."""

    def __init__(
        self, runtime: Runtime, draft: Draft, planner: Planner, *, trusting: bool, orphans: OrphanSearch | None
    ) -> None:
        self._runtime = runtime
        self._draft = draft
        self._planner = planner
        self._trusting = trusting
        self._orphans = orphans

    def plan(self, users: Sequence[SourceUser], absences: Absences | None = None) -> None:
        """Plan for *users* and store the operations; *absences*, if given, gets people for whom Docebo has to be asked.

        If planning fails, it is done in halves, until the person for whom it fails is alone; that person is left alone,
        with the error as the reason. Raises the error if it would hit everybody.
        """
        draft, found = self._draft, self._planner.found
        before = draft.state, found.people, found.forgotten
        try:
            self._plan_at_once(users, absences)
        except EVERYBODYS:
            raise
        except Exception as error:
            draft.state, found.people, found.forgotten = before
            if isinstance(error, StorageError):
                with self._runtime.store.transaction(durable=False) as tables:  # raises where nothing can be stored
                    tables.plans.read(draft.plan_id)
            if len(users) > 1:
                middle = len(users) // 2
                for half in (users[:middle], users[middle:]):
                    self.plan(half, absences)
                return
            if not draft.planned and len(draft.not_planned) >= NOBODY_PLANNED:
                raise
            draft.not_planned |= {user.slack_id for user in users}
            with self._runtime.store.transaction() as tables:
                draft.add(tables, [not_planned(user.slack_id, draft.team, error) for user in users])

    def plan_absent(self, absences: Absences) -> None:
        """Plan for the absent people, by the answers about them."""
        runtime, draft, planner = self._runtime, self._draft, self._planner
        with runtime.store.transaction() as tables:
            left = list(absences.operations(planner, trusting=self._trusting))
            back, now = absences.back(planner.policy), runtime.now()
            absent = in_grace(tables, planner, left, now=now, read_since=runtime.begun, back=back)
            draft.add(tables, as_decided(tables, draft.team, absent))
            if not draft.is_trial:
                keep_observations(tables, draft.docebo, draft.team, planner.found, now=now)
        if self._orphans:
            self._orphans.look_at_gone(absences.missing.values())

    def plan_again(
        self, slack_ids: Collection[str], pages: Iterable[list[SourceUser]], *, settled: Collection[str]
    ) -> None:
        """Plan again for these people, and for all who lose a claim by that, except the *settled*; *pages* hold them."""
        planner, draft = self._planner, self._draft
        again, looked_after = set(slack_ids), planner.found.people  # they were counted when they were planned first
        while again:  # one of them may have a better claim than another
            planner.claims.outdone.clear()
            with self._runtime.store.transaction() as tables:
                draft.withdraw(tables, again)
            for users in chunks(user for user in chain.from_iterable(pages) if again.intersection(user.ids)):
                self.plan(users)
            again = planner.claims.outdone.difference(settled, draft.not_planned)
        planner.found.people = looked_after

    def keep_found_accounts(self) -> None:
        """Store whose the accounts are that were found, unless this is a trial."""
        draft = self._draft
        for some in chunks(self._planner.found.accounts.items()) if not draft.is_trial else ():
            with self._runtime.store.transaction() as tables:  # one for each, so that nobody waits for long
                keep_found_accounts(tables, draft.docebo, draft.team, dict(some), now=self._runtime.now())

    def _plan_at_once(self, users: Sequence[SourceUser], absences: Absences | None) -> None:
        """Plan for all *users* in one transaction."""
        runtime, draft = self._runtime, self._draft
        with runtime.store.transaction() as tables:
            planned = plan_people(
                tables,
                draft.docebo,
                self._planner,
                users,
                now=runtime.now(),
                read_since=runtime.begun,
                trusting=self._trusting,
                orphans=None if absences is None else self._orphans,
                holds_back=absences is not None,
            )
            draft.add(tables, planned.operations)
            if not draft.is_trial:
                keep_observations(tables, draft.docebo, draft.team, self._planner.found, now=runtime.now())
                note_names(tables, draft.team, users, runtime.behaviour.people_shown)
        draft.planned += len(users)
        if absences is not None:
            absences.held_back += planned.held_back
