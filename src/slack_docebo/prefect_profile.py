"""Address and login of the Prefect server that `make up` runs on this machine, as it keeps them."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PROFILES = Path("var/prefect-profiles.toml")  # in the project's folder; pyproject.toml tells Prefect the same


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
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        profile = found["profiles"][found["active"]]
        return {name: profile[name.upper()] for name in ("prefect_api_url", "prefect_api_auth_string")}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
