"""`python -m deployments.settings_reference`: write docs/settings.md and .env.example from the code."""

from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefinedType

from slack_docebo.integration_settings import INTEGRATION, VARIABLE, documented_rows
from slack_docebo.secret_files import is_secret
from slack_docebo.settings import (
    EVERYTHING,
    RUN,
    DoceboSettings,
    NotificationSettings,
    PrefectSettings,
    Settings,
    SigningSettings,
    SlackSettings,
    SocketModeSettings,
    WebhookSettings,
)
from slack_docebo.settings_form import GROUPS

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

Every setting, with its default and what it means. *Behaviour* is set in Prefect, *connections* in the environment;
`slack-docebo doctor` checks both. Made from the code by `python -m deployments.settings_reference`.

## Behaviour: the Variable `{variable}`

To change a row, click *Change the settings* on the status page (`settings/change-settings`): the form shows each with a
title and help. [How to save](operations.md#settings). A change takes effect with the next run. A wrong row stops that run
before it begins, and the message names it.

- The Variable holds rows *integration | key | value* of one table. It can also be edited as JSON, under Variables. The
  integration is `{integration}`.
- The rows `NOTIFICATION_MAIL_ID`, `PROVISION_SLACK_USER_DATA` and `MAP_SLACK_USER_DATA` must be there.
- `python -m deployments.bootstrap` makes the whole table.
- `python -m deployments.bootstrap --settings FILE.csv` loads the one exported from the retired product: rows that it lacks
  stay as they are.
"""
ROWS_HEAD = """
### {title}

| Key | Default | Meaning |
|---|---|---|
"""
ENVIRONMENT = """
## Connections: environment variables

Set these in the environment, or in a file `.env` in the folder where a process works. Each process reads what it needs:

- the column *Read by* names runs, the webhook and Socket Mode;
- `slack-docebo doctor` reads what a run does, where the webhook is, and how Slack signs;
- the other commands read what they need, Prefect's server nothing of it.

Secrets, marked *, can also be kept in files: `SLACK_BOT_TOKEN_FILE=/run/secrets/slack-bot-token` names the file that
holds `SLACK_BOT_TOKEN`, and so on for each of them; set one of the two. A changed file is noticed within seconds. Secrets
of runs can be kept in Prefect's Secret blocks instead: see [deployment](deployment.md#secrets).

| Variable | Default | Read by | Meaning |
|---|---|---|---|
"""
PREFECT_HEAD = """
## Prefect's own variables that matter here

| Variable | Meaning |
|---|---|
"""


def fields() -> list[tuple[str, FieldInfo]]:
    """Return the environment's settings in the order to be read: connections first, notifications last."""
    order = (SlackSettings, SigningSettings, SocketModeSettings, PrefectSettings, DoceboSettings)
    everything = {name: field for kind in (*order, *EVERYTHING) for name, field in kind.model_fields.items()}
    everything |= {name: field for kind in reversed(EVERYTHING) for name, field in kind.model_fields.items()}
    last = NotificationSettings.model_fields
    return [(name.upper(), field) for name, field in everything.items() if name not in last] + [
        (name.upper(), field) for name, field in everything.items() if name in last
    ]


def reference() -> str:
    """Return docs/settings.md."""
    rows = {key: f"| `{key}` | {_code(default)} | {_cell(text)} |\n" for key, default, text in documented_rows()}
    groups = "".join(
        ROWS_HEAD.format(title=group.title) + "".join(rows[name.upper()] for name in group.fields) for group in GROUPS
    )
    variables = "".join(
        f"| `{name}`{'*' if is_secret(field) else ''} | {_default(name, field)} | {_readers(name)} | {_cell(field.description or '')} |\n"
        for name, field in fields()
    )
    prefect = "".join(f"| `{name}` | {_cell(text)} |\n" for name, text in PREFECT.items())
    head = HEAD.format(variable=VARIABLE, integration=INTEGRATION)
    return head + groups + ENVIRONMENT + variables + PREFECT_HEAD + prefect


def example() -> str:
    """Return .env.example: what must be set, and everything else commented out with its default."""
    lines = [
        "# Copy to .env (and `chmod 600 .env`) and fill in. Every variable: docs/settings.md. Check with `slack-docebo doctor`.",
        "# Each secret X can be in a file instead, which X_FILE names.",
        "",
    ]
    for name, field in fields():
        lines.append(f"# {field.description}")
        lines.append(f"{name}=" if _must_be_set(name) else f"#{name}={_plain(field.default)}")
    lines += [f"# {PREFECT[SERVER_LOGIN].replace('`', '')}", f"#{SERVER_LOGIN}="]
    return "\n".join(lines) + "\n"


def _default(name: str, field: FieldInfo) -> str:
    return "**must be set**" if _must_be_set(name) else _code(_plain(field.default))


def _must_be_set(name: str) -> bool:
    fields = (kind.model_fields.get(name.lower()) for kind in (Settings, WebhookSettings))
    return any(field is not None and field.is_required() for field in fields)


def _readers(name: str) -> str:
    kinds = {"runs": RUN, "webhook": (WebhookSettings,), "Socket Mode": (SocketModeSettings,)}
    return (
        ", ".join(who for who, read in kinds.items() if any(name.lower() in kind.model_fields for kind in read))
        or "doctor"
    )


def _plain(value: Any) -> str:
    match value:
        case None | PydanticUndefinedType():
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
