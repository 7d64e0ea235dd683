"""Behaviour settings: the rows *Integration | Key | Value* of the table that the retired product called by this name.

In Prefect the table is the Variable `integration_settings`, a JSON list of objects with those three keys.
"""

from slack_docebo.integration_settings.csv_file import rows_as_csv, rows_from_csv
from slack_docebo.integration_settings.reading import (
    LONGEST_SETTING,
    documented_rows,
    notification_mail_id,
    read_rows,
    read_written,
)
from slack_docebo.integration_settings.rows import INTEGRATION, VARIABLE, listed, rows_by_key, rows_of_others, table
from slack_docebo.integration_settings.settings import IntegrationSettings
from slack_docebo.integration_settings.switches import ReportMail

__all__ = [
    "INTEGRATION",
    "LONGEST_SETTING",
    "VARIABLE",
    "IntegrationSettings",
    "ReportMail",
    "documented_rows",
    "listed",
    "notification_mail_id",
    "read_rows",
    "read_written",
    "rows_as_csv",
    "rows_by_key",
    "rows_from_csv",
    "rows_of_others",
    "table",
]
