"""Connection settings: what comes from the environment, one small model for each purpose, composed for each process.

A process is given the settings that it reads and no others. Every secret X can also be in a file that X_FILE names.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, cast

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import UnusableFileError, read_given
from slack_docebo.prefect_profile import with_profile
from slack_docebo.private_files import readable_by_others
from slack_docebo.redaction import SHORTEST, keep_secret
from slack_docebo.secret_files import SUFFIX, SecretFiles, is_secret
from slack_docebo.setting_types import (
    Host,
    Id,
    Names,
    Network,
    Networks,
    PlatformUrl,
    PrefectUrl,
    Token,
    Url,
    trimmed,
    words,
)

DOTENV = Path(".env")
LARGEST_DOTENV = 1_000_000  # bytes
TOKEN_LENGTH = 10  # from which on a word without dots in a notification URL may be a token

S = TypeVar("S", bound="ProcessSettings")


class ProcessSettings(BaseSettings):
    """Read from the environment, `.env` and the files of secrets; secrets print as asterisks and are in no message."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # a process reads one or two of these classes, and would wait for all
    )

    @model_validator(mode="before")
    @classmethod
    def _blank_is_not_set(cls, found: dict[str, Any]) -> dict[str, Any]:
        """Leave out what is blank, or quotes with nothing in them, as what is empty is: above all it is no secret."""
        return {name: value for name, value in found.items() if trimmed(value) != ""}

    @field_validator("*", mode="before")
    @classmethod
    def _as_it_was_copied(cls, value: object, info: ValidationInfo) -> object:
        """Trim what was copied with more around it; a password may have blanks and quotes of its own."""
        return value if str(info.field_name).endswith("password") else trimmed(value)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (a folder of files: each of ours has a name)
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = _secret_files(settings_cls, dotenv_settings, env_settings)
        return init_settings, env_settings, dotenv_settings, files


class StoreSettings(ProcessSettings):
    """Where our own database is."""

    database_url: SecretStr = Field(
        SecretStr("sqlite:///var/slack-docebo.db"), description="SQLite for one machine, postgresql://... at scale."
    )


class WorkspaceSettings(ProcessSettings):
    """Which Slack workspace belongs to this installation."""

    slack_team_id: Id = Field(
        "",
        description="The workspace that is linked to this Docebo. Empty: the one of the first validated run is kept."
        " Needed with a token for a whole Enterprise organisation.",
    )


class SlackApiSettings(ProcessSettings):
    """Where Slack's Web API is."""

    slack_api_url: Url = Field("https://slack.com/api/", description="Base address of Slack's Web API.")


class SlackSettings(SlackApiSettings, WorkspaceSettings):
    """What reading people from Slack needs."""

    slack_bot_token: Token = Field(description="Bot token of the Slack app (xoxb-...).")
    slack_scim_token: Token | None = Field(
        None,
        description="Token for Slack's SCIM API, with which rules can read scim:department and others in bulk; on the plans"
        " Business+ and Enterprise. It can do everything in Slack, and is only used to read. Empty: SCIM is not read.",
    )
    slack_scim_url: Url = Field("https://api.slack.com/scim/v2/", description="Base address of Slack's SCIM API.")
    slack_page_size: int = Field(
        1000, ge=1, le=1000, description="Users per page, at most; fewer are asked for where Slack cannot give as many."
    )
    slack_calls_per_minute: int = Field(20, ge=1, description="Pace of the paged listing: 20 is Slack's tier 2.")


class PlatformSettings(ProcessSettings):
    """Which Docebo platform belongs to this installation."""

    docebo_url: PlatformUrl = Field(description="Address of the platform, like https://acme.docebosaas.com.")


