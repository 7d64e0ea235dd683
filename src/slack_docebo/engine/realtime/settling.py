"""Settling: the results of a round's events are recorded in the inbox, and counted."""

from collections.abc import Sequence
from datetime import timedelta

from slack_docebo.domain.addresses import mailbox
from slack_docebo.domain.leavers import is_leaver
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.protection import NEVER_TOUCHED
from slack_docebo.domain.returns import left_with
from slack_docebo.engine.realtime.merging import Case, event_ids
from slack_docebo.engine.realtime.serve_result import Became, ServeResult
from slack_docebo.runtime import Runtime
from slack_docebo.storage.events import EventState
from slack_docebo.storage.tables import Tables


class Settlement:
    """Records the results of one round's cases in a workspace, and adds them to *served*."""

    def __init__(self, runtime: Runtime, team: str, served: ServeResult) -> None:
        self._runtime = runtime
        self._team = team
        self._served = served
        self.done: list[Case] = []  # of whom nothing newer than what these say was applied

    def settle(self, plan_id: str, cases: list[Case], reason: str) -> None:
        """Finish the cases that the plan brought in line, and let the others be tried again later.

        *reason* is their error if the plan has none. Whose account turned out to be one that is never touched is left
        alone, as if that had been known before.
        """
        with self._runtime.store.reading() as tables:
            entries = {entry.operation.slack_id: entry for entry in tables.operations.rows(plan_id)}
        settled = {Outcome.APPLIED, Outcome.LEFT}
        undone = {
            slack_id
            for slack_id, entry in entries.items()
            if entry.outcome not in settled and entry.error not in NEVER_TOUCHED
        }
        # Who is left alone because another one gets an account for the same address is not done with before that one.
        users = (case.person for case in cases if case.slack_id in undone)
        addresses = {mailbox(user.email) for user in users if user.email}
        applied, left = [], []
        for case in cases:
            entry = entries.get(case.slack_id)
            if entry is None:
                continue  # forgotten meanwhile, events and all
            if case.slack_id in undone:
                self.fail([case], entry.error or reason)
            elif entry.outcome is Outcome.APPLIED:
                applied.append((case, entry.operation))
            elif mailbox(case.person.email) in addresses:
                self.fail([case], entry.operation.reason)
            else:
                left.append((case, entry.error or entry.operation.reason))
        self.finish([case for case, _ in (*applied, *left)])
        now = self._runtime.now()
        for case, operation in applied:
            self._served.note(case.event_ids, Became.APPLIED, now, kind=operation.kind, why=operation.reason)
        for case, why in left:
            self._served.note(case.event_ids, Became.LEFT, now, why=why)

    def finish(self, cases: Sequence[Case], superseded: Sequence[str] = (), *, became: Became = Became.APPLIED) -> None:
        """Mark *cases* as done, with what they *became*, and the events in *superseded* as superseded.

        For people who are no leavers, the days of grace are reset, so that they begin anew if the person leaves again.
        That is done in the same transaction that makes the event visible to imports, so that no import counts the days
        by an older list.
        """
        policy, now = self._runtime.behaviour.policy(self._team), self._runtime.now()
        back = (case.user for case in cases if case.user and not is_leaver(case.user, policy))
        with self._runtime.store.transaction() as tables:
            inbox = tables.inbox
            kept = inbox.keep(event_ids(cases))  # a person who was forgotten meanwhile has none, and stays forgotten
            # Only those that this run still has: an import may have taken some to be tried again.
            inbox.finish(event_ids(cases), EventState.APPLIED, now, run=self._runtime.run_id)
            inbox.finish(superseded, EventState.SUPERSEDED, now, run=self._runtime.run_id)
            known = [case for case in cases if not kept.isdisjoint(case.event_ids)]
            # Whoever records what was applied changes events before people, too: otherwise both would wait for each other.
            ids = {case.slack_id for case in known}.union(*(case.user.ids for case in known if case.user))
            inbox.look_at_parked(self._team, ids, now=now)
            there = (case.user for case in cases if case.user and not (case.user.deactivated or case.user.forgotten))
            tables.people.note_gone(self._team, (slack_id for user in there for slack_id in user.ids), since=None)
            tables.leavers.clear(self._team, (slack_id for user in back for slack_id in user.ids))
            # What comes under one of two ids later is to be held against what was applied under the other.
            tables.people.register_both_ids(self._team, [case.user for case in known if case.user], now=now)
            for case in known:
                if case.user and (addresses := left_with(case.user, case.known)):
                    tables.people.note_left_with(self._team, addresses)
            stamps = {case.slack_id: case.updated for case in known}
            tables.applied(self._runtime.settings.docebo_url).advance(self._team, stamps, now=now)
        self.done += cases
        self._served.note(event_ids(cases), became, now)
        self._served.note(superseded, Became.SUPERSEDED, now)

    def note_managers(self, plan_id: str, cases: Sequence[Case]) -> None:
        """Note whose manager the plan has written, and count that for people in *cases* for whom nothing else was."""
        with self._runtime.store.reading() as tables:
            entries = tables.operations.rows(plan_id)
            applied = {one.operation.slack_id: one.operation for one in entries if one.outcome is Outcome.APPLIED}
        for operation in applied.values():
            self._served.managers_tried.pop(operation.docebo_id or 0, None)
        now = self._runtime.now()
        for case in cases:
            written = next((applied[slack_id] for slack_id in case.person.ids if slack_id in applied), None)
            if written and self._served.wrote_nothing(case.event_ids):
                self._served.note(case.event_ids, Became.APPLIED, now, kind=written.kind, why=written.reason)

    def fail(self, cases: Sequence[Case], error: str) -> None:
        """Let *cases* be tried again after the delay of their attempt; park those without attempts left."""
        delays, run, now = self._runtime.behaviour.realtime_retry_delays, self._runtime.run_id, self._runtime.now()
        with self._runtime.store.transaction() as tables:
            inbox = tables.inbox
            for case in cases:
                if case.attempts < len(delays):
                    at = now + timedelta(seconds=delays[case.attempts])
                    changed, became = inbox.retry_later(case.event_ids, error, at, run=run), Became.RETRIED
                else:
                    changed, became = inbox.park(case.event_ids, error, now, run=run), self._parked(tables, case, error)
                if changed:  # else an import has taken them meanwhile
                    self._served.note(case.event_ids, became, now, why=error)

    def _parked(self, tables: Tables, case: Case, error: str) -> Became:
        """Return what became of a parked case: it counts as acknowledged if somebody has acknowledged this *error*."""
        decision = tables.acknowledged(self._team).get(case.slack_id)
        return Became.ACKNOWLEDGED if decision and decision.acknowledges(error) else Became.PARKED
