"""Telling people, by mail and by whatever else Apprise speaks."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slack_docebo.errors import ConfigurationError, TransientError
from slack_docebo.settings import NotificationSettings

if TYPE_CHECKING:
    from apprise import NotifyBase  # takes a fifth of a second to load, which most commands and runs can do without

IMPLICIT_TLS_PORT = 465
SECONDS = 20.0  # a busy mail server may think that long before its greeting

# Apprise logs addresses, and of some services the token in the address.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


class Notifier:
    """Sends one message to every place it knows; without a place it sends nothing."""

    def __init__(self, places: Sequence["NotifyBase"]) -> None:
        self._places = places

    def __bool__(self) -> bool:
        return bool(self._places)

    async def send(self, title: str, body: str) -> None:
        """Send to all; raise TransientError that names the kinds of places which did not take it."""
        from apprise import NotifyFormat

        failed = [
            str(place.service_name)
            for place in self._places
            if not await place.async_notify(body=body, title=title, body_format=NotifyFormat.TEXT)
        ]
        if failed:
            raise TransientError("notification", f"not taken by: {', '.join(failed)}; check with `slack-docebo doctor`")


def notifier(settings: NotificationSettings, mail_to: str) -> Notifier:
    """Return who tells *mail_to* (nobody, if empty) and the places of NOTIFICATION_URLS.

    Raises ConfigurationError if there is an address and no mail server, or a URL Apprise does not know.
    """
    places = []
    if mail_to:
        if not settings.smtp_host:
            raise ConfigurationError("SMTP_HOST is not set, so nothing can be sent to NOTIFICATION_MAIL_ID")
        places.append(_place(_mail(settings, mail_to), "SMTP_HOST, SMTP_FROM or NOTIFICATION_MAIL_ID"))
    urls = settings.notification_urls.get_secret_value().split() if settings.notification_urls else []
    places += [_place(url, f"address {number} of NOTIFICATION_URLS") for number, url in enumerate(urls, 1)]
    return Notifier(places)


def _mail(settings: NotificationSettings, mail_to: str) -> dict[str, Any]:
    encryption = "starttls" if settings.smtp_starttls else "insecure"
    mail: dict[str, Any] = {
        "schema": "mailtos" if settings.smtp_starttls else "mailto",
        "host": settings.smtp_host,
        "smtp_host": settings.smtp_host,
        "port": settings.smtp_port,
        "secure": settings.smtp_starttls,
        "secure_mode": "ssl" if settings.smtp_port == IMPLICIT_TLS_PORT else encryption,
        "from_addr": settings.smtp_from or f"slack-docebo@{settings.smtp_host}",
        "targets": [mail_to],
        "format": "text",
        "cto": SECONDS,
    }
    if settings.smtp_username:
        mail["user"] = settings.smtp_username
        mail["password"] = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    return mail


def _place(address: str | dict[str, Any], named: str) -> "NotifyBase":
    from apprise import Apprise, NotifyBase

    place = Apprise.instantiate(address)
    if not isinstance(place, NotifyBase):
        raise ConfigurationError(f"{named} is not what Apprise understands: https://github.com/caronc/apprise")
    return place
