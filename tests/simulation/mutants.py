"""`python -m tests.simulation.mutants [KIND ...]`: take one fix out at a time, and tell which story shows that.

A simulation that finds nothing proves little as long as nobody has seen it find a fault. Each mutant takes out the fix of
one kind of breach, as docs/safety.md numbers them. Then stories are played: first those of test_kinds.py about the same
promise, then those of seeds, beginning with the seeds that have shown the kind before.
"""

import argparse
import itertools
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from inspect import signature
from typing import Any
from unittest.mock import patch

from sqlalchemy import false

from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone
from slack_docebo.domain.people import Account, Mapping, SourceUser
from slack_docebo.domain.planner import Planner
from slack_docebo.domain.policy import Policy
from slack_docebo.domain.profiles import Profile
from slack_docebo.domain.returns import Returns
from slack_docebo.engine.reading.profiles import fields_wanted
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.engine.writing.rereading import Rereading
from slack_docebo.engine.writing.verifying import Verifier
from slack_docebo.runtime import Runtime
from slack_docebo.storage.applied import AppliedRepository
from slack_docebo.storage.exclusions import ExclusionRepository
from slack_docebo.storage.gate import BatchGate
from slack_docebo.storage.inbox import InboxRepository
from slack_docebo.storage.journal import JournalRepository
from slack_docebo.storage.leases import LeaseRepository
from slack_docebo.storage.leavers import LeaverRepository
from slack_docebo.storage.managers import ManagerRepository
from slack_docebo.storage.people import PersonRepository
from slack_docebo.storage.placements import PlacementRepository
from slack_docebo.storage.profiles import ProfileRepository
from slack_docebo.storage.staging import MappingStaging
from tests.simulation.promises import Promise
from tests.simulation.stage import play
from tests.simulation.story import FIRST_LATER, Story, draw

DOMAIN = "slack_docebo.domain"
ENGINE = "slack_docebo.engine"
SEEDS = 20_000  # after so many a mutant counts as not found
SECONDS = 120.0  # or after so long
Patches = Sequence[AbstractContextManager[Any]]


@dataclass(frozen=True)
class Mutant:
    """The engine without the fix of one kind of breach."""

    name: str
    kind: int  # as docs/safety.md numbers them
    breaks: frozenset[Promise]
    without: Callable[[], Patches]
    likely: tuple[int, ...] = ()  # seeds
    about: tuple[str, ...] = ()  # stories in which these do not happen cannot show it

    def found_by(self, seeds: Sequence[int], seconds: float) -> str:
        """Return the first story, by its test or its seed, in which a promise breaks that the fix keeps; "" for none."""
        end = time.monotonic() + seconds
        with ExitStack() as stack:
            for change in self.without():
                stack.enter_context(change)
            for test, promise, told in stories_of_kinds():
                if promise in self.breaks and self.breaks & play(told).broken:
                    return test
            for seed in itertools.chain(self.likely, seeds):
                story = draw(seed)
                if not set(self.about) <= {step.what for step in story.steps}:
                    continue
                if self.breaks & play(story).broken:
                    return f"seed {seed}"
                if time.monotonic() > end:
                    break
        return ""


def stories_of_kinds() -> Iterator[tuple[str, Promise, Story]]:
    """Yield the stories of test_kinds.py, by the tests' names and the promises that they are about."""
    kinds = import_module("tests.simulation.test_kinds")
    for name, test in vars(kinds).items():
        if name.startswith("test_") and not signature(test).parameters:
            kept: list[tuple[Promise, Story]] = []
            with patch.object(kinds, "assert_kept", lambda promise, story, kept=kept: kept.append((promise, story))):
                if "assert_kept" in test.__code__.co_names:
                    test()
            yield from ((name, promise, story) for promise, story in kept)


def _nothing(*_: Any, **__: Any) -> None:
    """Do nothing."""


def _no(*_: Any, **__: Any) -> bool:
    return False


def _blank(*_: Any, **__: Any) -> str:
    return ""


def _nobody(*_: Any, **__: Any) -> set[str]:
    return set()


def _none(*_: Any, **__: Any) -> dict[Any, Any]:
    return {}


async def _as_listed(*_: Any) -> None:
    """Ask for none of the accounts that are missing."""


