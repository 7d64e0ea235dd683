"""Redaction: the secrets of this process are taken out of everything that it writes or shows.

A message may quote an answer of another side, and that answer may quote the secret it was sent.
"""

import base64
import json
import logging
import re
import traceback
from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "(secret)"  # no bracket or star: it may come to stand in markup
SHORTEST = 8  # characters; a shorter one may be a word, and would spoil every message

TOKENS = 10  # the newest ones; each is good for an hour, and a process that lives for weeks is given thousands

_secrets: set[str] = set()
_tokens: deque[str] = deque(maxlen=TOKENS)


def keep_secret(secret: str) -> None:
    """Replace *secret* from now on, in every form that `_forms_of` knows; one of less than 8 characters is not replaced."""
    _secrets.add(secret.strip())


def keep_token(token: str) -> None:
    """Replace *token* like a secret until `TOKENS` others were given."""
    if token not in _tokens:
        _tokens.append(token)


def redacted(text: str) -> str:
    """Return *text* without the secrets of this process."""
    return _pattern_of(frozenset((*_secrets, *_tokens))).sub(REDACTED, text)


@lru_cache(maxsize=1)
def _pattern_of(secrets: frozenset[str]) -> re.Pattern[str]:
    """Return what finds any form of *secrets*; nothing where there are none."""
    forms = {form for secret in secrets for form in _forms_of(secret) if len(form) >= SHORTEST}
    alternatives = sorted(forms, key=len, reverse=True)  # of two that begin alike, the longer one is to match
    return re.compile("|".join(map(re.escape, alternatives)) or "(?!)", re.IGNORECASE)


def redact_logs() -> None:
    """Redact every log record of this process, whichever library writes it, at whatever level."""
    usual = logging.getLogRecordFactory()
    if usual is not _redacted_record:
        global _usual_record  # noqa: PLW0603
        _usual_record = usual
        logging.setLogRecordFactory(_redacted_record)


_usual_record: Any = logging.LogRecord


def _redacted_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    record: logging.LogRecord = _usual_record(*args, **kwargs)
    try:
        said = record.getMessage()
    except (TypeError, ValueError, KeyError):
        return record  # logging cannot show it either
    if (safe := redacted(said)) != said:
        record.msg, record.args = safe, None
    if record.exc_info and record.exc_info[0]:
        trace = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        if (safe := redacted(trace)) != trace:
            record.exc_info, record.exc_text = None, safe
    return record


def _forms_of(secret: str) -> Iterator[str]:
    """Yield *secret* as it stands in a text, an address, a form, JSON, and a Basic login."""
    yield secret
    yield quote(secret, safe="", errors="replace")
    yield quote_plus(secret, errors="replace")
    yield json.dumps(secret)[1:-1]
    yield base64.b64encode(secret.encode("utf-8", "replace")).decode("ascii").rstrip("=")
