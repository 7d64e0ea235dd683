"""How much may be changed."""

from pydantic import Field

from slack_docebo.domain.guards import Change, Limit
from slack_docebo.integration_settings.section import LARGEST_NUMBER, Section
from slack_docebo.setting_values import LimitText, Percent, Whole, WholeOrNone

LIMITED = (
    "a count of people, a percentage of those looked after, both, where the smaller number counts (25, 5%), or none."
)


class LimitSettings(Section):
    """The rows about the most people who may be changed."""

    limit_creations: LimitText = Field(Limit(), title="Most creations", description="Most creations: " + LIMITED)
    limit_updates: LimitText = Field(Limit(), title="Most updates", description="Most updates: " + LIMITED)
    limit_deactivations: LimitText = Field(
        Limit(50, 5), title="Most deactivations", description="Most deactivations: " + LIMITED
    )
    limit_branch_moves: LimitText = Field(
        Limit(50, 5),
        title="Most moves to other branches",
        description="Most moves of accounts to other branches: " + LIMITED,
    )
    limit_unmappings: LimitText = Field(
        Limit(50, 5), title="Most mappings removed", description="Most mappings removed: " + LIMITED
    )
    limit_remappings: LimitText = Field(
        Limit(50, 5),
        title="Most mappings moved",
        description="Most mappings moved to another account, or to another person, as REHIRES hand-over does; with"
        " MAP_SLACK_USER_DATA off, most accounts that pass on to another person: " + LIMITED,
    )
    limit_renames: LimitText = Field(
        Limit(50, 5),
        title="Most changes of the username",
        description="Most accounts whose username a rule of ATTRIBUTES changes: " + LIMITED,
    )
    limit_window_hours: Whole = Field(
        24,
        ge=1,
        le=24 * 31,
        title="Hours that the limits count",
        description="The limits count people changed within so many hours, over all runs and real time together. What was"
        " let through by its id over a limit does not count in that one.",
    )
    limit_minimum_sample: Whole = Field(
        20,
        ge=0,
        le=LARGEST_NUMBER,
        title="People from whom on percentages count",
        description="Percentages count only from this many people on; 0% is nobody, of however many.",
    )
    limit_rejections: Percent = Field(
        20,
        ge=0,
        le=100,
        title="Percentage that Docebo may refuse",
        description="A run stops when Docebo refuses more than this percentage of its rows, or of the people of all runs"
        " within LIMIT_WINDOW_HOURS; from a hundred on.",
    )
    max_accounts: WholeOrNone = Field(
        None,
        ge=0,
        le=LARGEST_NUMBER,
        title="Most accounts in Docebo",
        description="Most accounts that Docebo may have: nothing is created beyond that, whoever lets it through. Empty:"
        " no limit.",
    )

    @property
    def limits(self) -> dict[Change, Limit]:
        return {
            Change.CREATE: self.limit_creations,
            Change.UPDATE: self.limit_updates,
            Change.MOVE: self.limit_branch_moves,
            Change.DEACTIVATE: self.limit_deactivations,
            Change.UNMAP: self.limit_unmappings,
            Change.REMAP: self.limit_remappings,
            Change.RENAME: self.limit_renames,
        }
