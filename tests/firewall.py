"""A firewall before Slack or Docebo that refuses whole calls for the words of one person."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.between import Answer, Call, between

POISON = "x' OR 1=1 UNION SELECT password"


@contextmanager
def firewall(target: str, status: int, *words: bytes, saying: bytes = b"") -> Iterator[str]:
    """Refuse each call to *target* whose address or body holds one of *words*, *saying* so in JSON; yield the base URL."""
    refused = words or (b"UNION SELECT",)
    page = Answer(status, b"<html>Forbidden by policy</html>", "text/html")

    def refusal(call: Call) -> Answer | None:
        if any(word in call.path.encode() or word in call.body for word in refused):
            return Answer(status, saying) if saying else page
        return None

    with between(target, refusal) as url:
        yield url
