"""Stories: what happens, when, and to whom. A story is drawn from a seed, prints itself step by step, and can be shortened."""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from tests.simulation.clock import BEGINNING
from tests.simulation.organisation import BRANCH_RULE, GROUP, MANAGER_RULE, NAMES_RULES, TEAM_RULE
from tests.simulation.runs import LATER_RUNS, NAMED, RUNS

HOUR = 3600.0
FAULTS = {
    "read": ("unreached", "unanswered", "unavailable", "slow", "killed", "paused", "short"),
    "write": (
        "unreached", "lost", "unanswered", "unavailable", "done, then unavailable", "slow", "killed", "killed at work",
        "paused", "done, then locked",
    ),
}  # fmt: skip
_ANY_FAULTS = tuple((way, kind) for way, kinds in FAULTS.items() for kind in kinds)
# Changes, with the number of people that each is about.
CHANGES = {
    "hire": 0, "leave": 1, "come_back": 1, "rehire": 1, "rename": 1, "take_odd_name": 1, "swap_addresses": 2,
    "take_over_address": 2, "pass_address_on": 1, "hide": 1, "poison": 1, "lose_scope": 0, "join_grid": 0, "correct": 1, "hand_over": 1,
    "delete_account": 1, "delete_customer_and_add_one": 0, "promote": 1, "restore_another_platform": 0,
    "refuse_rows": 1, "lag": 0, "hide_from_search": 1, "forget": 1, "correct_mapping": 1, "lose_event": 0, "delay_event": 0,
    "change_docebo_url": 0, "deliver_by_older_webhook": 0,
}  # fmt: skip
# Changes in the stories of LATER_THEMES alone.
LATER_CHANGES = {
    "change_department": 1, "change_team": 1, "lose_team": 1, "change_manager": 2, "lose_manager": 1,
    "show_fields_otherwise": 0, "keep_stamps": 0, "move_by_hand": 1, "manage_by_hand": 1,
}  # fmt: skip
# Changes in the stories of seeds from FIRST_TOGETHER on alone.
TOGETHER_CHANGES = {
    "change_membership": 1, "leave_grid": 0, "move_docebo": 0, "let_through": 0, "replay_events": 0, "pass_account_on": 1,
    "fall_behind": 0, "drop_local_ids": 0,
}  # fmt: skip
HIRING = frozenset({"hire", "pass_address_on", "pass_account_on"})  # changes by which somebody joins
PAUSES = (0.3, 1.0, 2.0, 5.0, 60.0, 1200.0, 3 * HOUR)  # mostly so short that the run before is still at work
DAYS = (14 * HOUR, 26 * HOUR)  # further pauses in stories that may have a day of grace
FIRST_LATER = 10_000_000  # the first seed whose story may have one of LATER_THEMES
FIRST_BEHIND = 700_000_000  # one of THEMES_BEHIND
FIRST_PASSED_ON = 2_000_000_000  # one of THEMES_PASSED_ON
FIRST_TOGETHER = 4_000_000_000  # one of THEMES_TOGETHER
BEFORE_MIDNIGHT = (1.0, 3.0, 6.0, 10.0)  # seconds, so that a day begins or ends while a run is at work


