import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.claims import Claims, Rank

STAKES = st.lists(
    st.tuples(st.sampled_from([1, 2, "ada@example.com"]), st.sampled_from(["U1", "U2", "U3"]), st.sampled_from(Rank)),
    max_size=8,
)


@given(STAKES, st.randoms(use_true_random=False))
def test_who_has_the_best_claim_does_not_depend_on_the_order(stakes, chance):
    shuffled = list(stakes)
    chance.shuffle(shuffled)
    first, second = Claims(), Claims()
    for claims, order in ((first, stakes), (second, shuffled)):
        for stake in order:
            claims.stake(*stake)

    for claimed, slack_id, rank in stakes:
        assert first.stake(claimed, slack_id, rank) == second.stake(claimed, slack_id, rank)


@pytest.mark.parametrize("better", [("U9", Rank.MAPPING), ("U9", Rank.EMAIL), ("U1", Rank.USERNAME)])
def test_who_was_told_of_an_earlier_holder_is_outdone_by_a_better_claim(better):
    claims = Claims()
    claims.stake(7, "U2", Rank.USERNAME)
    claims.stake(7, "U3", Rank.USERNAME)

    assert claims.stake(7, *better) == better[0]
    assert claims.outdone == {"U2", "U3"}


def test_nobody_is_outdone_by_a_worse_claim():
    claims = Claims()
    claims.stake(7, "U9", Rank.MAPPING)

    assert claims.stake(7, "U1", Rank.EMAIL) == "U9"
    assert claims.outdone == set()
