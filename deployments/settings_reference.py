"""`python -m deployments.settings_reference`: write docs/settings.md and .env.example from the code."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from slack_docebo.integration_settings import INTEGRATION, VARIABLE, documented_rows
from slack_docebo.settings import NotificationSettings, Settings

ROOT = Path(__file__).parents[1]
PREFECT = {
    "PREFECT_SERVER_API_AUTH_STRING": "The login that Prefect's server asks for: user:password, in ASCII, and long, for"
    " everybody may try for ever. `make up` makes one, containers want it set.",
    "PREFECT_UI_URL": "Address of Prefect's UI as people reach it: the links in notifications begin with it, and the"
    " server answers pages of no other origin.",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "`slack_docebo`: the library's log lines are shown on the run's page.",
    "PREFECT_LOGGING_LEVEL": "`DEBUG` shows more, tracebacks of known errors included.",
}
SERVER_LOGIN = "PREFECT_SERVER_API_AUTH_STRING"
HEAD = """# Settings

Made from the code by `python -m deployments.settings_reference`. Behaviour is set in Prefect, connections in the
environment; `slack-docebo doctor` checks both.

## Behaviour: the Variable `{variable}`

Rows *integration | key | value* of one table, edited in Prefect's UI under Variables. The integration is `{integration}`.
A change takes effect with the next run; a wrong row stops that run before it begins, and the message names it.
The first three rows must be there. `python -m deployments.bootstrap` makes the whole table, and
`python -m deployments.bootstrap --settings FILE.csv` loads the one exported from the retired product.

| Key | Default | Meaning |
|---|---|---|
"""
ENVIRONMENT = """
## Connections: environment variables

Read from the environment of the worker, the webhook and the command line, and from a file `.env` in the project's
folder. Secrets can be kept in Prefect's Secret blocks instead: see [deployment](deployment.md).

| Variable | Default | Meaning |
|---|---|---|
"""
PREFECT_HEAD = """
## Prefect's own variables that matter here

| Variable | Meaning |
|---|---|
"""


def fields() -> list[tuple[str, FieldInfo]]:
    """Return the environment's settings in the order to be read: connections first, notifications last."""
    everything = Settings.model_fields
    last = NotificationSettings.model_fields
    return [(name.upper(), field) for name, field in everything.items() if name not in last] + [
        (name.upper(), field) for name, field in everything.items() if name in last
    ]


def reference() -> str:
    """Return docs/settings.md."""
    rows = "".join(f"| `{key}` | {_code(default)} | {_cell(text)} |\n" for key, default, text in documented_rows())
    variables = "".join(
        f"| `{name}` | {_default(field)} | {_cell(field.description or '')} |\n" for name, field in fields()
    )
    prefect = "".join(f"| `{name}` | {_cell(text)} |\n" for name, text in PREFECT.items())
    head = HEAD.format(variable=VARIABLE, integration=INTEGRATION)
    return head + rows + ENVIRONMENT + variables + PREFECT_HEAD + prefect


def example() -> str:
    """Return .env.example: what must be set, and everything else commented out with its default."""
    lines = ["# Copy to .env and fill in. Every variable: docs/settings.md. Check with `slack-docebo doctor`.", ""]
    for name, field in fields():
        lines.append(f"# {field.description}")
        lines.append(f"{name}=" if field.is_required() else f"#{name}={_plain(field.default)}")
    lines += [f"# {PREFECT[SERVER_LOGIN].replace('`', '')}", f"#{SERVER_LOGIN}="]
    return "\n".join(lines) + "\n"


def _default(field: FieldInfo) -> str:
    return "**must be set**" if field.is_required() else _code(_plain(field.default))


def _plain(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case SecretStr():
            return value.get_secret_value()  # a default is no secret
        case _:
            return str(value)


def _code(text: str) -> str:
    return f"`{_cell(text)}`" if text else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    (ROOT / "docs" / "settings.md").write_text(reference(), encoding="utf-8")
    (ROOT / ".env.example").write_text(example(), encoding="utf-8")
