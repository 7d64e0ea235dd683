"""A snapshot is followed while it is being read."""

import asyncio
import errno
import io
import os
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.clients.slack_wire import UserPage
from slack_docebo.domain.people import SourceUser
from slack_docebo.engine.reading.snapshot import SourceSnapshot
from slack_docebo.errors import IncompleteRead, NoRoomError

TEAM = "T1"


def page(*numbers: int, last: bool = False) -> UserPage:
    users = [SourceUser(f"U{number}", TEAM, email=f"u{number}@example.com") for number in numbers]
    return UserPage(users, "" if last else f"after {numbers}")


async def followed(people: SourceSnapshot) -> list[list[list[str]]]:
    """Return the Slack ids of each page of each listing."""
    return [[[user.slack_id for user in users] async for users in pages] async for pages in people.listings()]


async def others_have_worked() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


@pytest.mark.parametrize("news", [[], [1]], ids=["empty pages", "the same person on each page"])
def test_a_chain_of_cursors_that_brings_nobody_new_is_ended(news):
    chain = [UserPage(page(*news).users, f"after page {number}") for number in range(60)]

    with SourceSnapshot() as people, pytest.raises(IncompleteRead, match="showed nobody new"):
        deque(map(people.add, chain), maxlen=0)


def test_a_disk_without_room_for_the_list_is_told_as_such(monkeypatch):
    class Full(io.BytesIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", Full)

    with SourceSnapshot() as people, pytest.raises(NoRoomError, match="cannot be written: No space left on device"):
        people.add(page(1))


@given(st.lists(st.integers(1, 3), min_size=1, max_size=6), st.integers(0, 6), st.lists(st.booleans(), min_size=6))
async def test_who_follows_sees_every_page_once_whenever_they_begin(sizes, begin_after, pauses):
    numbers = iter(range(100))
    pages = [[next(numbers) for _ in range(size)] for size in sizes]
    with SourceSnapshot() as people:
        following = None
        for place, some in enumerate(pages):
            if place == begin_after:
                following = asyncio.create_task(followed(people))
            if pauses[place]:
                await others_have_worked()
            people.add(page(*some, last=some is pages[-1]))
        following = following or asyncio.create_task(followed(people))
        people.prove()

        assert await following == [[[f"U{number}" for number in some] for some in pages]]


async def test_the_end_waits_for_the_proof():
    with SourceSnapshot() as people:
        people.add(page(1, last=True))
        following = asyncio.create_task(followed(people))
        await others_have_worked()
        assert not following.done()
        people.prove()

        assert await following == [[["U1"]]]


def test_whose_fields_a_listing_has_shown_does_not_count_once_it_begins_again():
    with SourceSnapshot() as people:
        people.add(page(1))
        people.with_fields.add("U1")
        people.restart()

        assert people.with_fields == set()


async def test_who_follows_gets_a_listing_that_begins_again_from_its_first_page():
    with SourceSnapshot() as people:
        people.add(page(1))
        following = asyncio.create_task(followed(people))
        await others_have_worked()
        people.restart()
        people.add(page(2, last=True))
        people.prove()

        assert await following == [[["U1"]], [["U2"]]]
        assert await followed(people) == [[["U2"]]]
