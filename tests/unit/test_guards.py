import pytest

from slack_docebo.domain.guards import Change, Limit, exceeded, parse_limit


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("25", Limit(25)),
        ("5%", Limit(percent=5)),
        (" 25 , 5 % ", Limit(25, 5)),
        ("none", Limit()),
        ("0", Limit(0)),
    ],
)
def test_a_limit_is_read_and_shown_alike(text, limit):
    assert parse_limit(text) == limit
    assert parse_limit(str(limit)) == limit


@pytest.mark.parametrize("text", ["many", "", "-1", "5%, 6%", "1, 2"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"^write "):
        parse_limit(text)


@pytest.mark.parametrize(
    ("planned", "people", "limit", "stops"),
    [
        pytest.param(25, 1000, Limit(25), False, id="as many as the limit may pass"),
        pytest.param(26, 1000, Limit(25), True, id="one more may not"),
        pytest.param(50, 1000, Limit(percent=5), False, id="as many per cent as the limit may pass"),
        pytest.param(51, 1000, Limit(percent=5), True, id="a little more may not"),
        pytest.param(3, 1000, Limit(2, 5), True, id="both bounds hold"),
        pytest.param(1, 3, Limit(percent=5), False, id="one of three is no third of a workspace"),
        pytest.param(1, 3, Limit(percent=0), True, id="none of three is nobody all the same"),
        pytest.param(1000, 1000, Limit(), False, id="without a limit everything passes"),
    ],
)
def test_a_plan_over_a_limit_is_told(planned, people, limit, stops):
    over = exceeded({Change.DEACTIVATE: planned}, people, {Change.DEACTIVATE: limit}, minimum_sample=20)

    assert bool(over) == stops
    assert all(str(planned) in sentence and "deactivate" in sentence for _, sentence in over)
