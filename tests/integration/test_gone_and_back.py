"""Who or what was gone, and is there again, is known to be there as soon as anything shows it."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from sandbox.server import Sandbox
from slack_docebo.domain.matching import Accounts
from slack_docebo.domain.observation import Present
from slack_docebo.engine.reading.evidence import ask_for_accounts, gone_people, recall_accounts
from tests.integration.realtime_world import World, replaced, world


@pytest.fixture(scope="module")
def shared_sandbox() -> Iterator[Sandbox]:
    with Sandbox(users=1, docebo_users=0, rate_limits=False) as sandbox:
        yield sandbox


@pytest.fixture
async def here(shared_sandbox: Sandbox, sqlite_url: str, tmp_path) -> AsyncIterator[World]:
    shared_sandbox.reset()
    async with world(shared_sandbox, sqlite_url, tmp_path) as made:
        yield made


@pytest.mark.long
async def test_a_person_who_was_gone_is_there_again_when_an_event_says_so(here):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    event = here.event(ada)
    here.put(event)
    await here.serve()
    with here.runtime.store.transaction() as tables:
        tables.people.note_gone(here.workspace.team, [ada], since=here.runtime.now())

    here.put(replaced(event, event_id="EvAgain", updated=event.updated + 1))
    await here.serve()

    assert gone_people(here.runtime.store, here.workspace.team) == {}


@pytest.mark.parametrize("shown_by", ["its id", "the list", "a write"])
@pytest.mark.variants(1)
async def test_an_account_that_was_gone_is_there_again_when_anything_shows_it(here, shown_by):
    ada = here.sandbox.slack.add("Ada", "Lovelace", "ada@example.com")["id"]
    event = here.event(ada)
    here.put(event)
    await here.serve()
    docebo_id, docebo = here.docebo_id(ada), here.runtime.settings.docebo_url
    with here.runtime.store.transaction() as tables:
        tables.gone_accounts(docebo).note([docebo_id], now=here.runtime.now() - timedelta(days=1))

    if shown_by == "its id":
        asked = Accounts()
        await ask_for_accounts(here.runtime, asked, {docebo_id: []})
        assert isinstance(asked.look(docebo_id), Present)
    elif shown_by == "the list":
        recall_accounts(
            here.runtime.store,
            docebo,
            Accounts([account async for page in here.runtime.docebo.list_users() for account in page]),
        )
    else:
        here.sandbox.slack.change(ada, {"profile": {"last_name": "King"}})
        here.put(replaced(here.event(ada), event_id="EvAgain", updated=event.updated + 1))
        await here.serve()

    with here.runtime.store.reading() as tables:
        assert tables.gone_accounts(docebo).since() == {}
