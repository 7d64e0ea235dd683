"""Exchanges with Slack and Docebo: each is recorded, disguised, so that it can be reported and replayed."""

import json
import logging
import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from slack_docebo.domain.disguise import Disguise
from slack_docebo.errors import ConfigurationError
from slack_docebo.private_files import make_folder, open_own
from slack_docebo.redaction import redacted

_log = logging.getLogger(__name__)
HEADERS = ("content-type", "retry-after", "x-docebo-api-version", "x-oauth-scopes", "x-accepted-oauth-scopes")


class Recorder:
    """Writes a line of JSON for each exchange to a file of this process in *folder*, which nothing of ours reads."""

    def __init__(self, folder: Path) -> None:
        try:
            make_folder(folder)
        except OSError as error:
            raise ConfigurationError(f"DEBUG_RECORD: {error.strerror}: name a folder that can be written to") from None
        self._file = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(3)}.jsonl"
        self._disguise = Disguise(secrets.token_bytes(32))

    def note(
        self,
        side: str,
        method: str,
        url: str,
        sent: bytes,
        *,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        failure: str = "",
    ) -> None:
        """Write what was *sent* to *url* and the answer: *status*, *headers* and *body*, or the kind of *failure*."""
        address = urlsplit(url)
        line = {
            "side": side,
            "method": method,
            "path": self._disguise.path(address.path),
            "query": self._disguise.form(address.query),
            "sent": self._shown(sent),
            "status": status,
            "headers": {name: redacted(value) for name, value in (headers or {}).items() if name.lower() in HEADERS},
            "body": self._shown(body),
            "failure": failure,
        }
        try:
            with open(self._file, "a", encoding="utf-8", opener=open_own) as out:
                out.write(redacted(json.dumps(line)) + "\n")
        except OSError as error:
            _log.warning("this exchange is not recorded: %s", error.strerror)

    def _shown(self, content: bytes) -> Any:
        """Return JSON and forms disguised; of anything else, return only the size."""
        if not content:
            return None
        try:
            return self._disguise.value(json.loads(content))
        except (ValueError, RecursionError):
            pass
        text = content.decode("utf-8", "replace")
        is_form = "=" in text and not any(character.isspace() or character in "<>{" for character in text)
        return self._disguise.form(text) if is_form else f"({len(content)} bytes that are no JSON)"
