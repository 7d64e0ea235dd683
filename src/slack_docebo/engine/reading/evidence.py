"""Evidence: what each side says when it is asked for exactly this person or this account, now.

Only people and accounts are asked for to whom something would otherwise be done, each once: a person or account that is
gone is remembered until it is seen again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Mapping as MappingType
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import TypeVar

from slack_docebo.clients.docebo import AMBIGUOUS, DoceboClient
from slack_docebo.concurrency import to_completion
from slack_docebo.domain.dialect import MISSING_ACCOUNT
from slack_docebo.domain.disputes import digest
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Gone, Observation, Present, Unknown
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.engine.reading.dialects import known_dialect, learn
from slack_docebo.engine.reading.outages import OutageWatch, ping_docebo, ping_slack
from slack_docebo.engine.reading.overtaken import overtaken
from slack_docebo.engine.reading.scim import with_own_scim
from slack_docebo.errors import IncompleteRead, RemoteError, told
from slack_docebo.runtime import Evidence, Runtime
from slack_docebo.storage.store import Store

K = TypeVar("K")
T = TypeVar("T")


async def observe_person(runtime: Runtime, slack_id: str, *, with_values: bool = True) -> Observation[SourceUser]:
    """Return what Slack says of this person, for one call.

    *with_values* takes another call for custom profile fields and one for SCIM, where rules read them.
    """
    seen = await runtime.slack.user(slack_id, with_custom=with_values)
    if not with_values:
        return seen
    return Present(await with_own_scim(runtime, seen.value)) if isinstance(seen, Present) else seen


async def observe_account(docebo: DoceboClient, docebo_id: int, username: str = "") -> Observation[Account]:
    """Return what Docebo says of this account, for one call.

    Where it answers 400, a search that finds nobody under *username*, the last known one, is the second witness, for
    one more call; without a *username* the answer stays unknown. The account in the answer lacks attributes that a
    listing has.
    """
    return await _with_second_witness(docebo, await docebo.user(docebo_id), username)


async def _with_second_witness(docebo: DoceboClient, seen: Observation[Account], username: str) -> Observation[Account]:
    if seen != Unknown(AMBIGUOUS) or not username:
        return seen
    if await docebo.find_users(username):
        return Unknown(f"{AMBIGUOUS} and has somebody under its last username")
    if not await docebo.finds_listed():
        return Unknown(f"{AMBIGUOUS} and its search does not find who is there")
    return Gone(f"{AMBIGUOUS} and has nobody under its last username")


@contextmanager
def counted(runtime: Runtime) -> Iterator[None]:
    """Count the calls made in the block against EVIDENCE_CALLS."""
    before = _calls_so_far(runtime.calls)
    try:
        yield
    finally:
        runtime.evidence.calls += _calls_so_far(runtime.calls) - before


def check_calls(runtime: Runtime, *, people: int = 0, accounts: int = 0, searches: int = 0) -> None:
    """Raise IncompleteRead if EVIDENCE_CALLS does not allow to ask for so many *people* and *accounts*.

    *searches* of the accounts are searched for instead of asked for by id. It is called before the first question, and
    reserves the calls like `reserve_calls`.
    """
    if not reserve_calls(runtime, people=people, accounts=accounts, searches=searches):
        calls = _calls_to_ask(runtime, people=people, accounts=accounts, searches=searches)
        most = runtime.behaviour.evidence_calls
        raise IncompleteRead(
            f"it takes up to {calls} calls to ask Slack for {people} people and Docebo for {accounts} accounts, who have"
            f" left, are new or are in no list any more, by their ids; EVIDENCE_CALLS allows {most}. Nothing of it was asked or"
            " written: find out why they are so many; if that is right, raise EVIDENCE_CALLS to"
            f" {_spent(runtime.evidence) + calls} for one run"
        )


def reserve_calls(runtime: Runtime, *, people: int = 0, accounts: int = 0, searches: int = 0) -> bool:
    """Tell whether EVIDENCE_CALLS allows so many questions, and if so, reserve their calls."""
    calls = _calls_to_ask(runtime, people=people, accounts=accounts, searches=searches)
    if _spent(runtime.evidence) + calls > runtime.behaviour.evidence_calls:
        return False
    runtime.evidence.at_most += calls
    return True


def _spent(evidence: Evidence) -> int:
    """Return how many of EVIDENCE_CALLS were made.

    Calls of `renewing` and last looks are not counted: they have bounds of their own.
    """
    return evidence.calls - evidence.renewals - evidence.last_looks


def _calls_to_ask(runtime: Runtime, *, people: int, accounts: int, searches: int) -> int:
    """Return how many calls it takes at most to ask for so many *people* and *accounts*."""
    answer = known_dialect(runtime).answer(MISSING_ACCOUNT)
    return people + searches + (accounts - searches) * (1 if answer == "404" else 2)


async def ask_for_people(
    runtime: Runtime, team: str, slack_ids: Iterable[str], *, with_values: bool = False
) -> dict[str, Observation[SourceUser]]:
    """Ask Slack for each of *slack_ids*, *with_values* like `observe_person`, and remember who is gone.

    People about whom an event was applied lately are not remembered as gone, because Slack may show them an hour later.
    """

    async def about(slack_id: str) -> Observation[SourceUser]:
        return await observe_person(runtime, slack_id, with_values=with_values)

    watch = OutageWatch(partial(ping_slack, runtime.slack))
    answers = {slack_id: answer async for slack_id, answer in answers_to(runtime, slack_ids, about, watch)}
    answers |= await _doubted(answers, runtime.slack.shows_listed, "Slack")
    behind = await to_completion(overtaken, runtime, team, answers)
    gone = [slack_id for slack_id, answer in answers.items() if isinstance(answer, Gone) and slack_id not in behind]
    await to_completion(_note_people, runtime.store, team, gone, runtime.now())
    return answers


async def ask_for_accounts(runtime: Runtime, accounts: Accounts, wanted: MappingType[int, Sequence[str]]) -> None:
    """Ask Docebo for each account in *wanted* that *accounts* lacks; keep the answers there, note who is gone.

    *wanted* gives the usernames, by account, under which it may have been seen last; the store knows which one it was.
    Where Docebo answers 400 for an account without a username, the question stays open: a later question with its
    username searches for it and does not ask for its id again.
    """
    possible = [docebo_id for docebo_id in wanted if not accounts.is_settled(docebo_id)]
    known = await to_completion(_usernames, runtime.store, runtime.settings.docebo_url, possible)

    async def about(docebo_id: int) -> Observation[Account]:
        last = known.get(docebo_id)
        username = next((name for name in wanted[docebo_id] if name and digest(name) == last), "")
        if docebo_id in accounts.ambiguous:
            return await _with_second_witness(runtime.docebo, Unknown(AMBIGUOUS), username)
        return await observe_account(runtime.docebo, docebo_id, username)

    to_ask = [docebo_id for docebo_id in possible if wanted[docebo_id] or docebo_id not in accounts.ambiguous]
    answers: dict[int, Observation[Account]] = {}
    watch = OutageWatch(partial(ping_docebo, runtime.docebo))
    async for docebo_id, answer in answers_to(runtime, to_ask, about, watch):
        if answer == Unknown(AMBIGUOUS) and not wanted[docebo_id]:
            accounts.ambiguous.add(docebo_id)
            continue
        answers[docebo_id] = answer
    answers |= await _doubted(answers, runtime.docebo.shows_listed, "Docebo")
    for docebo_id, answer in answers.items():
        accounts.keep_answer(docebo_id, answer)
    gone = {docebo_id: answer for docebo_id, answer in answers.items() if isinstance(answer, Gone)}
    there = [docebo_id for docebo_id, answer in answers.items() if isinstance(answer, Present)]
    await to_completion(_note_accounts, runtime, gone, there, runtime.now())


async def _doubted(
    answers: dict[K, Observation[T]], shows_listed: Callable[[], Awaitable[bool]], side: str
) -> dict[K, Observation[T]]:
    """Return, as Unknown, those of *answers* that may be wrong; *answers* are in the order in which they came.

    During maintenance a side may know nobody at all. So if its last answers say that somebody is gone, it is asked for
    somebody who exists, in one call: if it does not show that one either, none of these answers is believed.
    """
    latest = takewhile(lambda item: not isinstance(item[1], Present), reversed(answers.items()))
    since = [question for question, answer in latest if isinstance(answer, Gone)]
    if not since or await is_shown(shows_listed):
        return {}
    why = f"{side} does not show by now who is there, either"
    return {question: Unknown(why) for question in since}


async def is_shown(shows_listed: Callable[[], Awaitable[bool]]) -> bool:
    """Tell whether a side shows somebody who exists, for one call; a refusal counts as no."""
    try:
        return await shows_listed()
    except RemoteError:
        return False


def gone_people(store: Store, team: str) -> dict[str, Gone]:
    """Return the people of whom Slack has said that they are gone, by Slack id."""
    with store.reading() as tables:
        known = tables.people.gone(team)
    return {slack_id: Gone(f"Slack said so on {since:%Y-%m-%d}") for slack_id, since in known.items()}


def recall_accounts(store: Store, docebo: str, accounts: Accounts) -> None:
    """Add to *accounts* what Docebo has said before of gone ones, and delete that of those that are listed again."""
    with store.reading() as tables:
        known = tables.gone_accounts(docebo).since()
    for docebo_id, since in known.items():
        if accounts.get(docebo_id) is None:
            accounts.keep_answer(docebo_id, Gone(f"Docebo said so on {since:%Y-%m-%d}"))
    back = [docebo_id for docebo_id in known if accounts.get(docebo_id)]
    if back:
        with store.transaction() as tables:
            tables.gone_accounts(docebo).clear(back)


def note_ids(store: Store, team: str, answers: MappingType[str, Observation[SourceUser]]) -> None:
    """Store the other ids under which Slack shows people, so that they need not be asked for again."""
    gained = {
        seen.value.slack_id: slack_id
        for slack_id, seen in answers.items()
        if isinstance(seen, Present) and slack_id in seen.value.ids and seen.value.slack_id != slack_id
    }
    if gained:
        with store.transaction() as tables:
            tables.people.note_ids(team, gained)


def note_present(store: Store, team: str, slack_ids: Sequence[str]) -> None:
    """Note that Slack has somebody under these ids."""
    _note_people(store, team, slack_ids, None)


async def answers_to(
    runtime: Runtime, questions: Iterable[K], ask: Callable[[K], Awaitable[Observation[T]]], watch: OutageWatch
) -> AsyncIterator[tuple[K, Observation[T]]]:
    """Yield each question with its answer, Unknown after a failure; raise if the whole side is down."""
    for question in questions:
        answer: Observation[T]
        try:
            with counted(runtime):
                answer = await ask(question)
        except Exception as error:  # whatever it is, it must not keep the others from being asked for
            await watch.failed(error)
            answer = Unknown(told(error))
        else:
            watch.passed()
        yield question, answer


def _calls_so_far(calls: Mapping[str, int]) -> int:
    """Return how many of *calls* ask for one person or one account."""
    return sum(
        calls.get(operation, 0)
        for operation in (
            *("users.info", "users.profile.get", "SCIM person", "users.lookupByEmail", "migration.exchange"),
            *("user", "find users"),
        )
    )


def _usernames(store: Store, docebo: str, docebo_ids: Sequence[int]) -> dict[int, str]:
    with store.reading() as tables:
        return tables.sightings(docebo).usernames(docebo_ids)


def _note_people(store: Store, team: str, slack_ids: Sequence[str], since: datetime | None) -> None:
    if slack_ids:
        with store.transaction() as tables:
            tables.people.note_gone(team, slack_ids, since=since)


def _note_accounts(runtime: Runtime, gone: MappingType[int, Gone], there: Sequence[int], now: datetime) -> None:
    docebo = runtime.settings.docebo_url
    if there:
        with runtime.store.transaction() as tables:
            tables.gone_accounts(docebo).clear(there)
    if not gone:
        return
    docebo_id, answer = list(gone.items())[-1]
    with runtime.store.transaction() as tables:
        tables.gone_accounts(docebo).note(gone, now=now)
    status = "400" if answer.evidence.startswith(AMBIGUOUS) else "404"
    learn(runtime, MISSING_ACCOUNT, status, source=f"asked for account {docebo_id}")
