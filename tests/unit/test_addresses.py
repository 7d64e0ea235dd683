import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.domain.addresses import as_meant, is_address, mail_domain, mailbox, spellings

UNICODE, PUNYCODE = "ann@m\u00fcnchen.example", "ann@xn--mnchen-3ya.example"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Ann@Example.COM", "ann@example.com", id="case of ASCII letters"),
        pytest.param(" ann@example.com ", "ann@example.com", id="blanks around"),
        pytest.param(UNICODE, PUNYCODE, id="a domain in Unicode and in Punycode"),
        pytest.param("ann@M\u00dcNCHEN.example", "ann@XN--MNCHEN-3YA.example", id="both in capitals"),
        pytest.param("ann@mu\u0308nchen.example", PUNYCODE, id="an accent of its own"),
        pytest.param("jose\u0301@example.com", "Jos\u00e9@example.com", id="an accent of its own in the local part"),
        pytest.param("jose\u0301", "jos\u00e9", id="or in a username that is no address"),
        pytest.param("ann@stra\u00dfe.example", "ann@xn--strae-oqa.example", id="sharp s"),
        pytest.param("Ada.Lovelace", "ada.lovelace", id="a username that is no address"),
    ],
)
def test_two_ways_to_write_one_mailbox_are_one(one, other):
    assert mailbox(one) == mailbox(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("\u00c4nne@example.com", "\u00e4nne@example.com", id="case of other letters in the local part"),
        pytest.param("ann@stra\u00dfe.example", "ann@strasse.example", id="sharp s is another domain than ss"),
        pytest.param("ann@xn--abc-.example", "ann@abc.example", id="Punycode of what needs none"),
        pytest.param("ann@xn--MNCHEN-3ya8.example", UNICODE, id="Punycode of something else"),
        pytest.param("ann@\u212aiosk.example", "ann@kiosk.example", id="the Kelvin sign is no k"),
        pytest.param("mi\u212ae@example.com", "mike@example.com", id="nor in the local part"),
        pytest.param("a\u1fefe\u0301@example.com", "a`e\u0301@example.com", id="a Greek accent is no grave one"),
        pytest.param("\u0430nn@example.com", "ann@example.com", id="a Cyrillic letter"),
        pytest.param("ann@ex\u0430mple.com", "ann@example.com", id="or in the domain"),
        pytest.param("a\u200bnn@example.com", "ann@example.com", id="a letter that nobody sees"),
        pytest.param("a.nn@example.com", "ann@example.com", id="dots are for the provider to know"),
    ],
)
def test_what_only_looks_alike_is_another_mailbox(one, other):
    assert mailbox(one) != mailbox(other)


@given(st.text() | st.text("@.-xn0aK\u212a\u1fef\u00fc\u00df\u0308\u03a3").map(lambda text: f"a@xn--{text}"))
def test_no_address_is_too_odd_to_be_compared(text):
    assert mailbox(mailbox(text)) == mailbox(text)


@given(st.text("abcx\u00fc\u00df\u03c2\u212a-", min_size=1, max_size=20))
def test_only_a_domain_of_ascii_letters_has_a_key_of_them(label):
    assert mail_domain(label).isascii() <= label.isascii()


def test_an_address_is_looked_for_in_each_way_it_may_be_written():
    assert spellings("Ann@example.com") == ["Ann@example.com"]
    assert sorted(spellings(UNICODE)) == sorted(spellings(PUNYCODE)) == sorted([UNICODE, PUNYCODE])
    assert sorted(spellings("jos\u00e9@example.com")) == ["jose\u0301@example.com", "jos\u00e9@example.com"]
    assert sorted(spellings("jos\u00e9@example.com")) == sorted(spellings("jose\u0301@example.com"))
    assert set(spellings("jose\u0301@m\u00fcnchen.example")) >= {"jos\u00e9@xn--mnchen-3ya.example"}
    assert spellings("mi\u212ae@example.com") == ["mi\u212ae@example.com"]
    assert spellings("ada") == ["ada"]


@pytest.mark.parametrize(
    "typed",
    [
        " ann@example.com\u200b",
        "<ann@example.com>",
        "Ann Onym <ann@example.com>",
        "\u201cann@example.com\u201d",
        "'ann@example.com',",
        "<mailto:ann@example.com>",
    ],
)
def test_an_address_is_meant_however_it_was_copied(typed):
    assert as_meant(typed) == "ann@example.com"


def test_what_was_not_copied_with_anything_around_it_is_meant_as_it_is():
    for typed in ("o'brien@example.com", "U012AB3CD", "docebo:7", "Ann Onym", ""):
        assert as_meant(typed) == typed


@pytest.mark.parametrize(
    ("shown", "can_be_one"),
    [
        ("ann@example.com", True),
        ("a***@example.com", False),
        ("a\u2022\u2022@example.com", False),
        ("Ann Onym <ann@example.com>", False),
        ("REDACTED", False),
        ("", False),
    ],
)
def test_what_is_masked_or_stands_in_place_of_an_address_is_none(shown, can_be_one):
    assert is_address(shown) is can_be_one
