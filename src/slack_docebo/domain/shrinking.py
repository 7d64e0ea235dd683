"""Shrinking: a list that lacks much of what the last complete one had may not be whole."""


def has_shrunk(listed: int, last: int, percent: int) -> bool:
    """Tell whether what is *listed* lacks more than *percent* of the *last* read."""
    return listed * 100 < last * (100 - percent)
