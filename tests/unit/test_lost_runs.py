"""Whose worker is gone, and whose is only not to be seen."""

from deployments.lost_runs import SignsOfLife


def test_who_gives_no_new_sign_for_too_long_is_silent():
    signs = SignsOfLife(patience=35)

    assert signs.silent({"a": 1, "b": 1}, at=100) == set()
    assert signs.silent({"a": 2, "b": 1}, at=110) == set()
    assert signs.silent({"a": 3, "b": 1}, at=134.9) == set()
    assert signs.silent({"a": 4, "b": 1}, at=135) == {"b"}
    assert signs.silent({"a": 5, "b": 2}, at=145) == set()


def test_who_is_new_or_came_back_is_given_the_whole_time():
    signs = SignsOfLife(patience=35)
    signs.silent({"a": None}, at=100)
    signs.silent({}, at=110)

    assert signs.silent({"a": None}, at=136) == set()
    assert signs.silent({"a": None}, at=150) == set()
    assert signs.silent({"a": None}, at=171) == {"a"}


def test_while_one_could_not_look_nobody_was_silent():
    """Prefect was away, or the machine of the one who looks was suspended: nobody could give a sign that is seen."""
    signs = SignsOfLife(patience=35)
    signs.silent({"a": 1}, at=100)
    signs.silent({"a": 1}, at=130)

    assert signs.silent({"a": 1}, at=400) == set()
    assert signs.silent({"a": 1}, at=434) == set()
    assert signs.silent({"a": 1}, at=435) == {"a"}
