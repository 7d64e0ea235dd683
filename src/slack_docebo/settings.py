"""Connection settings: everything that comes from the environment."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import AfterValidator, AnyHttpUrl, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from slack_docebo.errors import ConfigurationError
from slack_docebo.prefect_profile import with_profile


def _address(url: str) -> str:
    """Return *url* in its one form: what is kept in the database under it is not to be missed for a slash."""
    try:
        parsed = AnyHttpUrl(url)
    except ValidationError:
        raise ValueError("should be an address like https://acme.docebosaas.com") from None
    if parsed.username or parsed.password:
        raise ValueError("should hold no user and no password")
    if parsed.scheme == "http" and not _is_loopback(str(parsed.host).strip("[]")):
        raise ValueError("should begin with https:// (http is for this machine only)")
    return str(parsed).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _token(secret: SecretStr) -> SecretStr:
    token = secret.get_secret_value().strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError("should be one word; copy it again")
    return SecretStr(token)


Url = Annotated[str, AfterValidator(_address)]
Token = Annotated[SecretStr, AfterValidator(_token)]
S = TypeVar("S", bound=BaseSettings)


class NotificationSettings(BaseSettings):
    """Who is told when something goes wrong; readable on its own, for it must work while other settings are wrong."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    smtp_host: str = Field("", description="Mail server for notifications to NOTIFICATION_MAIL_ID. Empty: no mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port. 465: encrypted from the first byte.")
    smtp_username: str = Field("", description="Empty: the server is used without signing in.")
    smtp_password: SecretStr | None = Field(None, description="The password of that user.")
    smtp_from: str = Field("", description="Sender of the mails. Empty: slack-docebo@ and the mail server's name.")
    smtp_starttls: bool = Field(True, description="false: unencrypted, for a mail server on this machine only.")
    notification_urls: SecretStr | None = Field(
        None,
        description="Further places to notify, as Apprise URLs with spaces between them: https://github.com/caronc/apprise.",
    )


class Settings(NotificationSettings):
    """What differs between installations; secrets print as asterisks and stay out of error messages."""

    slack_bot_token: Token = Field(description="Bot token of the Slack app (xoxb-...).")
    slack_api_url: Url = Field("https://slack.com/api/", description="Base address of Slack's Web API.")
    slack_team_id: str = Field(
        "",
        description="The workspace that is linked to this Docebo. Empty: the one of the first validated run is kept."
        " Needed with a token for a whole Enterprise organisation.",
    )
    slack_page_size: int = Field(200, ge=1, le=1000, description="Users per page; Slack recommends 200, takes 1000.")
    slack_calls_per_minute: int = Field(20, ge=1, description="Pace of the paged listing: 20 is Slack's tier 2.")

    slack_signing_secret: SecretStr | None = Field(
        None, description="Signing secret of the Slack app; the webhook needs it to tell Slack's requests from others."
    )
    slack_signing_secret_previous: SecretStr | None = Field(
        None, description="The one before, accepted as well while the secret is being rotated."
    )
    slack_app_id: str = Field("", description="Id of the Slack app (A...). Set: events of other apps are dropped.")
    slack_app_token: Token | None = Field(
        None, description="App-level token (xapp-...) with connections:write, for Socket Mode."
    )
    webhook_host: str = Field("127.0.0.1", description="Address the webhook listens on.")
    webhook_public_url: Url | None = Field(
        None, description="Where Slack sends events to, like https://hooks.acme.com/slack/events; `doctor` tries it."
    )
    webhook_port: int = Field(8400, ge=1, le=65535, description="Port the webhook listens on.")

    prefect_api_url: str = Field("http://127.0.0.1:4200/api", description="Where the webhook asks for runs.")
    prefect_api_auth_string: Token | None = Field(
        None, description="user:password of Prefect's API. Empty: the login that `make up` keeps on this machine."
    )

    docebo_url: Url = Field(description="Address of the platform, like https://acme.docebosaas.com.")
    docebo_client_id: str = Field(description="Client id of the OAuth2 app in Docebo's API credentials.")
    docebo_client_secret: SecretStr = Field(description="Its client secret.")
    docebo_username: str = Field("", description="A local superadmin, for the password and JWT-bearer grants.")
    docebo_password: SecretStr | None = Field(None, description="With the username: the password grant is used.")
    docebo_private_key_file: Path | None = Field(
        None, description="PEM file; with the username: the JWT-bearer grant is used."
    )
    docebo_calls_per_hour: int = Field(
        1000, ge=10, description="API calls this installation may spend in any hour, half of them at once."
    )
    docebo_timeout_seconds: float = Field(
        60,
        gt=0,
        description="How long one call may take, to the last byte of its answer; then it is given up, and others go on.",
    )

    database_url: SecretStr = Field(
        SecretStr("sqlite:///var/slack-docebo.db"), description="SQLite for one machine, postgresql://... at scale."
    )
    log_format: Literal["text", "json"] = Field("text", description="json: one object a line, for a log collector.")
    report_dir: Path = Field(Path("var/reports"), description="Where the full lists of each run are written.")

    @model_validator(mode="before")
    @classmethod
    def _prefect_of_this_machine(cls, found: dict[str, Any]) -> dict[str, Any]:
        return with_profile(found)

    @model_validator(mode="after")
    def _grants_are_complete(self) -> Self:
        if (self.docebo_password or self.docebo_private_key_file) and not self.docebo_username:
            raise ValueError("DOCEBO_USERNAME is missing: the password and JWT-bearer grants need it")
        if self.docebo_password and self.docebo_private_key_file:
            raise ValueError("DOCEBO_PASSWORD and DOCEBO_PRIVATE_KEY_FILE are both set: keep the one of your grant")
        return self


def load_settings() -> Settings:
    """Read the environment and `.env`; raise ConfigurationError that names each variable that is missing or wrong."""
    return _read(Settings)


def load_notification_settings() -> NotificationSettings:
    """Read only what notifications need; raise ConfigurationError if a variable is wrong."""
    return _read(NotificationSettings)


def _read(kind: type[S]) -> S:
    try:
        return kind()
    except ValidationError as error:
        problems = [_sentence(str(fault["loc"][0] if fault["loc"] else ""), fault) for fault in error.errors()]
        raise ConfigurationError(f"environment: {'; '.join(problems)} (see .env.example)") from None


def _sentence(name: str, fault: object) -> str:
    match fault:
        case {"type": "missing"}:
            return f"{name.upper()} is not set"
        case {"msg": str(message)}:
            message = message.removeprefix("Value error, ")
            return f"{name.upper()} {message[0].lower()}{message[1:]}" if name else message
        case _:
            return f"{name.upper()} is wrong"
