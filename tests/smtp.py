"""A mail server for the tests: real SMTP, mails kept in memory."""

import email
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from queue import Empty, Queue
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from deployments.local import free_port
from tests.waiting import PATIENCE_SECONDS

USER, PASSWORD = "sync", "planted-smtp-password"


class MailServer:
    """Takes every mail, unless told to refuse them."""

    def __init__(self) -> None:
        self.refusing = ""
        self.refusing_at = ""  # MAIL or RCPT, at which every address is refused
        self._mails: Queue[Message] = Queue()

    async def handle_MAIL(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        envelope.mail_from = address
        return "550 not that one" if self.refusing_at == "MAIL" else "250 taken"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if self.refusing_at == "RCPT":
            return "550 not that one"
        envelope.rcpt_tos.append(address)
        return "250 taken"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802  (aiosmtpd's name)
        if self.refusing:
            return self.refusing
        self._mails.put(email.message_from_bytes(envelope.content))
        return "250 taken"

    def next_mail(self) -> Message:
        """Wait for a mail and return it."""
        return self._mails.get(timeout=PATIENCE_SECONDS)

    def taken(self) -> Iterator[Message]:
        """Return the mails that are there."""
        with suppress(Empty):
            while True:
                yield self._mails.get_nowait()


class Mailbox:
    """The mails to one address of a server."""

    def __init__(self, server: MailServer, address: str) -> None:
        self.server = server
        self.address = address

    def next_mail(self) -> Message:
        """Wait for a mail to this address and return it; those to others are passed over."""
        while (mail := self.server.next_mail())["To"] != self.address:
            pass
        return mail

    def is_empty(self) -> bool:
        return self.address not in {mail["To"] for mail in self.server.taken()}


def text(mail: Message) -> str:
    """Return what stands in the mail."""
    parts = [part for part in mail.walk() if part.get_content_type() == "text/plain"]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


@contextmanager
def mail_server(*, tls: ssl.SSLContext | None = None, sign_in: bool = False) -> Iterator[tuple[MailServer, int]]:
    """Run a mail server on a port of this machine; with *tls* it takes nothing before STARTTLS."""
    server = MailServer()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True} if sign_in else {}
    if tls:
        options |= {"tls_context": tls, "require_starttls": True}
    elif sign_in:  # offered, but not required: that would be warned of
        options |= {"auth_required": False, "auth_require_tls": False}
    port = free_port()
    controller = Controller(server, hostname="127.0.0.1", port=port, ready_timeout=PATIENCE_SECONDS, **options)
    controller.start()
    try:
        yield server, port
    finally:
        controller.stop()
