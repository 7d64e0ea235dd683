"""Expressions in the attribute mapping: what they say of a person, and what is refused while the settings are read."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo import cel
from slack_docebo.domain.expressions import LONGEST_EXPRESSION, Expression
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import Shortfall, shortfalls
from slack_docebo.errors import ConfigurationError
from slack_docebo.integration_settings import read_rows, table
from tests.attribute_mapping import parse_rules
from tests.importing import ON

ZOE = SourceUser(
    "U1",
    "T1",
    handle="zoe",
    email="zoe.o-neill@example.com",
    first_name="Zoë",
    last_name="O'NEILL-łukasz",
    title="Analyst",
    start_date="2026-05-31",
    custom={"Xf1": "Sales", "Xf2": ""},
)
CENTRES = LookupTable.of("centres", [("sales", "S-100"), ("Analyst", "A-1")])


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('custom:Xf1 == "Sales" ? "yes" : "no"', "yes"),
        ('custom:"Xf1" in ["Space", "Sea"] ? "yes" : "no"', "no"),
        ('title.startsWith("Ana") && !email.endsWith(".org") ? title : ""', "Analyst"),
        ('title.matches("(" + "Ana|Eng" + ")") ? "fits matches(\'(\')" : ""', "fits matches('(')"),
        ("title // not matches('(') of scim:Dept", "Analyst"),
        ("lower(ascii(first(first_name, 1) + last_name))", "zo'neill-lukasz"),
        ("title(last_name)", "O'neill-Łukasz"),
        ("upper(title)", "ANALYST"),
        ('before(email, "@")', "zoe.o-neill"),
        ('after(email, "@")', "example.com"),
        ("first(custom:Xf2, title)", "Analyst"),
        ("table(centres, lower(custom:Xf1))", "S-100"),
        (
            'custom:Xf1 == "" ? table(centres, title) : table( centres , custom:Xf1) + "/" + table(centres, title)',
            "S-100/A-1",
        ),
        ("date(start_date, 30)", "2026-06-30"),
        ('date("5/31/2026", "MM/DD/YYYY")', "2026-05-31"),
        ('"it is \\"Staff\\", custom:Xf1"', 'it is "Staff", custom:Xf1'),
        ("(title == 'Analyst'\n  ? 'on, two; lines'\n  : '')", "on, two; lines"),
    ],
)
def test_an_expression_makes_a_value_of_what_slack_says(expression, value):
    rules = parse_rules(f"email, field_1 = {expression} on-create-only clear; last_name", CENTRES)

    assert rules[1].value(ZOE) == value
    assert (rules[1].on_create_only, rules[1].clear) == (True, True)
    assert list(map(str, rules)) == ["email", f"field_1 = {expression} on-create-only clear", "last_name"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [('phone + " " + pronouns', ""), ('before(title, "-")', "Head of Sales"), ('"a\\nb" + "  "', "a b")],
)
def test_the_blanks_that_an_expression_leaves_are_no_text(expression, value):
    user = SourceUser("U1", "T1", title="Head of Sales - EU", phone="", pronouns="")

    (rule,) = parse_rules(f"field_1 = {expression} clear")
    assert rule.value(user) == value


def test_what_an_expression_reads_is_known_before_anybody_is_read():
    (rule,) = parse_rules(
        'field_1 = title(title) + custom:"Cost centre" + (guest == "yes" ? "email" : table(centres, custom:Xf1))'
    )

    assert rule.sources == ("title", "custom:Cost centre", "guest", "custom:Xf1")
    assert rule.formula.tables == ("centres",)
    assert rule.with_sources(lambda source: source.upper()).sources == (
        "TITLE",
        "CUSTOM:COST CENTRE",
        "GUEST",
        "CUSTOM:XF1",
    )


@pytest.mark.parametrize(
    ("expression", "silent"),
    [
        ('custom:Xf1 == "" ? title : "no"', replace(ZOE, custom=None)),
        ('title == "Analyst" ? title : phone', ZOE),
        ('before(email, "@")', replace(ZOE, unconfirmed=True)),
    ],
)
def test_where_a_source_is_not_known_neither_is_the_result(expression, silent):
    (rule,) = parse_rules(f"field_1 = {expression} clear")

    assert (rule.value(silent), rule.shortfall(silent)) == (None, None)


@pytest.mark.parametrize(
    ("expression", "value", "why"),
    [
        ("upper(table(centres, handle))", "zoe", "table centres has no row for it"),
        ("date(title)", "Analyst", "it is no date like YYYY-MM-DD"),
        ('date(start_date, "DD.MM.YYYY")', "2026-05-31", "it is no date like DD.MM.YYYY"),
        ('{"Analyst": "A"}[handle]', 'NOT_FOUND: Key not found in map : "zoe"', "its expression cannot be worked out"),
    ],
)
def test_what_comes_to_nothing_leaves_the_target_as_it_is_and_is_named(expression, value, why):
    (rule,) = parse_rules(f"field_1 = {expression} clear", CENTRES)

    assert (rule.value(ZOE), rule.shortfall(ZOE)) == (None, Shortfall("field_1", value, why))
    assert shortfalls(ZOE, [rule], creating=False) == (rule.shortfall(ZOE),)


def test_what_is_found_after_all_forgets_what_an_earlier_person_lacked():
    (rule,) = parse_rules(
        'field_1 = table(centres, title) == "A-1" || true ? string(1 / size(custom:Xf1)) : ""', CENTRES
    )

    assert rule.shortfall(replace(ZOE, title="Jester")) is None
    assert rule.shortfall(replace(ZOE, title="Jester", custom={"Xf1": ""})).why == "its expression cannot be worked out"


ENDLESS = "[1, 2, 3].map(x, [1, 2, 3].map(y, x * y)).size() > 1 ? 'a' : 'b'"


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("lower(titel)", r"rule 2: in its expression: at character 7: unknown name: allowed are first_name"),
        ('custom:"Cost centre" == "a" ? titel : ""', "at character 31: unknown name"),
        ("lower(\n  titel)", "at line 2, character 3: unknown name"),
        ("lower(scim:Department)", r"at character 7: unknown source: allowed are .*scim:department"),
        ("lower(\n  scim:dept)", "at line 2, character 3: unknown source"),
        ('title + custom:" "', "at character 9: unknown source"),
        (
            "trim(title)",
            r"at character 5: unknown name: allowed are .* and the functions lower, upper, title",
        ),
        (
            'table("centres", title)',
            r"table\(...\) takes the name of a table, in small letters without quotes, and a text",
        ),
        (
            'first(custom:Xf1, "1", "2", "3", "4", "5", "6")',
            r"at character 6: first\(...\) does not take so many",
        ),
        ("title + 1", r"at character 7: \+ does not go with these values: string, int"),
        ('title in "a" ? "b" : "c"', r"at character 7: in does not go with these values: string, string"),
        ('title ? "a" : "b"', "at character 7: what stands before \\? has to be a comparison"),
        ('true ? "a" : 1', "at character 6: what stands before and behind : has to be of one kind"),
        ('title = "a"', "at character 7: one = means nothing here: == compares"),
        ("lower(\u2018x\u2019)", "at character 7: this means nothing here: a text stands in straight quotes"),
        (
            "table(branches custom:Department)",
            "at character 16: this is too much: a comma",
        ),
        ('title.matches("(") ? "a" : "b"', r"at character 15: this pattern is wrong: missing \)$"),
        (
            "'matches(\"(\")' + (matches(title,\n r'\\q') ? 'a' : 'b')",
            "at line 2, character 2: this pattern is wrong: invalid",
        ),
        ("size(title)", "the result is int and should be a text: write string"),
        ("title == 'a'", "the result is bool and should be a text"),
        ("title == ", "at character 9: the end cannot stand here$"),
        (ENDLESS, "at character 15: unknown name"),
        ("title.all(c, true) ? 'a' : 'b'", "unknown name"),
        (f"'{'a' * LONGEST_EXPRESSION}'", "an expression of 1,002 characters: at most 1,000 are allowed"),
        ("(" * 300 + "title" + ")" * 300, "it is nested too deeply"),
        ("+".join(["title"] * 100), "it is nested too deeply"),
        ("title + '\ud83d'", "at character 10: half an emoji"),
        ("title(title", "a bracket has no other half"),
    ],
)
def test_a_wrong_expression_is_refused_with_its_place_when_the_settings_are_read(expression, told):
    with pytest.raises(ConfigurationError, match=rf"(?s)row SLACK \| ATTRIBUTES: .*{told}"):
        read_rows(table({**ON, "ATTRIBUTES": f"email, field_1 = {expression}"}))


def test_quotes_may_be_those_of_a_word_processor():
    settings = read_rows(table({**ON, "ATTRIBUTES": "email, field:\u201cCost centre\u201d = title"}))

    assert [str(rule) for rule in settings.attributes] == ["email", 'field:"Cost centre" = title']


def test_without_the_engine_an_expression_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cel_expr_python", None)

    assert len(parse_rules("email, field_1 = table(centres, title)")) == 2
    with pytest.raises(ValueError, match=r"install `slack-docebo\[expressions\]`"):
        parse_rules("field_1 = lower(title)")


@pytest.mark.parametrize(
    "rule",
    [
        "planted = title",
        "title = planted",
        "email = planted@example.com",
        "title planted",
        'title = "planted',
        "title = lower('planted'",
        "title = lower('a' 'planted')",
        "title = planted.x('a')",
        "title = 'planted@x' + 1",
        "title = title == planted ? 'a' : 'b'",
        "title = ''planted''",
        "title = {planted@example.com}",
        "title = \u2018planted\u2019",
        "title = 'a'.planted",
        "title = first(planted: 1)",
        "title = planted{a: 1}",
    ],
)
def test_a_wrong_rule_is_named_by_its_place_and_not_quoted(rule):
    """It may hold somebody's address, and what is wrong with the settings is mailed and stands in the states of runs."""
    with pytest.raises(ConfigurationError, match="rule 2: ") as refused:
        read_rows(table({**ON, "ATTRIBUTES": f"email, {rule}"}))

    assert "planted" not in str(refused.value)


PIECES = [
    *("title", "custom:Xf1", "lower(", "table(x,", "matches", "null", "true", "1", "9223372036854775807"),
    *('"', "'", "(", ")", "[", "{", "?", ":", "+", ",", ".", "=", " ", "\n", "\\", "\0", "\ud83d", "é", "😀"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_text_is_an_expression_or_is_refused(text):
    try:
        result = Expression.of(text, cel.compiled).result(ZOE)
    except ValueError:
        return
    assert isinstance(result, str) or result.why


@given(st.text(max_size=20))
def test_no_text_of_a_member_breaks_an_expression(text):
    (rule,) = parse_rules("field_1 = title(ascii(upper(lower(title)))) + before(title, 'a') + after(title, 'a')")

    assert rule.value(replace(ZOE, title=text)) is not None
