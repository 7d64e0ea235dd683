"""Departments, teams and managers: what Slack says of people beside their names, in some of the stories."""

import time
from dataclasses import dataclass, field

from sandbox.docebo.accounts import Account
from slack_docebo.domain.lookup import LookupTable

DEPARTMENTS = {"Engineering": "ENG", "Sales": "SAL", "Support": "SUP"}  # codes of their branches
ODD_JOBS = "Odd jobs"  # a department that no row of the table knows
TABLE = LookupTable.of("branches", DEPARTMENTS.items())
DEPARTMENT = "title"  # shown by Slack's list and by events
TEAM = "Xf0TEAM"  # custom profile fields, which the list does not show
MANAGER = "Xf0MANAGER"
TEAM_FIELD = 16  # of Docebo
MANAGER_TYPE = 1
NAMES_RULES = "first_name, last_name, email"
BRANCH_RULE = f"branch = table({TABLE.name}, {DEPARTMENT})"
TEAM_RULE = f"field_{TEAM_FIELD} = custom:{TEAM}"
MANAGER_RULE = f"manager = custom:{MANAGER}"
GROUP = "learners"  # handle of the user group whose members are looked after, where the settings name one


@dataclass
class Said:
    """What Slack has said of one person's department, team or manager, and since when."""

    values: list[tuple[float, str]] = field(default_factory=list)

    @property
    def now(self) -> str:
        return self.values[-1][1] if self.values else ""

    def say(self, value: str) -> None:
        """Let this be what Slack says from now on."""
        self.values.append((time.time(), value))

    def since(self, moment: float) -> set[str]:
        """Return what Slack has said at any time from *moment* on."""
        ends = [began for began, _ in self.values[1:]] + [float("inf")]
        return {value for (_, value), end in zip(self.values, ends, strict=True) if end >= moment}

    def ended(self, value: str) -> float:
        """Return when Slack last ceased to say *value*."""
        ends = [began for began, _ in self.values[1:]] + [float("inf")]
        return max((end for (_, said), end in zip(self.values, ends, strict=True) if said == value), default=0.0)

    def began(self, value: str) -> float:
        """Return when Slack last began to say *value*."""
        return max((began for began, said in self.values if said == value), default=float("inf"))


def team_of(number: int, edition: int) -> str:
    """Return the name of a team to which this person alone ever belongs."""
    return f"team{number}x{edition}"


def member_of(team: str) -> int | None:
    """Return the number of the person whose *team* this is."""
    number = team.removeprefix("team").partition("x")[0]
    return int(number) if number.isdecimal() else None


def branch_of(account: Account) -> int | None:
    """Return the branch that the account is in."""
    return account.branches[0] if account.branches else None


def manager_of(account: Account) -> int:
    """Return the account of the manager of *account*, or 0 for none."""
    return account.managers.get(MANAGER_TYPE, 0)


def shown(account: Account, name: str) -> str:
    """Return the value of an attribute of *account*, given the name that the rows of a plan use."""
    if name == "branch":
        return str(branch_of(account) or "")
    if name.startswith("manager_"):
        return str(manager_of(account) or "")
    if name.startswith("field_"):
        return account.fields.get(int(name.removeprefix("field_")), "")
    if name == "expiration_date":
        return account.expiration or ""
    return str(getattr(account, name.replace("_", "")))
