"""Whether a request comes from Slack; the vector is the one Slack publishes."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from slack_sdk.signature import Clock

from slack_docebo.errors import UnverifiedRequest
from slack_docebo.webhook.verification import RequestVerifier

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
TIMESTAMP = "1531420618"
SIGNATURE = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
    b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
    b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)


class At(Clock):
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def now(self) -> float:
        return self.seconds


def verifier(*secrets: str, late: float = 0) -> RequestVerifier:
    return RequestVerifier(lambda: [SecretStr(secret) for secret in secrets or (SECRET,)], At(int(TIMESTAMP) + late))


def test_slacks_published_signature_is_accepted():
    verifier().check(BODY, TIMESTAMP, SIGNATURE)


def test_during_rotation_either_secret_counts():
    verifier("the-new-one", SECRET).check(BODY, TIMESTAMP, SIGNATURE)


@pytest.mark.parametrize("late", [-300, 300])
def test_five_minutes_are_not_too_old(late):
    verifier(late=late).check(BODY, TIMESTAMP, SIGNATURE)


@pytest.mark.parametrize("late", [-301, 301])
def test_an_older_or_future_request_is_refused(late):
    with pytest.raises(UnverifiedRequest):
        verifier(late=late).check(BODY, TIMESTAMP, SIGNATURE)


@pytest.mark.parametrize(
    ("body", "timestamp", "signature"),
    [
        pytest.param(BODY + b" ", TIMESTAMP, SIGNATURE, id="altered body"),
        pytest.param(b"\xff\xfe", TIMESTAMP, SIGNATURE, id="body that is not UTF-8"),
        pytest.param(BODY, "abc", SIGNATURE, id="timestamp that is no number"),
        pytest.param(BODY, "1531420618.5", SIGNATURE, id="fraction"),
        pytest.param(BODY, "1_531_420_618", SIGNATURE, id="underscores"),
        pytest.param(BODY, "١٥٣١٤٢٠٦١٨", SIGNATURE, id="digits of another script"),
        pytest.param(BODY, "9" * 5000, SIGNATURE, id="endless timestamp"),
        pytest.param(BODY, TIMESTAMP, SIGNATURE.replace("a", "é"), id="non-ASCII signature"),
        pytest.param(BODY, TIMESTAMP, SIGNATURE.replace("v0", "v1"), id="another version"),
        pytest.param(BODY, TIMESTAMP, SIGNATURE.upper(), id="upper case"),
        pytest.param(BODY, TIMESTAMP, "", id="empty signature"),
        pytest.param(BODY, TIMESTAMP, None, id="no signature"),
        pytest.param(BODY, None, SIGNATURE, id="no timestamp"),
    ],
)
def test_anything_else_is_refused(body, timestamp, signature):
    with pytest.raises(UnverifiedRequest):
        verifier().check(body, timestamp, signature)


@given(st.binary(), st.none() | st.text(), st.none() | st.text() | st.just("v0=" + "0" * 64))
def test_whatever_comes_is_refused_and_nothing_else_happens(body, timestamp, signature):
    with pytest.raises(UnverifiedRequest):
        verifier().check(body, timestamp, signature)


@given(st.text())
def test_every_text_that_was_signed_is_accepted(text):
    body = text.encode("utf-8", "replace")
    digest = hmac.new(SECRET.encode(), f"v0:{TIMESTAMP}:".encode() + body, hashlib.sha256).hexdigest()

    verifier().check(body, TIMESTAMP, f"v0={digest}")
