from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.addresses import pattern_keys
from slack_docebo.domain.patterns import any_fits

PIECES = st.text("aB*?[]!-.@")


@given(st.lists(PIECES), st.lists(st.text("ab.@")))
def test_a_name_fits_as_in_a_shell_without_regard_to_case(patterns, keys):
    expected = any(fnmatchcase(key, pattern.lower()) for pattern in patterns for key in keys)

    assert any_fits(patterns, keys) == expected


@pytest.mark.parametrize("pattern", ["*@example.com", "ADA@*", " ada@example.com ", "a?a@example.[cd]om"])
def test_people_are_named_by_pattern(pattern):
    assert any_fits([pattern], ["ada@example.com", "u1"])
    assert not any_fits([pattern], ["bob@example.org", "u2"])


@pytest.mark.parametrize("composed", [True, False])
def test_an_accent_is_the_same_whether_it_is_a_character_of_its_own_or_not(composed):
    forms = ("Jos\u00e9@Example.com", "jose\u0301@example.com")
    pattern, address = forms if composed else reversed(forms)

    assert any_fits([pattern], pattern_keys(address))
    assert any_fits([f"*{pattern[3:]}"], pattern_keys(address))
