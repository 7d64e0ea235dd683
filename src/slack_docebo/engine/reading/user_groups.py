"""The user groups that the scope names, read in one call."""

from datetime import timedelta

from slack_docebo.domain.user_groups import members_of
from slack_docebo.errors import ConfigurationError
from slack_docebo.runtime import Runtime

FRESH = timedelta(minutes=1)  # in which a run that lingers need not read them again


async def read_user_groups(runtime: Runtime, team: str, *, if_older: bool = False) -> None:
    """Let the scope know who is in the groups that it names, for one call; for none where it names none.

    With *if_older* they are read only if that was a while ago. Raises ConfigurationError where a group is not there, or
    nobody is in those that make up the scope: their people would all have dropped out of it.
    """
    behaviour, now = runtime.behaviour, runtime.now()
    if not behaviour.reads_user_groups:
        return
    if if_older and runtime.groups_read_at and now - runtime.groups_read_at < FRESH:
        return
    named = {*behaviour.scope_usergroups, *behaviour.scope_exclude_usergroups}
    groups = await runtime.slack.user_groups(named, team_id=team)
    members = {}
    for row, handles in (
        ("SCOPE_USERGROUPS", behaviour.scope_usergroups),
        ("SCOPE_EXCLUDE_USERGROUPS", behaviour.scope_exclude_usergroups),
    ):
        try:
            members[row] = members_of(handles, groups)
        except ValueError as error:
            raise ConfigurationError(f"integration_settings: row SLACK | {row}: {error}") from None
    if behaviour.scope_usergroups and not members["SCOPE_USERGROUPS"]:
        raise ConfigurationError(
            f"integration_settings: row SLACK | SCOPE_USERGROUPS: nobody is in @{', @'.join(behaviour.scope_usergroups)}:"
            " add people in Slack, or empty the row if everybody is to be looked after"
        )
    runtime.behaviour = behaviour.with_members(
        members["SCOPE_USERGROUPS"] if behaviour.scope_usergroups else None, members["SCOPE_EXCLUDE_USERGROUPS"]
    )
    runtime.groups_read_at = now
