import base64
import json
import logging
import pickle
import string
from collections import deque
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slack_docebo import cli, redaction
from slack_docebo.clients.docebo_values import message_of
from slack_docebo.errors import AccessDenied, RateLimited, Rejected
from slack_docebo.redaction import TOKENS, keep_secret, keep_token, redact_logs, redacted

SECRET = 'pl4nted/secret+with=signs & "blanks"'


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    """Begin as a process that knows no secret."""
    monkeypatch.setattr(redaction, "_secrets", set())
    monkeypatch.setattr(redaction, "_tokens", deque(maxlen=TOKENS))


@pytest.fixture
def logs(monkeypatch):
    """What a process that redacts its logs writes, at every level."""
    usual = logging.getLogRecordFactory()
    redact_logs()
    yield
    logging.setLogRecordFactory(usual)


@pytest.mark.parametrize(
    "said",
    [
        SECRET,
        SECRET.upper(),
        quote(SECRET, safe=""),
        urlencode({"client_secret": SECRET}),
        json.dumps({"heard": SECRET}),
        f"Basic {base64.b64encode(SECRET.encode()).decode()}",
    ],
)
def test_a_secret_is_shown_in_no_form(said):
    keep_secret(SECRET)

    assert redacted(f"before {said} after").startswith("before ")
    assert "(secret)" in redacted(said)
    assert "pl4nted" not in redacted(said).lower()


def test_a_short_word_stays_for_it_is_in_every_message():
    keep_secret("sync")

    assert redacted("sync failed") == "sync failed"


def test_of_two_secrets_that_begin_alike_neither_is_left():
    keep_secret("planted-one")
    keep_secret("planted-one-and-more")

    assert redacted("planted-one-and-more, planted-one") == "(secret), (secret)"


def test_of_tokens_the_newest_are_not_shown_and_those_that_have_expired_are_known_no_longer():
    keep_secret("planted-one")
    tokens = [f"planted-token-{number}" for number in range(2 * TOKENS)]
    for token in tokens:
        keep_token(token)

    assert redacted(", ".join(["planted-one", *tokens[-TOKENS:]])) == ", ".join(["(secret)"] * (TOKENS + 1))
    assert redacted(tokens[0]) == tokens[0]


@given(st.text(string.printable, min_size=8).filter(lambda text: len(text.strip()) >= 8), st.text(), st.text())
@settings(max_examples=200)
def test_whatever_the_secret_and_whatever_is_around_it_it_is_not_shown(secret, before, after):
    keep_secret(secret)

    assert secret.strip() not in redacted(before + secret + after).replace("(secret)", "\0")


def test_an_error_holds_no_secret_not_even_in_its_arguments():
    keep_secret(SECRET)

    error = Rejected("batch", f"no such token: {SECRET}", status=400)

    assert str(error) == "batch: HTTP 400: no such token: (secret)"
    assert "pl4nted" not in repr(error) + repr(error.args) + error.detail
    assert str(pickle.loads(pickle.dumps(AccessDenied("token", SECRET)))) == "(secret) (token)"
    assert pickle.loads(pickle.dumps(RateLimited("token"))).retry_after is None


def test_what_the_other_side_said_is_in_no_message_and_stays_in_the_process():
    error = Rejected("create users", "not allowed", status=400, said="ask Grace Hopper")

    assert "Hopper" not in f"{error} {error!r} {error.args}"
    copied = pickle.loads(pickle.dumps(error))
    assert (str(copied), copied.status, copied.said) == (str(error), 400, "")


def test_what_docebo_quotes_is_redacted_before_it_is_cut():
    keep_secret("pl4nted" * 20)

    assert "pl4nted" not in message_of(f"{'x' * 1_950} {'pl4nted' * 20}")


def test_a_command_that_meets_a_fault_of_ours_shows_no_secret(monkeypatch, capsys):
    keep_secret("planted-secret")

    def fail(*_arguments, **_options):
        raise KeyError("planted-secret")

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()

    assert (ended.value.code, "KeyError: '(secret)'" in capsys.readouterr().err) == (1, True)


def test_no_library_logs_a_secret_at_any_level(logs, caplog):
    keep_secret(SECRET)
    caplog.set_level(1)

    logging.getLogger("websockets.client").debug("> TEXT %s", json.dumps({"token": SECRET}))
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("any").exception("it failed")

    assert "pl4nted" not in caplog.text
    assert caplog.text.count("(secret)") == 2
    assert "Traceback" in caplog.text


def test_a_log_line_that_cannot_be_formatted_is_left_to_logging(logs):
    keep_secret(SECRET)

    record = logging.getLogger().makeRecord("any", logging.INFO, __file__, 1, "%d", ("no number",), None)

    assert record.args == ("no number",)
