"""Slack's user groups: who is in which, as far as the scope asks for it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UserGroup:
    """One user group of the workspace."""

    id: str
    handle: str  # without @
    name: str
    members: frozenset[str]  # Slack ids; none of a group whose members nobody asked for


def groups_with(handles: Sequence[str], groups: Collection[UserGroup]) -> list[UserGroup]:
    """Return the groups with these *handles*; raise ValueError if one is not there, or nobody can tell which it is."""
    known: dict[str, UserGroup] = {}
    for group in groups:
        twin = known.setdefault(group.handle.casefold(), group)
        if twin.id != group.id and group.handle.casefold() in map(str.casefold, handles):
            raise ValueError(
                f"Slack has two user groups @{group.handle}, {twin.id} and {group.id}: give one another handle"
            )
    if missing := [handle for handle in handles if handle.casefold() not in known]:
        there = ", ".join(sorted(f"@{group.handle}" for group in groups)) or "none"
        raise ValueError(f"Slack has no user group @{missing[0]}, or it is disabled: there are {there}")
    return [known[handle.casefold()] for handle in handles]


def members_of(groups: Collection[UserGroup]) -> frozenset[str]:
    """Return the Slack ids of people who are in at least one of *groups*."""
    return frozenset().union(*(group.members for group in groups))
