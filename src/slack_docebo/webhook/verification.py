"""The proof that a request comes from Slack: its signature and age, on the raw bytes."""

import re
from collections.abc import Callable, Sequence

from pydantic import SecretStr
from slack_sdk.signature import Clock, SignatureVerifier

from slack_docebo.errors import UnverifiedRequest

# slack_sdk raises on other shapes, each in its own way.
TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)
SIGNATURE = re.compile(r"v0=[0-9a-f]{64}", re.ASCII)


class RequestVerifier:
    """Checks requests against the app's signing secret and, while it is rotated, the former one.

    *secrets* is called for each request and returns them: they may be exchanged while the webhook runs.
    """

    def __init__(self, secrets: Callable[[], Sequence[SecretStr]], clock: Clock | None = None) -> None:
        self._secrets = secrets
        self._clock = clock or Clock()

    def check_headers(self, timestamp: str | None, signature: str | None) -> None:
        """Raise UnverifiedRequest if these headers cannot be valid, whatever the body is."""
        if not (timestamp and TIMESTAMP.fullmatch(timestamp)):
            raise UnverifiedRequest("X-Slack-Request-Timestamp is missing or no number")
        if not (signature and SIGNATURE.fullmatch(signature)):
            raise UnverifiedRequest("X-Slack-Signature is missing or not of version 0")

    def check(self, body: bytes, timestamp: str | None, signature: str | None) -> None:
        """Raise UnverifiedRequest unless Slack signed these bytes within the last five minutes."""
        self.check_headers(timestamp, signature)
        try:
            verified = any(
                SignatureVerifier(secret.get_secret_value(), self._clock).is_valid(body, timestamp, signature)
                for secret in self._secrets()
            )
        except UnicodeDecodeError:
            raise UnverifiedRequest("the body is not UTF-8") from None
        if not verified:
            raise UnverifiedRequest("signature or age is wrong; check SLACK_SIGNING_SECRET and this machine's clock")