@dataclass(frozen=True)
class Theme:
    """What a story is mainly about; the rest of it is drawn."""

    changes: tuple[str, ...]
    runs: tuple[str, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()  # "read" or "write", and kind
    follows: tuple[str, ...] = ()  # rules of ATTRIBUTES that take effect after an import
    leavers: str = ""  # the setting LEAVERS, perhaps with a day of grace


THEMES = (
    Theme(("leave",)),
    Theme(("leave", "come_back")),
    Theme(("hire",), faults=(("read", "slow"),)),
    Theme(("delay_event", "hire", "leave")),
    Theme(("rehire", "rename")),
    Theme(("hide", "rename")),
    Theme(("lose_scope", "rename")),
    Theme(("join_grid", "leave")),
    Theme(("take_odd_name",)),
    Theme(("take_over_address", "rename"), runs=("reset",)),
    Theme(("pass_address_on", "rename"), runs=("reset",)),
    Theme(("hand_over", "leave")),
    Theme(("restore_another_platform", "rename")),
    Theme(("change_docebo_url", "rename")),
    Theme(("delete_customer_and_add_one", "leave"), faults=(("read", "slow"),)),
    Theme(("delete_account", "rename"), runs=("reset",)),
    Theme(("lag", "hire")),
    Theme(("hide_from_search", "hire")),
    Theme(("refuse_rows", "hire")),
    Theme(("correct", "rename"), runs=("saved plan",)),
    Theme(("lose_event", "rename", "correct_mapping"), ("cut-off plan",), (("write", "killed at work"),)),
    Theme(("lose_event", "rename", "promote"), faults=(("write", "lost"),)),
    Theme(("lose_event", "rename"), faults=(("write", "paused"), ("write", "killed at work"))),
    Theme(("lose_event", "hire"), faults=(("write", "unavailable"), ("write", "killed at work"))),
    Theme(("hire", "rename"), ("trusting import",), (("read", "short"),)),
    Theme(("forget", "hire"), faults=(("write", "paused"),)),
    Theme(("deliver_by_older_webhook", "rename")),
)

_ALL = (BRANCH_RULE, TEAM_RULE, MANAGER_RULE)
LATER_THEMES = (
    Theme(("leave", "come_back"), leavers="deactivate"),
    Theme(("leave", "come_back", "lose_event"), leavers="expire"),
    Theme(("leave", "rehire"), ("undo",), leavers="unmap"),
    Theme(("change_department", "move_by_hand"), ("undo of what followed",), follows=(BRANCH_RULE,)),
    Theme(("change_department", "hire"), ("late plan",), (("write", "killed at work"),), (BRANCH_RULE,)),
    Theme(("change_department", "hand_over"), follows=(BRANCH_RULE,)),
    Theme(("change_department", "correct_mapping"), ("late plan",), follows=(BRANCH_RULE,)),
    Theme(("change_manager", "leave", "come_back"), follows=(MANAGER_RULE,), leavers="deactivate"),
    Theme(("change_manager", "lose_manager", "manage_by_hand"), ("undo of what followed",), follows=(MANAGER_RULE,)),
    Theme(("change_manager", "rehire", "delete_account"), follows=(MANAGER_RULE,)),
    Theme(("change_manager", "hand_over"), faults=(("write", "lost"), ("write", "paused")), follows=(MANAGER_RULE,)),
    Theme(("change_team", "rename"), faults=(("write", "paused"), ("read", "slow")), follows=(TEAM_RULE,)),
    Theme(("change_team", "lose_team", "show_fields_otherwise"), follows=(TEAM_RULE,)),
    Theme(("change_team", "keep_stamps", "lose_team"), ("undo of what followed",), follows=(TEAM_RULE,)),
    Theme(("change_team", "hide", "poison", "show_fields_otherwise"), follows=(TEAM_RULE, MANAGER_RULE)),
    Theme(("change_department", "change_team", "change_manager"), ("undo of what followed",), follows=_ALL),
    Theme(("change_department", "swap_addresses", "change_team"), ("reset",), follows=_ALL),
    Theme(("change_department", "change_manager", "promote"), ("late plan",), _ANY_FAULTS, _ALL),
    Theme(("change_manager", "change_department", "leave", "come_back"), follows=_ALL, leavers="expire"),
)

THEMES_BEHIND = (
    Theme(("fall_behind", "rename")),
    Theme(("fall_behind", "hire", "rename")),
    Theme(("fall_behind", "leave", "come_back"), leavers="deactivate"),
    Theme(("fall_behind", "rehire", "lose_event")),
    Theme(("fall_behind", "swap_addresses", "delay_event")),
    Theme(("fall_behind", "pass_address_on", "leave"), ("saved plan", "trusting import")),
    Theme(("fall_behind", "join_grid", "rename"), (NAMED,)),
    Theme(("fall_behind", "hide", "hire"), faults=(("read", "unanswered"), ("read", "short"))),
)

THEMES_PASSED_ON = (
    Theme(("pass_account_on", "rename"), faults=(("read", "slow"), ("write", "killed at work"))),
    Theme(("pass_account_on", "rename"), ("saved plan",)),
    Theme(("pass_account_on", "rename"), ("reset", "undo")),
    Theme(("pass_account_on", "leave", "come_back"), leavers="deactivate"),
    Theme(("pass_account_on", "lose_event", "rename")),
    Theme(("pass_account_on", "change_department"), ("late plan",), follows=(BRANCH_RULE,)),
    Theme(("pass_account_on", "change_manager"), follows=(MANAGER_RULE,)),
)


# Resets, restores, another address of Docebo, and events that are let through, while real time is at work.
THEMES_TOGETHER = (
    Theme(("rehire", "rename"), ("reset", "restore")),
    Theme(("rehire", "leave", "come_back"), ("restore", "restore of the first"), leavers="deactivate"),
    Theme(("rehire", "swap_addresses"), ("restore",)),
    Theme(("rehire", "leave", "let_through"), faults=(("write", "lost"), ("write", "paused"))),
    Theme(("join_grid", "leave_grid", "rename"), ("reset", "restore")),
    Theme(("join_grid", "rehire", "leave_grid"), (NAMED,)),
    Theme(("join_grid", "leave", "come_back"), ("restore",), leavers="unmap"),
    Theme(("join_grid", "drop_local_ids", "rename"), ("restore",)),
    Theme(("join_grid", "drop_local_ids", "rehire", "leave_grid")),
    Theme(("join_grid", "drop_local_ids", "change_membership")),
    Theme(("join_grid", "drop_local_ids", "leave", "come_back"), leavers="deactivate"),
    Theme(("change_membership", "rename")),
    Theme(("change_membership", "join_grid", "leave")),
    Theme(("change_membership", "rehire"), ("saved plan",)),
    Theme(("change_membership", "leave", "come_back"), leavers="deactivate"),
    Theme(("change_membership", "swap_addresses", "delay_event"), ("restore",)),
    Theme(("move_docebo", "rename"), ("relink",)),
    Theme(("move_docebo", "rehire"), ("relink", "reset", "restore")),
    Theme(("move_docebo", "leave", "come_back"), ("relink", "undo")),
    Theme(("move_docebo", "hire"), ("relink", "saved plan"), (("write", "lost"), ("write", "killed at work"))),
    Theme(("move_docebo", "restore_another_platform"), ("relink", "restore")),
    Theme(("swap_addresses", "take_over_address"), ("reset", "restore", "restore of the first")),
    Theme(("hand_over", "leave"), ("reset", "restore")),
    Theme(("pass_account_on", "rename"), ("restore", "restore of the first")),
    Theme(("correct_mapping", "rename"), ("reset", "restore")),
    Theme(("leave", "let_through", "come_back"), faults=(("read", "slow"), ("write", "unavailable"))),
    Theme(("leave", "replay_events", "rename", "refuse_rows")),
    Theme(("change_department", "rehire"), ("reset", "restore"), follows=(BRANCH_RULE,)),
    Theme(("change_manager", "rehire"), ("restore",), follows=(MANAGER_RULE,)),
)


@dataclass(frozen=True)
class Step:
    """Something that happens at *at* seconds: a change of the world, the start of a process, or a fault of a call."""

    at: float
    what: str  # a change, a run, NAMED, or "fault"
    people: tuple[int, ...] = ()
    call: tuple[str, str, int, str] = ("", "", 0, "")  # of a fault: process, "read" or "write", number, kind

    def __str__(self) -> str:
        when = f"{int(self.at) // 60:4d} min"
        if self.what == "fault":
            process, way, number, kind = self.call
            return f"{when}  {way} {number} of {process} is {kind}"
        who = " and ".join(f"person {number}" for number in self.people)
        what = f"{self.what} starts" if self.what in {*RUNS, *LATER_RUNS, NAMED} else self.what.replace("_", " ")
        return f"{when}  {what} {who}".rstrip()


@dataclass(frozen=True)
class Story:
    """A company of *size* people under *rows* of the settings table, and the steps that happen to it."""

    size: int
    rows: tuple[tuple[str, str], ...]
    steps: tuple[Step, ...]
    with_accounts: tuple[int, ...] = ()  # people who have an account before the first import

    def __str__(self) -> str:
        rows = ", ".join(f"{key}={value}" for key, value in self.rows)
        return "\n".join([f"{self.size} people, {rows}", *map(str, self.steps)])


def draw(seed: int, *, length: int = 30) -> Story:
    """Return the story of *seed*, with *length* changes, starts of runs, and faults.

    The same seed always gives the same story, so further themes came with further seeds. Below FIRST_LATER all stories have
    one of THEMES. From there on, half of them have one of LATER_THEMES; of that half, from FIRST_BEHIND on some have one of
    THEMES_BEHIND instead, and from FIRST_PASSED_ON on some one of THEMES_PASSED_ON. From FIRST_TOGETHER on, most stories have
    one of THEMES_TOGETHER, and settings of their own.
    """
    chance = random.Random(seed)
    size = chance.randint(5, 11)
    rows = _rows(chance)
    # A story is about a few kinds of changes and a few people, so that they meet.
    theme, possible = chance.choice(THEMES), CHANGES
    is_together = seed >= FIRST_TOGETHER
    is_later = seed >= FIRST_LATER and chance.random() < (0.9 if is_together else 0.5)
    if is_later:
        theme, possible, later_rows = _later(chance, seed)
        rows |= later_rows
    changes = [*theme.changes, *chance.sample(sorted(possible), chance.randint(0, 2))]
    pauses = PAUSES + (DAYS if theme.leavers else ())
    cast = chance.sample(range(size), 3)
    others = sorted({*RUNS, NAMED} - {"import", "real time", *theme.runs})
    runs = ["import", *theme.runs, *chance.sample(others, chance.randint(0, 1))]
    if theme.follows:
        runs += ["import", "import"]  # nothing follows other runs
    faults = theme.faults or chance.choice([(), _ANY_FAULTS])
    steps = _beginning(theme)
    starts = Counter(step.what for step in steps)
    at = 600.0
    while len(steps) < length:
        kind = chance.random()
        if kind < 0.3:
            run = chance.choice(runs)
            starts[run] += 1
            steps.append(Step(at, run, (chance.choice(cast),) if run == NAMED else ()))
            if faults and chance.random() < 0.6:
                steps += _faults(chance, at, f"{run} {starts[run]}", faults, most=2 if is_later else 1)
        else:
            change = chance.choice(changes)
            steps.append(Step(at, change, tuple(chance.sample(cast, possible[change]))))
            if change in HIRING:
                cast.append(size + sum(step.what in HIRING for step in steps) - 1)
                cast.pop(0)
        at += chance.choice(pauses)
    if is_together and chance.random() < 0.3:
        steps, days = _frozen(chance, steps)
        rows |= days
    have_accounts = tuple(sorted(chance.sample(range(size), chance.choice([0, size // 3, size]))))
    return Story(size, tuple(rows.items()), tuple(steps), have_accounts)


def _beginning(theme: Theme) -> list[Step]:
    """Return the first steps: everybody gets an account and, if the theme restores one, there is a backup."""
    made = Step(0.0, "import")
    return [made, Step(200.0, "reset"), Step(300.0, "import")] if "restore" in theme.runs else [made]


def _later(chance: random.Random, seed: int) -> tuple[Theme, dict[str, int], dict[str, str]]:
    """Return the theme of the story of a later *seed*, the changes that are possible in it, and its settings."""
    theme, possible = _later_theme(chance, seed)
    rows = _later_rows(chance, theme)
    return theme, possible, rows | (_together_rows(chance) if seed >= FIRST_TOGETHER else {})


def _later_theme(chance: random.Random, seed: int) -> tuple[Theme, dict[str, int]]:
    possible = CHANGES | LATER_CHANGES
    if seed >= FIRST_TOGETHER and chance.random() < 0.7:
        return chance.choice(THEMES_TOGETHER), possible | TOGETHER_CHANGES
    if seed >= FIRST_PASSED_ON and chance.random() < 0.3:
        return chance.choice(THEMES_PASSED_ON), possible | {"pass_account_on": 1}
    if seed >= FIRST_BEHIND and chance.random() < 0.3:
        return chance.choice(THEMES_BEHIND), possible | {"fall_behind": 0}
    return chance.choice(LATER_THEMES), possible


def _faults(
    chance: random.Random, at: float, run: str, likely: Sequence[tuple[str, str]], *, most: int
) -> Iterator[Step]:
    """Yield one to three faults of early calls of one run; with a larger *most*, of calls that are later by that factor."""
    for _ in range(chance.randint(1, 3)):
        way, kind = chance.choice(likely if chance.random() < 0.7 else _ANY_FAULTS)
        yield Step(at, "fault", call=(run, way, chance.randint(1, most * (3 if way == "write" else 14)), kind))


def _rows(chance: random.Random) -> dict[str, str]:
    return {
        "LEAVERS": chance.choice(["keep", "deactivate", "deactivate", "deactivate", "unmap"]),
        "LEAVERS_OUT_OF_SCOPE": chance.choice(["false", "false", "true"]),
        "MAP_SLACK_USER_DATA": chance.choice(["true", "true", "true", "true", "false"]),
        "LIMIT_DEACTIVATIONS": chance.choice(["2", "3", "none"]),
        "SOURCE_MAY_SHRINK": chance.choice(["10", "40"]),
        "LIMIT_UNMAPPINGS": "none",
        "LIMIT_REJECTIONS": "100",
        "REALTIME_RETRY_DELAYS": "30, 120, 600",
    }


def _later_rows(chance: random.Random, theme: Theme) -> dict[str, str]:
    rows = {
        "PROTECTED_ACCOUNTS": chance.choice(["service.connect", "p1@example.com"]),
        "SCOPE_EXCLUDE": chance.choice(["", "p2@example.com"]),
        "LEAVERS_OUT_OF_SCOPE": "false",
    }
    if theme.leavers:
        rows |= {"LEAVERS": theme.leavers, "LEAVERS_AFTER_DAYS": chance.choice(["0", "1", "1"])}
    if theme.follows:
        clear = chance.choice(["", " clear"])
        rules = [rule + (clear if rule != BRANCH_RULE else "") for rule in theme.follows]
        rows |= {
            "ATTRIBUTES": ", ".join([NAMES_RULES, *rules]),
            "BRANCH_MOVES": "true",
            "LIMIT_BRANCH_MOVES": chance.choice(["none", "none", "3"]),
            "PROFILE_MAX_AGE_DAYS": "1",
        }
    return rows


def _together_rows(chance: random.Random) -> dict[str, str]:
    rows = {"REHIRES": chance.choice(["report", "hand-over", "hand-over"])}
    if chance.random() < 0.4:
        leave = chance.choice(["false", "true"])
        rows |= {"SCOPE_USERGROUPS": GROUP, "LEAVERS_OUT_OF_SCOPE": leave}
        rows |= {"SCOPE_EXCLUDE": ""} if leave == "true" else {}
    return rows


def _frozen(chance: random.Random, steps: Sequence[Step]) -> tuple[list[Step], dict[str, str]]:
    """Move *steps* so that midnight comes right after one of them, and begins or ends a day on which nothing is written."""
    first = chance.randrange(1, len(steps))
    hours = math.ceil(steps[first].at / HOUR) + 1
    later = hours * HOUR - chance.choice(BEFORE_MIDNIGHT) - steps[first].at
    midnight = datetime.fromtimestamp(BEGINNING, UTC) + timedelta(hours=hours)
    east = 12 - (midnight.hour + 12) % 24  # hours by which a time zone with midnight then is ahead of UTC
    day = (midnight + timedelta(hours=east)).date() - timedelta(days=chance.choice([0, 0, 1]))
    moved = [replace(step, at=step.at + later) for step in steps[first:]]
    return [*steps[:first], *moved], {"FREEZE": f"{day}", "TIME_ZONE": f"Etc/GMT{-east:+d}"}


def shortened(story: Story, fails: Callable[[Story], bool]) -> Story:
    """Return the smallest part of *story* found that still *fails*."""
    steps = story.steps
    size = max(1, len(steps) // 2)
    while True:
        for start in range(0, len(steps), size):
            fewer = steps[:start] + steps[start + size :]
            if fewer and fails(replace(story, steps=fewer)):
                steps = fewer
                break
        else:
            if size == 1:
                return replace(story, steps=steps)
            size //= 2
