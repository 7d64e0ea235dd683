"""Notifications: one message to each place, by mail or by another service that Apprise knows."""

import asyncio
import hashlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from slack_docebo.clients.mail_server import IMPLICIT_TLS_PORT
from slack_docebo.errors import ConfigurationError, TransientError
from slack_docebo.settings import NotificationSettings

SECONDS = 20.0  # as long as a busy mail server may take for its greeting
KEY_LENGTH = 16  # hexadecimal digits
PATIENCE = 60.0  # seconds for one place, from beginning to end

# All that the process needs of our environment, which holds secrets.
PASSED_ON = frozenset({
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH",
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
})  # fmt: skip

# Apprise logs addresses, and of some services the token in the address.
logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message goes: an Apprise URL, or the parts of one."""

    kind: str
    address: str | dict[str, Any] = field(repr=False)  # can hold a password

    @property
    def key(self) -> str:
        """A key by which the place is recognised, without its address; of a mail place, by the recipient alone."""
        known_by = self.address if isinstance(self.address, str) else self.address["targets"]
        return hashlib.sha256(json.dumps(known_by).encode()).hexdigest()[:KEY_LENGTH]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message: the keys of places that accepted it, and the kinds of those that did not."""

    taken: Sequence[str]
    not_taken: Sequence[str]


class Notifier:
    """Sends a message to each of its places; without a place it sends nothing."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = places

    def __bool__(self) -> bool:
        return bool(self._places)

    @property
    def keys(self) -> list[str]:
        """The keys of the places."""
        return [place.key for place in self._places]

    def without(self, told: Collection[str]) -> "Notifier":
        """Return a notifier for the places whose keys are not in *told*."""
        return Notifier([place for place in self._places if place.key not in told])

    async def deliver(self, title: str, body: str, markdown: str = "") -> Delivery:
        """Send to all places at the same time; chats get *markdown* instead of the body, if it is given."""
        failures = await asyncio.gather(
            *(asyncio.to_thread(_deliver, place, title, body, markdown) for place in self._places),
        )
        taken = [place.key for place, failure in zip(self._places, failures, strict=True) if not failure]
        return Delivery(taken, list(filter(None, failures)))

    async def send(self, title: str, body: str, markdown: str = "") -> None:
        """Deliver the message; raise TransientError, naming their kinds, if some places did not accept it."""
        if failed := (await self.deliver(title, body, markdown)).not_taken:
            raise TransientError(
                "notification",
                f"not taken by: {', '.join(failed)}; see why by the form Is everything in place?, or `slack-docebo doctor`",
            )


def _deliver(place: Place, title: str, body: str, markdown: str) -> str:
    """Send to *place* in a process of its own; return "", or the kind of the place if it did not accept the message."""
    order = json.dumps({"address": place.address, "title": title, "body": body, "markdown": markdown})
    try:
        process = subprocess.run(
            [sys.executable, "-m", "slack_docebo.clients.delivery"],
            input=order.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # tokens in addresses, at times
            env={name: value for name, value in os.environ.items() if name.upper() in PASSED_ON},
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"{place.kind} (no end within {PATIENCE:g} s)"
    return place.kind if process.returncode else ""


def notifier(settings: NotificationSettings, mail_to: str) -> Notifier:
    """Return a notifier for each address in *mail_to*, and for the places of NOTIFICATION_URLS.

    Raises ConfigurationError if there is an address and no mail server, or a URL Apprise does not know.
    """
    places = []
    if mail_to:
        if not settings.smtp_host:
            raise ConfigurationError("SMTP_HOST is not set, so nothing can be sent to NOTIFICATION_MAIL_ID")
        of_mail = "SMTP_HOST, SMTP_FROM or NOTIFICATION_MAIL_ID"
        places += [_place(_mail(settings, address), of_mail) for address in mail_to.split(", ")]
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
        "from_addr": settings.sender,
        "targets": [mail_to],
        "format": "text",
        "cto": SECONDS,
    }
    if settings.smtp_username:
        mail["user"] = settings.smtp_username
        mail["password"] = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    return mail


def _place(address: str | dict[str, Any], named: str) -> Place:
    from apprise import Apprise, NotifyBase  # takes a fifth of a second to load: most commands and runs go without

    place = Apprise.instantiate(dict(address) if isinstance(address, dict) else address)
    if not isinstance(place, NotifyBase):
        raise ConfigurationError(f"{named} is not what Apprise understands: https://github.com/caronc/apprise")
    return Place(str(place.service_name), address)