class DoceboSettings(PlatformSettings):
    """What reading and writing accounts in Docebo needs."""

    docebo_client_id: str = Field(description="Client id of the OAuth2 app in Docebo's API credentials.")
    docebo_client_secret: Token = Field(description="Its client secret.")
    docebo_username: str = Field("", description="A local superadmin, for the password and JWT-bearer grants.")
    docebo_password: SecretStr | None = Field(None, description="With the username: the password grant is used.")
    docebo_private_key: SecretStr | None = Field(
        None,
        description="RSA key in PEM; with the username: the JWT-bearer grant is used. Easier to give as"
        " `DOCEBO_PRIVATE_KEY_FILE`.",
    )
    docebo_calls_per_hour: int = Field(
        1000, ge=10, description="API calls this installation may spend in any hour, half of them at once."
    )
    docebo_timeout_seconds: float = Field(
        60,
        gt=0,
        description="How long one call may take, to the last byte of its answer; then it is given up, and others go on.",
    )

    @model_validator(mode="after")
    def _grants_are_complete(self) -> Self:
        if (self.docebo_password or self.docebo_private_key) and not self.docebo_username:
            raise ValueError("DOCEBO_USERNAME is missing: the password and JWT-bearer grants need it")
        if self.docebo_password and self.docebo_private_key:
            raise ValueError("DOCEBO_PASSWORD and DOCEBO_PRIVATE_KEY are both set: keep the one of your grant")
        return self


class PrefectSettings(ProcessSettings):
    """Where Prefect's API is, and the login it asks for."""

    prefect_api_url: PrefectUrl = Field(
        "http://127.0.0.1:4200/api", description="Address of Prefect's API, without login."
    )
    prefect_api_auth_string: Token | None = Field(
        None, description="user:password of Prefect's API. Empty: the login that `make up` keeps on this machine."
    )

    @model_validator(mode="before")
    @classmethod
    def _prefect_of_this_machine(cls, found: dict[str, Any]) -> dict[str, Any]:
        return with_profile(found)


class SigningSettings(ProcessSettings):
    """The secrets that prove a request to be Slack's."""

    slack_signing_secret: Token = Field(
        description="Signing secret of the Slack app (its Basic Information); the webhook must have it."
    )
    slack_signing_secret_previous: Token | None = Field(
        None, description="The one before, accepted as well while the secret is being rotated."
    )


class ReportSettings(ProcessSettings):
    """Where files for people go."""

    report_dir: Path = Field(Path("var/reports"), description="Where the full lists of each run are written.")


class TableSettings(ProcessSettings):
    """Where files are that people write for us."""

    tables_dir: Path = Field(
        Path("var/tables"), description="Folder of the lookup tables that are CSV files, like branches.csv."
    )


class RecordSettings(ProcessSettings):
    """Whether exchanges are recorded."""

    debug_record: Path | None = Field(
        None,
        description="A folder to which every exchange of a run with Slack and Docebo is written, people and secrets"
        " replaced, to be attached to a report. Empty: none is.",
    )


class LogSettings(ProcessSettings):
    """How log lines look."""

    log_format: Literal["text", "json"] = Field("text", description="json: one object a line, for a log collector.")


class NotificationSettings(ProcessSettings):
    """Who is told when something goes wrong; read on its own, as it must work while other settings are wrong."""

    smtp_host: Host = Field("", description="Mail server for notifications to NOTIFICATION_MAIL_ID. Empty: no mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port. 465: encrypted from the first byte.")
    smtp_username: str = Field("", description="Empty: the server is used without signing in.")
    smtp_password: SecretStr | None = Field(None, description="The password of that user.")
    smtp_from: str = Field(
        "",
        description="Sender of the mails. Empty: slack-docebo@ and the mail server's name, or localhost where that has no domain.",
    )
    smtp_starttls: bool = Field(True, description="false: unencrypted, for a mail server on this machine only.")
    notification_urls: SecretStr | None = Field(
        None,
        description="Further places to notify, as Apprise URLs with spaces between them: https://github.com/caronc/apprise.",
    )
    documentation_url: Url | None = Field(
        None,
        description="Address of the folder `docs` where those who are notified can read it, like"
        " https://git.acme.com/slack-docebo/blob/main/docs. Empty: messages name the file.",
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="Called after each import of everybody that went well, the nightly one above all: a service like"
        " healthchecks.io tells you when the call does not come.",
    )

    @property
    def sender(self) -> str:
        """The sender of mails; no mail server takes one whose domain is an address."""
        is_domain = re.fullmatch(r".+\.[A-Za-z][A-Za-z0-9-]*", self.smtp_host)
        return self.smtp_from or f"slack-docebo@{self.smtp_host if is_domain else 'localhost'}"


class PublicAddressSettings(ProcessSettings):
    """The address under which Slack reaches the webhook."""

    webhook_public_url: Url | None = Field(
        None, description="Where Slack sends events to, like https://hooks.acme.com/slack/events; `doctor` tries it."
    )


