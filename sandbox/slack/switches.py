"""Switches for the differences between Slack's workspaces and tokens: a client must work with every setting."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

CHOICES = {
    "too_many": ("adjust", "limit_required", "error_500", "slow"),
    "fields_form": ("null", "list", "object", "missing"),
    "user_groups": ("on", "plan_upgrade_required", "paid_teams_only"),
    "scim": ("on", "plus_teams_only", "non_org_teams_only"),
    "identity_team": ("own", "null", "other"),
}


@dataclass(frozen=True)
class SlackSwitches:
    """One field for each way in which recorded replies differ, with the likeliest as its default."""

    most_people: int = 1000  # on a page of the list
    too_many: str = "adjust"  # where more are asked for: adjust | limit_required | error_500 | slow (by `slow_seconds`)
    slow_seconds: float = 5.0
    # of custom profile fields in list and users.info: null | list | object (as set) | missing
    fields_form: str = "null"
    fields_move_stamps: bool = True  # a change of nothing but custom profile fields moves the profile's `updated`
    scopes_header: bool = True  # replies carry X-OAuth-Scopes
    user_groups: str = "on"  # on | plan_upgrade_required (documented) | paid_teams_only (seen), on a free plan
    scim: str = "on"  # on | plus_teams_only | non_org_teams_only
    scim_lists_deactivated: bool = True  # SCIM's list shows who is deactivated; asked for the person, it always does
    token_expires_in: int = 0  # seconds for which `auth.test` says that the token still holds; 0: it names no end
    identity_team: str = "own"  # auth.test's `team_id`: own | null | other (a workspace that nobody knows)


def switched(switches: SlackSwitches, settings: dict[str, Any]) -> SlackSwitches:
    """Return *switches* with *settings*; raise ValueError for an invalid setting."""
    for name, value in settings.items():
        if name in CHOICES and value not in CHOICES[name]:
            raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}, not {value!r}")
    try:
        return replace(switches, **settings)
    except TypeError as error:
        raise ValueError(str(error)) from error
