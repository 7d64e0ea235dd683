"""Returners: who bears the address of an account that is about to be shut, where no list has shown everybody."""

from collections.abc import Sequence

from slack_docebo.concurrency import to_completion
from slack_docebo.domain.observation import Present, Unknown
from slack_docebo.domain.operations import Operation
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.engine.planning.people import plan_people
from slack_docebo.engine.reading.bearers import bearers_of
from slack_docebo.engine.reading.evidence import reserve_calls
from slack_docebo.runtime import Runtime

NOT_ALLOWED = "EVIDENCE_CALLS allows no question"


async def look_for_returners(runtime: Runtime, planner: Planner, shutting: Sequence[Operation]) -> None:
    """Note in *planner* who bears the addresses of the accounts that the operations *shutting* would shut.

    That somebody has left may be known before the new id of the same person is. One call tells who bears the address by
    now, and the rules tell whether that one may be the same person, as for everybody in an import.
    """
    returns, accounts = planner.returns, planner.accounts
    shown = {
        op.mapped_as: account.email
        for op in shutting
        if op.mapped_as not in returns.holders and (account := accounts.get(op.docebo_id or 0))
        if account.email and "email" not in account.unshown
    }
    addresses = sorted(set(shown.values()))
    if not reserve_calls(runtime, people=len(addresses)):
        returns.unheard |= dict.fromkeys(shown, NOT_ALLOWED)
        return
    answers = await bearers_of(runtime, addresses)
    for slack_id, address in shown.items():
        if isinstance(answer := answers.get(address), Unknown):
            returns.unheard[slack_id] = answer.why
    bearers = [answer.value for answer in answers.values() if isinstance(answer, Present)]
    if bearers:
        await to_completion(_plan_aside, runtime, bearers, planner)


def _plan_aside(runtime: Runtime, people: Sequence[SourceUser], planner: Planner) -> None:
    """Plan for *people* only to note in *planner* to whose accounts they may have returned."""
    with runtime.store.reading() as tables:
        plan_people(tables, runtime.settings.docebo_url, planner.anew(), people, now=runtime.now())
