"""Deciding about single people, by hand; every run respects it from its next batch on."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from slack_docebo.domain.decisions import SEEN, Decision, Verdict
from slack_docebo.domain.disputes import seen_on
from slack_docebo.domain.moments import in_utc
from slack_docebo.domain.observation import Gone, Present
from slack_docebo.domain.operations import Outcome
from slack_docebo.domain.people import Mapping, SourceUser
from slack_docebo.domain.protection import shielded
from slack_docebo.domain.standing import is_undecided
from slack_docebo.domain.texts import number_of, people, some_of
from slack_docebo.engine.reading.connection import Workspace
from slack_docebo.engine.reading.evidence import observe_account, observe_person
from slack_docebo.engine.reporting.attention import LINKED
from slack_docebo.engine.reporting.shown import Cell, Cells, called
from slack_docebo.engine.reporting.steps import Step
from slack_docebo.errors import ConfigurationError, NotConfirmed
from slack_docebo.runtime import Runtime
from slack_docebo.storage.operations import RowOutcome
from slack_docebo.storage.store import Store
from slack_docebo.storage.tables import Tables


class DecisionAction(StrEnum):
    """What is to be done."""

    SHOW = "show"
    NEVER = "never this person"
    LEAVE_SO = "leave it so"
    LINK = "link to an account"
    NOT_MADE = "no account was made"
    TAKE_BACK = "take back"
    NO_LONGER_SO = "take back only leave it so"


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """A decision that somebody asks for: the action, the people it is about, and who asks."""

    action: DecisionAction
    slack_ids: Sequence[str] = ()
    all_who_wait: bool = False
    confirm: int = 0  # how many these are
    docebo_id: int = 0
    why: str = ""
    by: str = ""


async def decide(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Store, or take back, what *request* says, and return what to tell.

    Raises ConfigurationError, and stores nothing, if it says too little, or something that cannot be so of its people;
    and NotConfirmed if it is about all who wait, and *confirm* is not their number.
    """
    if request.action is DecisionAction.SHOW:
        return "nothing was changed"
    may_be_all = request.action is DecisionAction.LEAVE_SO
    if bool(request.slack_ids) is request.all_who_wait or (request.all_who_wait and not may_be_all):
        raise ConfigurationError(
            "say about whom: Slack ids of the people or, to leave it so, all who wait, one of both"
        )
    if request.action in {DecisionAction.TAKE_BACK, DecisionAction.NO_LONGER_SO}:
        return _take_back(runtime.store, workspace, request)
    if not (request.by.strip() and request.why.strip()):
        raise ConfigurationError("say who you are, and why: both are kept for those who ask later")
    match request.action:
        case DecisionAction.NEVER:
            if strangers := await _strangers(runtime, workspace, request.slack_ids):
                raise ConfigurationError(
                    f"nothing was kept: nobody is known by {some_of(strangers)}, here or in Slack; copy the id again, with"
                    " Copy member ID in the person's profile"
                )
            now = runtime.now()
            _keep(runtime, workspace, [_decision(request, one, Verdict.NEVER, now=now) for one in request.slack_ids])
            _end_waiting(runtime, workspace, request.slack_ids)
            return f"{_people(request.slack_ids)} never be touched by a run, from its next batch on"
        case DecisionAction.LEAVE_SO:
            return _leave_so(runtime, workspace, request)
        case DecisionAction.LINK:
            return await _link(runtime, workspace, request)
        case DecisionAction.NOT_MADE:
            return _not_made(runtime, workspace, request)


def decision_rows(store: Store, workspace: Workspace) -> list[Cells]:
    """Return all decisions as rows of a table; a person may have two, one of them an acknowledgement."""
    with store.reading() as tables:
        binding, acknowledged = (
            tables.decisions.binding(workspace.team),
            tables.decisions.acknowledged(workspace.team),
        )
    return [
        {
            "Slack user": one.slack_id,
            "decided": one.verdict,
            "Docebo user": one.docebo_id,
            "what was seen": "; ".join(one.reasons),
            "why": one.why,
            "by": one.by,
            "since": in_utc(one.since),
        }
        for one in sorted((*binding.values(), *acknowledged.values()), key=lambda one: one.slack_id)
    ]


def steps_to_take_back(rows: Sequence[Cells]) -> list[Step]:
    """Return the steps that take back what *rows* say was decided: one for each of the newest, one for all others."""
    newest = sorted(rows, key=lambda row: str(row["since"]), reverse=True)[:LINKED]
    steps = [
        Step(
            f"Take back what was decided about {called(row)}: {row['decided']}",
            "decide",
            {"action": _taking_back(row["decided"]), "slack_ids": [row["Slack user"]]},
        )
        for row in newest
    ]
    if (others := len(rows) - LINKED) > 0:
        words = f"Take back one of {number_of('older decision', others)}: give the Slack id"
        steps.append(Step(words, "decide", {"action": DecisionAction.TAKE_BACK}))
    return steps


