"""A yes or no as Slack and Docebo may write it: as a boolean, as a number or as a text."""

YES, NO = ("true", "1", "yes"), ("false", "0", "no")


def says_yes(value: object) -> bool:
    """Tell whether *value* is a yes; a missing, empty or other value is neither yes nor no."""
    return isinstance(value, str | int) and str(value).strip().lower() in YES


def says_no(value: object) -> bool:
    """Tell whether *value* is a no; a missing, empty or other value is neither yes nor no."""
    return isinstance(value, str | int) and str(value).strip().lower() in NO
