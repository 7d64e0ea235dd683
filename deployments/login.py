"""The login of the Prefect server on this machine: made once, kept for its owner only, found by whoever needs it.

It is kept where Prefect itself looks for what to connect with, in a file of profiles. `pyproject.toml` names the file,
so that `prefect`, the modules of this folder and `slack-docebo` find server and login when they are started in the
project's folder.
"""

import json
import secrets
import tomllib
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import UnusableFileError, read_given_text
from slack_docebo.prefect_profile import LARGEST
from slack_docebo.private_files import rewritten_file
from slack_docebo.redaction import SHORTEST
from slack_docebo.settings import ProcessSettings, load_settings

AT_SERVER = "PREFECT_SERVER_API_AUTH_STRING"
AT_CLIENTS = "PREFECT_API_AUTH_STRING"


def new_login() -> str:
    """Return a login that cannot be guessed, for Prefect lets everybody try without end."""
    return f"admin:{secrets.token_urlsafe(32)}"


def check_login(variable: str, login: str | None) -> str:
    """Return *login*; raise ConfigurationError that names the *variable* if Prefect could not work with it."""
    if not login:
        raise ConfigurationError(
            f"{variable} is not set: the server starts with a login only (user:password, and long)"
        )
    user, _, password = login.partition(":")
    if not (user and password and login.isascii() and login.isprintable() and " " not in login):
        raise ConfigurationError(f"{variable} should be user:password, in ASCII letters, digits and signs")
    if len(password) < SHORTEST:
        raise ConfigurationError(
            f"{variable} has a password of less than {SHORTEST} characters: make a long one, for everybody may try for ever"
        )
    return login


class ServerLogin(ProcessSettings):
    """The login as set for the server."""

    prefect_server_api_auth_string: SecretStr | None = None


class GivenLogin(ServerLogin):
    """The login as set for server or clients."""

    prefect_api_auth_string: SecretStr | None = None


def server_login() -> str | None:
    """Return the login that environment, `.env` or the file of a secret set for the server, or None."""
    login = load_settings(ServerLogin).prefect_server_api_auth_string
    return login.get_secret_value() if login else None


def given_login() -> str | None:
    """Return the login that environment, `.env` or the file of a secret set, for server or clients, or None.

    Raises ConfigurationError if it cannot work, or if they say different things.
    """
    found = load_settings(GivenLogin)
    given = {AT_SERVER: found.prefect_server_api_auth_string, AT_CLIENTS: found.prefect_api_auth_string}
    logins = {check_login(variable, login.get_secret_value()) for variable, login in given.items() if login}
    if len(logins) > 1:
        raise ConfigurationError(f"{AT_SERVER} and {AT_CLIENTS} differ, so nobody could sign in: set one of them")
    return logins.pop() if logins else None


def kept_login(profiles: Path, profile: str) -> str | None:
    """Return the login that *profile* keeps; raise ConfigurationError if the file cannot be read or it cannot work."""
    login = _read(profiles).get(profile, {}).get(AT_CLIENTS)
    return check_login(f"{profiles}: {AT_CLIENTS}", str(login)) if login else None


def keep_login(profiles: Path, profile: str, *, api: str, login: str) -> None:
    """Make *profile* the one that is found: this API, this login. Other profiles and settings stay."""
    everything = _read(profiles)
    everything[profile] = {**everything.get(profile, {}), "PREFECT_API_URL": api, AT_CLIENTS: login}
    try:
        with rewritten_file(profiles) as out:
            out.write(f"active = {_toml(profile)}\n")
            for name, settings in everything.items():
                out.write(f"\n[profiles.{_toml(name)}]\n")
                out.writelines(f"{setting} = {_toml(value)}\n" for setting, value in settings.items())
    except OSError as error:
        raise ConfigurationError(
            f"the login cannot be kept in {profiles} ({error.strerror}): move away what is there"
        ) from None


def _read(profiles: Path) -> dict[str, dict[str, Any]]:
    """Return the settings of each profile by its name."""
    if not profiles.exists():
        return {}
    try:
        found = tomllib.loads(read_given_text(profiles, largest=LARGEST)).get("profiles", {})
        return {name: {**settings} for name, settings in found.items()}
    except UnusableFileError as error:
        raise ConfigurationError(f"{profiles} {error}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"{profiles} cannot be read ({error}): remove it, and a new login is made") from None


def _toml(value: Any) -> str:
    """Return a profile's string, number or truth as TOML, which writes them like JSON."""
    return json.dumps(value, ensure_ascii=False)
