"""Outages: whether a failure is one person's, or that of Slack or Docebo as a whole, as a harmless call shows."""

from collections.abc import Awaitable, Callable

from slack_docebo.clients.docebo import DoceboClient
from slack_docebo.clients.slack import SlackClient
from slack_docebo.errors import AccessDenied, Halted, LockLost, RemoteError, TransientError

IN_A_ROW = 3  # people for whom a side gives no answer, before it is asked whether it answers at all
NOBODY = "nobody@slack-docebo.invalid"  # whom to search for changes nothing and takes a superadmin's grant


async def ping_slack(slack: SlackClient) -> None:
    """Ask Slack for ourselves, in two calls; raise where it refuses, or does not answer."""
    identity = await slack.identify()
    if identity.user_id:
        await slack.user(identity.user_id, with_custom=False)


async def ping_docebo(docebo: DoceboClient) -> None:
    """Search for nobody at Docebo, in one call; raise where it refuses, or does not answer."""
    await docebo.find_users(NOBODY)


class OutageWatch:
    """Watches the calls to one side for one person after the other; *ping* is the harmless call to that side."""

    def __init__(self, ping: Callable[[], Awaitable[None]]) -> None:
        self._ping = ping
        self._unanswered = 0  # in a row

    def passed(self) -> None:
        """Note that a call was answered."""
        self._unanswered = 0

    async def failed(self, error: Exception) -> None:
        """Return if *error* is about one person, and raise it if it is about everybody.

        The harmless call is made after each refusal of access, and after the third call in a row without an answer.
        """
        unanswered = isinstance(error, TransientError)
        self._unanswered = self._unanswered + 1 if unanswered else 0
        if self._unanswered >= IN_A_ROW or not unanswered:
            await self.check(error)

    async def check(self, error: Exception) -> None:
        """Raise *error* if it ends the run anyway (an order, a lost lock), or if even the harmless call fails."""
        if isinstance(error, Halted | LockLost):
            raise error
        if isinstance(error, AccessDenied | TransientError):
            try:
                await self._ping()
            except RemoteError:
                raise error from None
            self._unanswered = 0
