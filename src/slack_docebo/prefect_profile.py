"""Address and login of the Prefect server that `make up` runs on this machine, as it keeps them."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slack_docebo.given_files import UnusableFileError, read_given_text

PROFILES = Path("var/prefect-profiles.toml")  # in the project's folder; pyproject.toml tells Prefect the same
LARGEST = 1_000_000  # bytes


def with_profile(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return *settings* with the active profile's address and login of Prefect where they say nothing of it.

    A login is sent to no other server: if *settings* name another address, they stay as they are.
    """
    profile = _active_profile()
    address = settings.get("prefect_api_url")
    return {**settings} if address and address != profile.get("prefect_api_url") else {**profile, **settings}


def _active_profile() -> dict[str, str]:
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or PROFILES)
    try:
        found = tomllib.loads(read_given_text(path, largest=LARGEST))
        profile = found["profiles"][found["active"]]
        return {name: profile[name.upper()] for name in ("prefect_api_url", "prefect_api_auth_string")}
    except (UnusableFileError, ValueError, KeyError, TypeError):
        return {}