class ListeningSettings(PublicAddressSettings):
    """Where the webhook listens, and to whom; Socket Mode shows its health there."""

    webhook_host: str = Field("127.0.0.1", description="Address the webhook listens on.")
    webhook_port: int = Field(8400, ge=1, le=65535, description="Port the webhook listens on.")
    webhook_observation_host: str = Field(
        "", description="Address for /healthz, /readyz and /metrics. Empty: WEBHOOK_HOST."
    )
    webhook_observation_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="Port for them; then they are not served beside /slack/events any more. Empty: WEBHOOK_PORT.",
    )
    webhook_allowed_hosts: Names = Field(
        "",
        description="Further names by which proxies and monitoring address the webhook, with commas or spaces between"
        " them. The one of WEBHOOK_PUBLIC_URL, names without a dot and IP addresses need not be listed.",
    )
    webhook_trusted_proxies: Networks = Field(
        "",
        description="Addresses or networks (10.0.0.0/8) of proxies that may hold any number of connections, with commas"
        " or spaces between them. This machine need not be listed.",
    )

    @property
    def webhook_address(self) -> tuple[str, int]:
        """Where events are taken."""
        return self.webhook_host, self.webhook_port

    @property
    def observation_address(self) -> tuple[str, int]:
        """Where health and metrics are looked at."""
        return self.webhook_observation_host or self.webhook_host, self.webhook_observation_port or self.webhook_port

    @property
    def allowed_hosts(self) -> list[str]:
        return words(self.webhook_allowed_hosts)

    @property
    def trusted_proxies(self) -> list[Network]:
        return [ip_network(network) for network in words(self.webhook_trusted_proxies)]


class ReceptionSettings(LogSettings, ListeningSettings, WorkspaceSettings, PrefectSettings, StoreSettings):
    """What receiving Slack's events needs, whichever way they come; nothing that gives access to Docebo."""

    slack_app_id: Id = Field("", description="Id of the Slack app (A...). Set: events of other apps are dropped.")
    docebo_url: PlatformUrl | None = Field(
        None, description="Whose workspace events are taken from; needed if the database serves several platforms."
    )


class WebhookSettings(SigningSettings, ReceptionSettings):
    """What the webhook reads."""


class SocketModeSettings(SlackApiSettings, ReceptionSettings):
    """What Socket Mode reads."""

    slack_app_token: Token = Field(description="App-level token (xapp-...) with connections:write, for Socket Mode.")


class MappingSettings(WorkspaceSettings, PlatformSettings, StoreSettings):
    """What commands on the mapping read."""


class ForgetSettings(ReportSettings, PlatformSettings, StoreSettings):
    """What erasing or exporting a person reads."""


class Settings(RecordSettings, TableSettings, ReportSettings, DoceboSettings, SlackSettings, StoreSettings):
    """What a run reads; for notifications and Prefect it reads theirs."""


class DoctorSettings(PublicAddressSettings, NotificationSettings, PrefectSettings, Settings):
    """What an examination reads, beside the webhook's signing secret where that is to be had."""


RUN = (Settings, NotificationSettings, PrefectSettings)
"""What the process of a run is given; `PREFECT_API_AUTH_STRING` is for Prefect's own client in it."""

EVERYTHING = (DoctorSettings, WebhookSettings, SocketModeSettings)
"""What somebody reads; of two that read the same variable the first says what it means."""


def load_settings(kind: type[S]) -> S:
    """Read the settings of one *kind* of process; raise ConfigurationError that names each variable missing or wrong."""
    check_dotenv()
    try:
        settings = kind()
    except ValidationError as error:
        problems = [_sentence(str(fault["loc"][0] if fault["loc"] else ""), fault) for fault in error.errors()]
        raise ConfigurationError(f"environment: {'; '.join(problems)} (see .env.example)") from None
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ConfigurationError(f"{DOTENV} cannot be read: {said}") from None
    for _, secret in _secrets_of(settings):
        keep_secret(secret)
    return settings


def short_secrets(settings: ProcessSettings) -> list[str]:
    """Return the variables whose secret is too short to be recognised, and taken out, where a message quotes it."""
    return sorted({name.upper() for name, secret in _secrets_of(settings) if len(secret.strip()) < SHORTEST})


def check_dotenv() -> None:
    """Raise ConfigurationError if `.env` is what nobody can read to its end, like a pipe; a folder is none of ours."""
    if DOTENV.exists() and not DOTENV.is_dir():
        try:
            read_given(DOTENV, largest=LARGEST_DOTENV)
        except UnusableFileError as error:
            raise ConfigurationError(f"{DOTENV} {error}") from None


