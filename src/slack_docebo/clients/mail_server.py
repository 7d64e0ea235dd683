"""Asks the mail server whether it would accept a mail of ours."""

import smtplib
import ssl
from typing import Any

from slack_docebo.settings import NotificationSettings

IMPLICIT_TLS_PORT = 465
FIRST_REFUSAL = 400  # among the codes of SMTP
MOST_SAID = 100_000  # bytes of all that a server says; a few hundred are usual


class _Replies:
    """What the server says, to be read line by line; reading raises OSError once that is more than MOST_SAID."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._left = MOST_SAID

    def readline(self, longest: int) -> bytes:
        line: bytes = self._file.readline(longest)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("it does not end")
        return line

    def close(self) -> None:
        self._file.close()


class _Bounded(smtplib.SMTP):
    """A connection whose replies are bounded: smtplib keeps every line of one, however many there are."""

    _replies: _Replies | None = None

    @property
    def file(self) -> Any:
        return self._replies

    @file.setter
    def file(self, file: Any) -> None:
        self._replies = file and _Replies(file)


class _BoundedFromTheFirstByte(_Bounded, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def ping_mail_server(settings: NotificationSettings, to: str, seconds: float) -> None:
    """Connect, encrypt and sign in as for a mail, name the sender and the recipients in *to*, and send no mail.

    Raises OSError or SMTPException; `to_check` says what it is about.
    """
    context = ssl.create_default_context()
    if settings.smtp_port == IMPLICIT_TLS_PORT:
        server: smtplib.SMTP = _BoundedFromTheFirstByte(
            settings.smtp_host, settings.smtp_port, timeout=seconds, context=context
        )
    else:
        server = _Bounded(settings.smtp_host, settings.smtp_port, timeout=seconds)
    with server:
        if settings.smtp_starttls and settings.smtp_port != IMPLICIT_TLS_PORT:
            server.starttls(context=context)
        if settings.smtp_username:
            password = settings.smtp_password
            server.login(settings.smtp_username, password.get_secret_value() if password else "")
        server.ehlo_or_helo_if_needed()
        code, said = server.mail(settings.sender)
        if code >= FIRST_REFUSAL:
            raise smtplib.SMTPSenderRefused(code, said, settings.sender)
        for address in to.split(", "):
            code, said = server.rcpt(address)
            if code >= FIRST_REFUSAL:
                raise smtplib.SMTPRecipientsRefused({address: (code, said)})
        server.rset()


def to_check(error: Exception) -> str:
    """Say what to check after *error*, by the names of the settings."""
    match error:
        case smtplib.SMTPSenderRefused():
            return "it does not take the sender: set SMTP_FROM to an address of yours"
        case smtplib.SMTPRecipientsRefused():
            return "it does not take mail to NOTIFICATION_MAIL_ID: correct that row, or sign in with SMTP_USERNAME"
        case smtplib.SMTPAuthenticationError():
            return "check SMTP_USERNAME and SMTP_PASSWORD"
        case smtplib.SMTPNotSupportedError() | ssl.SSLError():
            return "check SMTP_STARTTLS and SMTP_PORT: 587 encrypts on demand, 465 from the first byte, 25 may not"
        case _:
            return "check SMTP_HOST and SMTP_PORT"