async def _all_theirs(_: Runtime, accounts: Accounts, mappings: Iterable[Mapping], *__: Any) -> dict[int, Account]:
    """Return the mapped accounts that exist, as if each were still that of its person."""
    return {one.docebo_id: account for one in mappings if (account := accounts.get(one.docebo_id))}


def _believing_absence() -> Patches:
    shown = Accounts.look

    def look(accounts: Accounts, docebo_id: int) -> Any:
        seen = shown(accounts, docebo_id)
        return seen if accounts.is_settled(docebo_id) else Gone("not listed")

    return [
        patch.object(Accounts, "look", look),
        patch.object(Planner, "asks_for_account", _no),
        patch(f"{ENGINE}.reading.accounts.check_missing_accounts", _as_listed),
    ]


def _taking_hidden_for_left() -> Patches:
    def counts_as_leaver(user: Any, policy: Policy) -> bool:
        gone = user.deactivated or user.forgotten
        return gone or (policy.out_of_scope_leaves and bool(policy.scope.reason_against(user)))

    return [patch(f"{DOMAIN}.{module}.counts_as_leaver", counts_as_leaver) for module in ("leavers", "planner")]


def _expecting_whoever_is_known() -> Patches:
    class Everybody(frozenset[str]):
        def __contains__(self, _: object) -> bool:
            return True

        def __sub__(self, _: object) -> "Everybody":
            return self

    def expected(_: SourceSnapshot) -> frozenset[str]:
        return Everybody()

    return [patch.object(SourceSnapshot, "expected", property(expected, _nothing), create=True)]


def _calling_at_once() -> Patches:
    @asynccontextmanager
    async def call(_gate: BatchGate, _check: Any = None) -> AsyncIterator[None]:
        yield

    return [patch.object(BatchGate, "call", call), patch.object(BatchGate, "begin_attempt", _nothing)]


async def _carried_out(*_: Any) -> list[Any]:
    return []


async def _settled(_verifier: Verifier, batch: Any) -> list[Any]:
    return list(batch)


def _forgetting_addresses() -> Patches:
    keep = ExclusionRepository.add

    def add(exclusions: ExclusionRepository, who: Iterable[str], *, now: datetime, digests: Iterable[str] = ()) -> None:
        keep(exclusions, [one for one in who if "@" not in one], now=now)

    return [patch.object(ExclusionRepository, "add", add)]


def _taking_hidden_fields_for_empty() -> Patches:
    def with_fields(runtime: Runtime, _team: str, users: Sequence[SourceUser]) -> list[SourceUser]:
        empty = dict.fromkeys(fields_wanted(runtime.behaviour), "")
        return [replace(user, custom=user.custom or empty) for user in users]

    return [patch(f"{ENGINE}.reading.slack_list.with_fields_known", with_fields)]


def _reading_fields_once() -> Patches:
    def reading_order(user: SourceUser, profile: Profile | None, *_: Any, **__: Any) -> Any:
        return None if profile else (0, 0.0, user.slack_id)

    return [patch(f"{ENGINE}.reading.profiles.reading_order", reading_order)]


