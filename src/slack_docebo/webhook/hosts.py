"""The names under which the webhook is served: no web page whose name leads to our address may read here."""

import logging
import time
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from slack_docebo.hosts import bare, leads_here
from slack_docebo.settings import ListeningSettings

LONGEST_NAME = 253  # that the domain name system has
COMPLAINT_SECONDS = 60.0
OUR_OWN_FETCHES = frozenset({"none", "same-origin"})  # an address typed in, and what a page of ours would ask for

logger = logging.getLogger(__name__)


class Hosts:
    """The names of this installation, and those that no other web page can have."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(map(bare, names))
        self._complained_at = float("-inf")

    def include(self, host: str) -> bool:
        """Tell whether a request may carry *host* as its `Host`.

        A name without a dot is `localhost`, or a container's on its network.
        """
        return leads_here(host, self._names, without_a_dot=True)

    def complain(self, host: str) -> None:
        """Log, once in a while, that requests for *host* are refused: the name may be a proxy's."""
        now = time.monotonic()
        if now - self._complained_at >= COMPLAINT_SECONDS:
            self._complained_at = now
            logger.warning(
                "requests for the name %s are refused; if it is ours, add it to WEBHOOK_ALLOWED_HOSTS",
                ascii(host[:LONGEST_NAME]),
            )


def own_hosts(settings: ListeningSettings) -> Hosts:
    """Return the names of the webhook, from its *settings*."""
    public = urlsplit(settings.webhook_public_url or "").hostname
    return Hosts(
        filter(None, (public, settings.webhook_host, settings.webhook_observation_host, *settings.allowed_hosts))
    )


def comes_from_a_page(headers: Mapping[str, str]) -> bool:
    """Tell whether a browser sent this for a web page: Slack, proxies and probes send neither header."""
    return "origin" in headers or ("sec-fetch-site" in headers and headers["sec-fetch-site"] not in OUR_OWN_FETCHES)
