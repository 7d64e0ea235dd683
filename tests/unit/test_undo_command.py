"""`slack-docebo undo`, before anything is read."""

import pytest

from slack_docebo.cli.undo import undo
from slack_docebo.errors import PlanNotApplicable


@pytest.mark.parametrize("nothing", ["", "  "])
def test_without_an_id_it_says_where_one_is_found(nothing):
    with pytest.raises(PlanNotApplicable, match="slack-docebo plan list"):
        undo(nothing)
