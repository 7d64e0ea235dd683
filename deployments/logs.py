"""How our processes write their logs: for people, or one JSON object a line for a collector."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from slack_docebo.domain.texts import line, lines
from slack_docebo.redaction import redact_logs

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
RENAMED = {"asctime": "time", "levelname": "level", "name": "logger"}


class TextFormatter(logging.Formatter):
    """Writes one line for a message, and one for each of a traceback: nobody's text begins a line of its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (logging's name)
        record.message = line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  (logging's name)
        return lines(super().formatException(ei))


def configure_logs(log_format: str) -> None:
    """Log to standard error in *log_format*, "text" or "json"; calling it again changes the format."""
    redact_logs()
    logging.basicConfig(level=logging.INFO)
    for quiet in ("httpx", "alembic"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    as_json = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=RENAMED)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(as_json if log_format == "json" else TextFormatter(TEXT))