def variables(*kinds: type[ProcessSettings]) -> set[str]:
    """Return the names of the environment variables that *kinds* read, the X_FILE of each secret included."""
    fields = [item for kind in kinds for item in kind.model_fields.items()]
    return {name.upper() for name, _ in fields} | {f"{name}_FILE".upper() for name, field in fields if is_secret(field)}


def given_to(*kinds: type[ProcessSettings], environment: Mapping[str, str]) -> dict[str, str]:
    """Return *environment* without the variables of ours that none of *kinds* reads."""
    others = variables(*EVERYTHING) - variables(*kinds)
    return {name: value for name, value in environment.items() if name.upper() not in others}


def secrets_of(*kinds: type[ProcessSettings]) -> list[str]:
    """Return the names of the environment variables that hold a secret which *kinds* read, in order."""
    names = {name.upper() for kind in kinds for name, field in kind.model_fields.items() if is_secret(field)}
    return sorted(names)


def unset_secrets(*kinds: type[ProcessSettings]) -> list[str]:
    """Return those of `secrets_of` that neither the environment nor `.env` gives, in a file or not."""
    given = set(_given(*(source for kind in kinds for source in (DotEnvSettingsSource(kind), EnvSettingsSource(kind)))))
    return [name for name in secrets_of(*kinds) if not {name.lower(), f"{name}_file".lower()} & given]


def secret_files(*kinds: type[ProcessSettings]) -> list[Path]:
    """Return the files that X_FILE names for a secret X of *kinds*."""
    found: dict[Path, None] = {}
    for kind in kinds:
        sources = DotEnvSettingsSource(kind), EnvSettingsSource(kind)
        found |= dict.fromkeys(_secret_files(kind, *sources).paths().values())
    return list(found)


def secrets_open_to_others(*kinds: type[ProcessSettings]) -> str:
    """Return the line to tell if other users of this machine can read `.env` or a file of a secret of *kinds*, or ""."""
    names = " ".join(shlex.quote(str(file)) for file in readable_by_others([DOTENV, *secret_files(*kinds)]))
    return f"other users of this machine can read secrets: run `chmod 600 {names}`" if names else ""


def _secret_files(kind: type[BaseSettings], *sources: PydanticBaseSettingsSource) -> SecretFiles:
    return SecretFiles(kind, _given(*sources))


def _given(*sources: PydanticBaseSettingsSource) -> dict[str, str | None]:
    """Return what *sources* hold, by names in lower case; of two that hold the same the later counts.

    So does its X before the X_FILE of an earlier one.
    """
    given: dict[str, str | None] = {}
    for source in sources:
        found = cast("EnvSettingsSource", source).env_vars
        replaced = {f"{name}{SUFFIX}" for name, value in found.items() if value}
        given = {**{name: value for name, value in given.items() if name not in replaced}, **found}
    return given


def _secrets_of(settings: ProcessSettings) -> Iterator[tuple[str, str]]:
    """Yield each secret that *settings* hold, with the name of its field."""
    for name in type(settings).model_fields:
        if isinstance(value := getattr(settings, name), SecretStr):
            yield from ((name, secret) for secret in _secrets_in(name, value.get_secret_value()))


def _secrets_in(name: str, value: str) -> list[str]:
    """Return what must not be shown of a setting: of some it is only a part."""
    match name:
        case "database_url":
            return []  # the store, which takes addresses apart, keeps its password secret
        case "prefect_api_auth_string" | "prefect_server_api_auth_string":
            return [value, value.partition(":")[2]]
        case "notification_urls":
            parts = re.split(r"[/:@?&=,\s]+", value)
            return [*value.split(), *(part for part in parts if len(part) >= TOKEN_LENGTH and "." not in part)]
        case _:
            return [value]


def _sentence(name: str, fault: Any) -> str:
    match fault:
        case {"type": "missing"}:
            return f"{name.upper()} is not set"
        case {"type": "int_parsing"}:
            return f"{name.upper()} should be a whole number, of digits alone"
        case {"msg": str(message)}:
            message = message.removeprefix("Value error, ").removeprefix("Input ")
            return f"{name.upper()} {message[0].lower()}{message[1:]}" if name else message
        case _:
            return f"{name.upper()} is wrong"
