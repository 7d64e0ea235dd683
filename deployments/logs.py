"""How our processes write their logs: for people, or one JSON object a line for a collector."""

import logging

from pythonjsonlogger.json import JsonFormatter

from slack_docebo.redaction import redact_logs

TEXT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
RENAMED = {"asctime": "time", "levelname": "level", "name": "logger"}


def configure_logs(log_format: str) -> None:
    """Log to standard error in *log_format*, "text" or "json"; calling it again changes the format."""
    redact_logs()
    logging.basicConfig(level=logging.INFO, format=TEXT)
    for quiet in ("httpx", "alembic"):
        logging.getLogger(quiet).setLevel(logging.WARNING)
    if log_format == "json":
        formatter = JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=RENAMED)
        for handler in logging.getLogger().handlers:
            handler.setFormatter(formatter)