def _taking_back(verdict: Cell) -> DecisionAction:
    return DecisionAction.NO_LONGER_SO if verdict == Verdict.LEAVE_SO else DecisionAction.TAKE_BACK


def _leave_so(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Store the reason for which each person waits for a decision, or failed in or since the last import."""
    docebo, team = runtime.settings.docebo_url, workspace.team
    with runtime.store.reading() as tables:
        waiting = _all_who_wait(tables, docebo, team, request.confirm) if request.all_who_wait else {}
        found = tables.standings.of(docebo, team, request.slack_ids)
        last = tables.plans.last_import(docebo, team)
        # Before the first import of everybody there may be a part of one, or an event.
        since = last.created_at if last else datetime.min.replace(tzinfo=UTC)
        undone = list(tables.journal.failures(docebo, since, request.slack_ids))
        before = tables.acknowledged(team)
    seen: dict[str, list[str]] = defaultdict(list, {slack_id: [why] for slack_id, why in waiting.items()})
    for slack_id, one in found.items():
        if is_undecided(reason := one.reason.removeprefix(SEEN)):
            seen[slack_id].append(reason)
    for slack_id, error in undone:
        seen[slack_id].append(error)
    if others := sorted(set(request.slack_ids) - seen.keys()):
        raise ConfigurationError(
            "nothing was kept: these people neither wait for a decision nor have failed, by the last import or since; what a"
            f" dry run says of them does not count: {some_of(others)}"
        )
    kept, now = [], runtime.now()
    for slack_id, whys in sorted(seen.items()):
        earlier = before[slack_id].reasons if slack_id in before else ()
        kept.append(_decision(request, slack_id, Verdict.LEAVE_SO, now=now, reasons=(*earlier, *whys)))
    _keep(runtime, workspace, kept)
    are = "is" if len(kept) == 1 else "are"
    return (
        f"{people(len(kept))} {are} acknowledged: left alone as now or, where something has failed, tried as before, and"
        " no news until there is another reason"
    )


def _all_who_wait(tables: Tables, docebo: str, team: str, confirm: int) -> dict[str, str]:
    """Return why people wait, by Slack id; raise NotConfirmed unless *confirm* is their present number."""
    waiting = tables.waiting(docebo, team, tables.standings.reasons(docebo, team))
    if not waiting:
        raise ConfigurationError("nothing was kept: nobody waits for a decision, as the last import says")
    if confirm != len(waiting):
        raise NotConfirmed(
            f"to acknowledge all who wait for a decision, type their number, {len(waiting)}; nothing was kept"
        )
    return waiting


async def _link(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Map one person to the account that somebody has named, if both exist and the account is unmapped."""
    if len(set(request.slack_ids)) != 1 or not request.docebo_id:
        raise ConfigurationError("to link, give one Slack id and the id of one Docebo user")
    if not runtime.behaviour.map_slack_user_data:
        raise ConfigurationError("nothing was linked: MAP_SLACK_USER_DATA is off, so no mapping is kept")
    user = await _person(runtime, request.slack_ids[0])
    account = await observe_account(runtime.docebo, request.docebo_id)
    if not isinstance(account, Present):
        raise ConfigurationError(f"nothing was linked: Docebo does not show an account {request.docebo_id}")
    docebo, now = runtime.settings.docebo_url, runtime.now()
    with runtime.store.transaction() as tables:
        mappings, sightings = tables.mappings(docebo), tables.sightings(docebo)
        so_far = mappings.of_people(workspace.team, [user]).get(user.slack_id)
        slack_id = so_far.slack_id if so_far else user.slack_id  # the next import passes it on to the organisation's id
        holder = mappings.holders(workspace.team, [request.docebo_id]).get(request.docebo_id, "")
        if holder not in {"", slack_id}:
            raise ConfigurationError(f"nothing was linked: account {request.docebo_id} is mapped to {holder}")
        shut_by_us = bool(tables.deactivations(docebo).since([request.docebo_id]))  # else nobody would open it again
        mapping = Mapping(slack_id, workspace.team, user.handle, request.docebo_id, deactivated=shut_by_us)
        mappings.save([mapping], now=now, run=runtime.run_id)
        # A disputed account is taken as it is now; what becomes of it before the next run is not said to be right.
        sightings.forget([request.docebo_id])
        sightings.note_seen({request.docebo_id: seen_on(account.value)}, now=now)
        one = _decision(request, user.slack_id, Verdict.LINKED, now=now)
        tables.decisions.put(workspace.team, one)
        _settle_unfound(runtime, tables, [slack_id, *user.ids], f"found by hand: account {request.docebo_id}")
    _end_waiting(runtime, workspace, [slack_id])
    shield = shielded(account.value, runtime.behaviour.protected_accounts)
    follows = f"it stays as it is: {shield}" if shield else "the next import brings it in line"
    return f"{user.slack_id} is account {request.docebo_id} from now on; {follows}"


def _not_made(runtime: Runtime, workspace: Workspace, request: DecisionRequest) -> str:
    """Let these people get an account: somebody has looked, and found that none was made for them."""
    with runtime.store.transaction() as tables:
        told = f"no account was made, {request.by} has found: {request.why}"
        settled = _settle_unfound(runtime, tables, request.slack_ids, told)
        if strangers := [one for one in dict.fromkeys(request.slack_ids) if one not in settled]:
            raise ConfigurationError(
                f"nothing was kept: no account is looked for that was made for {some_of(strangers)}"
            )
    _end_waiting(runtime, workspace, request.slack_ids)
    return f"{_people(request.slack_ids)} get an account by the next run"


def _settle_unfound(runtime: Runtime, tables: Tables, slack_ids: Collection[str], told: str) -> set[str]:
    """Settle the unfound accounts of these people, so that they stop no other; return for whom there were any."""
    unfound = [one for one in tables.unfound.all(runtime.settings.docebo_url) if one.slack_id in slack_ids]
    tables.unfound.settle(unfound)
    for one in unfound:
        became = RowOutcome(one.seq, Outcome.SKIPPED, error=told)
        tables.operations.record(one.plan_id, [became], now=runtime.now(), flow_run=runtime.run_id)
    return {one.slack_id for one in unfound}


def _end_waiting(runtime: Runtime, workspace: Workspace, slack_ids: Sequence[str]) -> None:
    """End the standings of these people, under any id, so that they wait no more; the next import begins new ones."""
    with runtime.store.transaction() as tables:
        left = dict.fromkeys([*slack_ids, *tables.people.other_ids(workspace.team, slack_ids)])
        tables.standings.replace(runtime.settings.docebo_url, workspace.team, left, plan_id="", now=runtime.now())


async def _strangers(runtime: Runtime, workspace: Workspace, slack_ids: Sequence[str]) -> list[str]:
    """Return those of *slack_ids* that neither we nor Slack, for a call each, know: a typo protects nobody."""
    with runtime.store.reading() as tables:
        known = tables.people.of(workspace.team, slack_ids)
        left_alone = tables.standings.of(runtime.settings.docebo_url, workspace.team, slack_ids)
    asked = [one for one in dict.fromkeys(slack_ids) if one not in known and one not in left_alone]
    return [one for one in asked if isinstance(await observe_person(runtime, one, with_values=False), Gone)]


async def _person(runtime: Runtime, slack_id: str) -> SourceUser:
    """Return the person as Slack shows them; raise ConfigurationError for a bot, or somebody gone or forgotten."""
    seen = await observe_person(runtime, slack_id, with_values=False)
    if not isinstance(seen, Present) or seen.value.bot or seen.value.forgotten:
        raise ConfigurationError(f"nothing was linked: Slack does not show a person {slack_id}")
    with runtime.store.reading() as tables:
        if tables.exclusions.all().cover(seen.value):
            raise ConfigurationError(f"nothing was linked: {slack_id} was forgotten on request")
    return seen.value


def _take_back(store: Store, workspace: Workspace, request: DecisionRequest) -> str:
    alone = request.action is DecisionAction.NO_LONGER_SO
    with store.transaction() as tables:
        done = sum(
            tables.decisions.take_back(workspace.team, one, acknowledged_alone=alone)
            for one in dict.fromkeys(request.slack_ids)
        )
    if not done:
        what = "acknowledged" if alone else "decided"
        raise ConfigurationError(f"nothing was taken back: nothing was {what} about these people")
    are = "decision is" if done == 1 else "decisions are"
    return f"{done} {are} taken back; the next import looks at these people again, and mappings stay"


def _decision(
    request: DecisionRequest, slack_id: str, verdict: Verdict, *, now: datetime, reasons: Iterable[str] = ()
) -> Decision:
    account = request.docebo_id if verdict is Verdict.LINKED else None
    return Decision(
        slack_id=slack_id,
        verdict=verdict,
        why=request.why,
        by=request.by,
        since=now,
        reasons=tuple(dict.fromkeys(reasons)),
        docebo_id=account,
    )


def _keep(runtime: Runtime, workspace: Workspace, decisions: Collection[Decision]) -> None:
    with runtime.store.transaction() as tables:
        excluded = tables.exclusions.all()
        if forgotten := [one.slack_id for one in decisions if excluded.cover_any([one.slack_id])]:
            raise ConfigurationError(f"nothing was kept: forgotten on request, so no run looks at {some_of(forgotten)}")
        # Known, they are known again under the id of an organisation.
        tables.people.register(workspace.team, [one.slack_id for one in decisions], now=runtime.now())
        for one in decisions:
            tables.decisions.put(workspace.team, one)


def _people(slack_ids: Sequence[str]) -> str:
    return f"{slack_ids[0]} will" if len(set(slack_ids)) == 1 else f"{len(set(slack_ids))} people will"
