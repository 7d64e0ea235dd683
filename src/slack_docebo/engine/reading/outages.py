"""Outages: what a whole side fails with, told from what one person fails with by a harmless call to the same side."""

from collections.abc import Awaitable, Callable

from slack_docebo.errors import AccessDenied, Halted, LockLost, RemoteError, TransientError
from slack_docebo.runtime import Runtime

IN_A_ROW = 3  # people for whom a side gives no answer, before it is asked whether it answers at all
NOBODY = "nobody@slack-docebo.invalid"  # whom to search for changes nothing and takes a superadmin's grant


async def greet_slack(runtime: Runtime) -> None:
    """Ask Slack for ourselves, in two calls; raise where it refuses, or does not answer."""
    identity = await runtime.slack.identify()
    if identity.user_id:
        await runtime.slack.user(identity.user_id, with_custom=False)


async def greet_docebo(runtime: Runtime) -> None:
    """Search for nobody at Docebo, in one call; raise where it refuses, or does not answer."""
    await runtime.docebo.find_users(NOBODY)


class OutageWatch:
    """Watches the calls to one side, made for one person after the other, which *greet* asks for something harmless."""

    def __init__(self, runtime: Runtime, greet: Callable[[Runtime], Awaitable[None]]) -> None:
        self._runtime = runtime
        self._greet = greet
        self._unanswered = 0  # in a row

    def passed(self) -> None:
        """Note that a call was answered."""
        self._unanswered = 0

    async def failed(self, error: Exception) -> None:
        """Return where *error* is one person's, and raise it where it is everybody's.

        Asked is after each refusal of access, and when nobody was answered for the third time in a row.
        """
        unanswered = isinstance(error, TransientError)
        self._unanswered = self._unanswered + 1 if unanswered else 0
        if self._unanswered >= IN_A_ROW or not unanswered:
            await self.check(error)

    async def check(self, error: Exception) -> None:
        """Raise *error* where it is an order, or of a lost place, or where even the harmless call fails."""
        if isinstance(error, Halted | LockLost):
            raise error
        if isinstance(error, AccessDenied | TransientError):
            try:
                await self._greet(self._runtime)
            except RemoteError:
                raise error from None
            self._unanswered = 0