P = Promise
MUTANTS = (
    Mutant(
        "an account is whoever's id it bears", 1, breaks=frozenset({P.ONLY_OWN}),
        without=lambda: [
            *(patch(f"{DOMAIN}.{module}.doubt_about", _blank) for module in ("leavers", "planner")),
            patch(f"{DOMAIN}.situation.reason_by_sight", _blank),
            patch(f"{ENGINE}.writing.admitting.reason_by_sight", _blank),
        ],
        likely=(2,),
    ),
    Mutant(
        "a user name says whose an account is", 1, frozenset({P.OWN_DATA, P.ABSENCE}),
        lambda: [patch(f"{DOMAIN}.disputes.may_be_of_another", _no), patch(f"{DOMAIN}.planner.may_be_of_another", _no)],
    ),
    Mutant(
        "what Docebo does not list is gone", 2, breaks=frozenset({P.SECOND_ACCOUNT, P.MOVED_MAPPING, P.ABSENCE}),
        without=_believing_absence, likely=(163,),
    ),
    Mutant(
        "limits are those of one plan", 3, breaks=frozenset({P.LIMITS}),
        without=lambda: [patch.object(JournalRepository, "people_changed", _none)], likely=(31,),
    ),
    Mutant(
        "nothing is known of how new was what was applied", 4, breaks=frozenset({P.NEWEST}),
        without=lambda: [
            patch.object(AppliedRepository, "stamps", _none),
            patch(f"{ENGINE}.realtime.sorting.is_newer", lambda *_: True),
        ],
        likely=(164,),
    ),
    Mutant(
        "a username is its bearer's", 5, breaks=frozenset({P.OWN_DATA}),
        without=lambda: [
            patch.object(Accounts, "is_of_another", _no),
            patch.object(Accounts, "has_unknown_bearer", _no),
        ],
        likely=(10001214,),
        about=("pass_address_on", "reset"),
    ),
    Mutant(
        "an answer that is lost is a no", 6, breaks=frozenset({P.TRUE_OUTCOME, P.RECORDED}),
        without=lambda: [
            patch.object(Rereading, "carried_out", _carried_out),
            patch(f"{ENGINE}.writing.verifying.sent_by_others", lambda *_: []),
            patch(f"{ENGINE}.writing.verifying.made_meanwhile", _none),
            patch.object(Verifier, "settle", _settled),
        ],
        likely=(91,),
    ),
    Mutant(
        "accounts are as they were planned", 7, breaks=frozenset({P.ADMINISTRATORS}),
        without=lambda: [patch(f"{ENGINE}.writing.admitting.reason_by_account", _blank)],
        likely=(10001792,), about=("promote",),
    ),
    Mutant(
        "who was forgotten is known by the id alone", 7, frozenset({P.FORGOTTEN}),
        _forgetting_addresses,
    ),
    Mutant(
        "whose address is hidden has left", 8, breaks=frozenset({P.ABSENCE}),
        without=_taking_hidden_for_left, likely=(87,),
    ),
    Mutant(
        "a lock that was lost is still held", 9, breaks=frozenset({P.FENCED}),
        without=lambda: [
            patch.object(LeaseRepository, "check", _nothing),
            patch(f"{ENGINE}.writing.admitting._reasons_by_mappings", _none),
        ],
        likely=(78,),
    ),
    Mutant("batches are called at once", 9, frozenset({P.ONE_BATCH}), _calling_at_once, likely=(10000022,)),
    Mutant(
        "who returns is not told of", 10, breaks=frozenset({P.EVERYBODY}),
        without=lambda: [
            patch.object(Returns, "settle", lambda *_: set[str]()),
            patch("slack_docebo.engine.reporting.summary.is_undecided", _no),
        ],
        likely=(17,),
    ),
    Mutant(
        "who joins was left out by the list", 11, breaks=frozenset({P.UNDISTURBED}),
        without=_expecting_whoever_is_known, likely=(238,),
    ),
    Mutant(
        "whoever is still there disproves no list", 12, breaks=frozenset({P.SHORT_READ, P.MEASURE}),
        without=lambda: [
            patch(f"{ENGINE}.planning.absences.check_still_whole", _nothing),
            patch(f"{ENGINE}.reading.missing.check_still_whole", _nothing),
        ],
        likely=(1,),
    ),
    Mutant(
        "mappings are as they were planned", 13, frozenset({P.BY_HAND, P.MOVED_MAPPING}),
        lambda: [
            patch(f"{DOMAIN}.situation.reason_by_mapping", _blank),
            patch(f"{ENGINE}.writing.admitting.reason_by_mapping", _blank),
            patch(f"{ENGINE}.writing.verifying.remapped_meanwhile", lambda *_: set[int]()),
            patch(f"{ENGINE}.writing.recording._remapped", _no),
        ],
    ),
    Mutant(
        "what was applied goes with the mapping", 14, breaks=frozenset({P.QUIET, P.SECOND_ACCOUNT}),
        without=lambda: [
            patch.object(AppliedRepository, "of", _none),
        ],
        likely=(47,),
    ),
    Mutant(
        "what Docebo says is told in its words", 15, breaks=frozenset({P.PRIVATE}),
        without=lambda: [
            patch("slack_docebo.clients.docebo_answers.quoted", str),
            patch("slack_docebo.clients.docebo_rows.quoted", str),
        ],
        likely=(115,),
    ),
    Mutant(
        "who is back still counts as gone since before", 16, frozenset({P.GRACE}),
        lambda: [patch.object(LeaverRepository, "clear", _nothing)],
    ),
    Mutant(
        "a list counts more than the events since", 16, frozenset({P.GRACE}),
        lambda: [patch.object(InboxRepository, "applied_since", _nobody)],
    ),
    Mutant(
        "nobody notes where accounts were brought", 17, frozenset({P.STAYS}),
        lambda: [patch.object(PlacementRepository, "note", _nothing)],
    ),
    Mutant(
        "what was given or said since a plan does not matter", 17, frozenset({P.NEWEST}),
        lambda: [
            patch(f"{DOMAIN}.situation.reason_by_given", _blank),
            patch(f"{ENGINE}.writing.inquiry._compared", lambda *_: []),
        ],
    ),
    Mutant(
        "what follows an import spares no account", 17, frozenset({P.SHIELDED}),
        lambda: [
            patch(f"{ENGINE}.planning.follow_ups.shielded", _blank),
            patch(f"{DOMAIN}.situation.shielded", _blank),
        ],
    ),
    Mutant(
        "a manager's account is whoever's it was", 17, frozenset({P.PLACED}),
        lambda: [patch(f"{ENGINE}.planning.managing.still_theirs", _all_theirs)],
    ),
    Mutant(
        "managers are as they were planned", 17, frozenset({P.PLACED}),
        lambda: [patch(f"{ENGINE}.writing.admitting.reasons_by_managers", _none)],
    ),
    Mutant(
        "a manager in doubt is nobody", 17, frozenset({P.PLACED}),
        lambda: [patch.object(ManagerRepository, "in_doubt_as", lambda *_, **__: {})],
    ),
    Mutant(
        "limits are those of one plan of moves", 17, frozenset({P.LIMITS}),
        lambda: [patch.object(JournalRepository, "people_changed", _none)], about=("change_department",),
    ),
    Mutant(
        "what a dead run has sent is as it was before", 17, frozenset({P.CAUGHT_UP}),
        lambda: [patch(f"{ENGINE}.writing.left_behind._note_in_doubt", _nothing)],
    ),
    Mutant("what is not shown is empty", 18, frozenset({P.KNOWN}), _taking_hidden_fields_for_empty),
    Mutant(
        "what was read of custom fields is so now", 18, frozenset({P.KNOWN}),
        lambda: [patch(f"{DOMAIN}.matched.to_read_first", _nobody)],
    ),
    Mutant(
        "what was undone is believed as before", 18, frozenset({P.KNOWN}),
        lambda: [patch.object(ProfileRepository, "doubt", _nothing)],
    ),
    Mutant("custom fields are read once", 18, frozenset({P.CAUGHT_UP}), _reading_fields_once),
    Mutant(
        "an undo forgets", 19, frozenset({P.UNDONE}),
        lambda: [patch(f"{ENGINE}.planning.undoing._inverse", lambda *_, **__: ())],
    ),
    Mutant(
        "Slack's answers are never behind its events", 20, frozenset({P.NEWEST}),
        lambda: [patch.object(InboxRepository, "stamps_applied_since", _none)],
    ),
    Mutant(
        "a day that is frozen is looked for at the beginning alone", 21, frozenset({P.FROZEN}),
        lambda: [patch(f"{ENGINE}.writing.admitting.check_halt", _nothing)],
    ),
    Mutant(
        "what a backup says of an account is so now", 22, frozenset({P.CAUGHT_UP}),
        lambda: [patch.object(MappingStaging, "_is_known_since", lambda _: false())], about=("restore",),
    ),
    Mutant(
        "whoever was met under two ids is two people", 23, frozenset({P.ABSENCE}),
        lambda: [patch.object(PersonRepository, "_pass_on", lambda *args: args[3])],
    ),
    Mutant(
        "whoever has the address of somebody is who that was", 22, frozenset({P.OWN_DATA, P.ABSENCE}),
        lambda: [patch(f"{DOMAIN}.returns.has_left", lambda _: True)],
    ),
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the mutants of the kinds that *arguments* name, or all; return 1 if one was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("kinds", nargs="*", type=int, metavar="KIND", help="a number of docs/safety.md; none: all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each mutant")
    parser.add_argument("--first", type=int, default=FIRST_LATER, metavar="SEED", help="where to begin")
    options = parser.parse_args(arguments)
    lost = 0
    for mutant in MUTANTS:
        if options.kinds and mutant.kind not in options.kinds:
            continue
        found = mutant.found_by(range(options.first, options.first + SEEDS), options.seconds)
        lost += not found
        print(f"{mutant.kind:2} {mutant.name}: {f'found by {found}' if found else 'NOT FOUND'}", flush=True)
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
