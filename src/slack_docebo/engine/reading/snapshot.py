"""A snapshot of Slack's user list: each of its pages as it was read, and the proof that none is missing."""

import asyncio
import pickle
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from os import SEEK_END
from typing import Self

from slack_docebo.clients.slack_wire import UserPage
from slack_docebo.domain.people import SourceUser
from slack_docebo.errors import IncompleteRead, NoRoomError

MAX_PAGES = 20_000  # a chain this long is a loop: a million users are 1,000 to 10,000 pages
PAGES_WITHOUT_NEWS = 50  # pages that may show nobody new: Slack's can be empty


@contextmanager
def _on_disk() -> Iterator[None]:
    """Raise NoRoomError where the disk does not do what is asked of it."""
    try:
        yield
    except OSError as error:
        raise NoRoomError(
            "the people whom Slack lists are kept in a temporary file, which cannot be written:"
            f" {error.strerror or type(error).__name__}"
        ) from error


class SourceSnapshot:
    """Slack's users, page by page and each once, as last shown, in a temporary file without a name.

    A run needs them again once the whole list is read and proven. In memory, a hundred thousand users would be most of
    what the run takes.
    """

    def __init__(self) -> None:
        with _on_disk():
            self._file = tempfile.TemporaryFile()  # noqa: SIM115  (closed by __exit__)
        self._changed = asyncio.Event()
        self.expected: frozenset[str] = frozenset()  # Slack ids that were mapped when the listing began
        self.scim: Mapping[str, Mapping[str, str]] | None = None  # what SCIM says of everybody, by Slack id
        self.to_compare = set[str]()  # Slack ids of those who are compared again once their custom fields are read
        self.restart()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # what did not fit does not fit now either
            self._file.close()

    def restart(self) -> None:
        """Drop the pages read so far, because the cursor went stale and the listing begins again."""
        with _on_disk():
            self._file.seek(0)
            self._file.truncate()
        self._offsets: list[int] = []
        self._cursors: set[str] = set()
        self._stamps: dict[str, int] = {}  # `updated` of everybody seen, by each id
        self._deactivated: set[str] = set()  # of everybody seen, by the latest entry
        self._newer: dict[str, SourceUser] = {}
        self._ended = False
        self._proven = False
        self.people = 0
        self.with_email = 0
        self.with_fields = set[str]()  # Slack ids of whom the list itself shows all wanted custom fields, if of anybody
        self.shows_workspace = False  # somebody who is, or may be, a member of the workspace
        self._changed.set()

    def add(self, page: UserPage) -> None:
        """Add the next page; raise IncompleteRead if its cursor shows that the list has no proper end."""
        fresh = []
        for user in page.users:
            # Slack promises no order of its list, so two pages can show the same person, who may have changed meanwhile.
            stamp = self._stamps.get(user.slack_id)
            if stamp is None:
                fresh.append(user)
            elif user.updated == stamp and self._is_at_odds(user):
                unsaid = (*user.unsaid, "deactivated")
                self._newer[user.slack_id] = replace(user, deactivated=False, unsaid=unsaid)
            elif user.updated >= stamp:
                self._newer[user.slack_id] = user
            else:
                continue
            if user.deactivated:
                self._deactivated.add(user.slack_id)
            else:
                self._deactivated.discard(user.slack_id)
            self._stamps.update(dict.fromkeys(user.ids, user.updated))
        with _on_disk():
            self._offsets.append(self._file.seek(0, SEEK_END))
            pickle.dump(fresh, self._file)
            self._file.flush()
        self.people += len(fresh)
        self.with_email += sum(1 for user in fresh if user.email or user.hidden)
        if not page.next_cursor:
            self._ended = True
        elif page.next_cursor in self._cursors:
            raise IncompleteRead("Slack's user list came back to a page it had sent before; run again later")
        elif len(self._offsets) >= MAX_PAGES:
            raise IncompleteRead(f"Slack's user list did not end within {MAX_PAGES} pages")
        elif self.pages > self.people + PAGES_WITHOUT_NEWS:
            raise IncompleteRead(
                f"Slack's user list does not end: more than {PAGES_WITHOUT_NEWS} of its pages showed nobody new"
            )
        self._cursors.add(page.next_cursor)
        self._changed.set()

    def check_end(self) -> None:
        """Raise IncompleteRead unless the list was read to its end, and shows people, some with an e-mail address."""
        if not self._ended:
            raise IncompleteRead("Slack's user list was not read to its end")
        if self.people == 0:
            raise IncompleteRead("Slack's user list is empty, which no workspace's is")
        if self.with_email == 0:
            raise IncompleteRead("nobody in Slack's user list has an e-mail address: check the scope users:read.email")

    def prove(self) -> None:
        """Mark the list as complete, so that iteration comes to its end; raise IncompleteRead like `check_end`."""
        self.check_end()
        self._proven = True
        self._changed.set()

    @property
    def pages(self) -> int:
        return len(self._offsets)

    @property
    def shown_again(self) -> set[str]:
        """The Slack ids of people shown again after their page: whoever read that page has read older data."""
        return set(self._newer)

    def __contains__(self, slack_id: object) -> bool:
        """Tell whether the list shows somebody with this Slack id, which may be one of several."""
        return slack_id in self._stamps

    def __iter__(self) -> Iterator[list[SourceUser]]:
        """Yield the users page by page, in the order read."""
        for page in range(self.pages):
            yield self._page(page)

    async def listings(self) -> AsyncIterator[AsyncIterator[list[SourceUser]]]:
        """Yield the pages of the listing, and of each further one where it begins again; only the last one counts.

        The pages are yielded as they are added, and end once `prove` has found the list complete.
        """
        current = None
        while current is not self._offsets:
            current = self._offsets
            yield self._pages_of(current)

    async def _pages_of(self, listing: list[int]) -> AsyncIterator[list[SourceUser]]:
        """Yield the pages of *listing*, the places in the file where they begin, until it is whole or begins again."""
        page = 0
        while listing is self._offsets and not (self._proven and page == self.pages):
            self._changed.clear()
            if page < self.pages:
                yield self._page(page)
                page += 1
            else:
                await self._changed.wait()

    def _is_at_odds(self, user: SourceUser) -> bool:
        """Tell whether another entry of the same moment has another status: neither can be taken for the newer one."""
        so_far = self._newer.get(user.slack_id)
        was_unclear = so_far is not None and "deactivated" in so_far.unsaid
        return was_unclear or user.deactivated != (user.slack_id in self._deactivated)

    def _page(self, page: int) -> list[SourceUser]:
        with _on_disk():
            self._file.seek(self._offsets[page])
            users: list[SourceUser] = pickle.load(self._file)  # noqa: S301  (written above, by this process)
        return [self._newer.get(user.slack_id, user) for user in users] if self._newer else users
