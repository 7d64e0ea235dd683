"""How many examples a property test draws: what `make test` has time for, and more where new ones are looked for."""

from typing import Any

from hypothesis import settings


def examples(number: int, **options: Any) -> settings:
    """Return settings for *number* examples, always the same, or for ten times as many that nobody has seen yet."""
    exploring = settings.get_current_profile_name() == "exploring"
    return settings(max_examples=number * (10 if exploring else 1), **options)
