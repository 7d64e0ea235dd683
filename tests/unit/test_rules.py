from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slack_docebo.cel import compiled
from slack_docebo.domain.attributes import differences, wanted
from slack_docebo.domain.expressions import Expression
from slack_docebo.domain.formulas import Lookup, OneSource
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.options import Options
from slack_docebo.domain.people import Account, SourceUser
from slack_docebo.domain.rules import NOT_HELD, AttributeRule, Shortfall, no_longer_filled, shortfalls
from slack_docebo.domain.sources import SOURCES
from slack_docebo.domain.targets import COLUMNS
from tests.attribute_mapping import parse_rules

ADA = SourceUser("U1", "T1", email="ada@example.com", title="Analyst", custom={"Xf1": "Sales"})
CENTRES = LookupTable.of("centres", [("Sales", "S-100"), ("Straße", "R-1")])


def test_the_rules_can_be_written_as_they_are_read():
    text = (
        "first_name, time_zone on-create-only, field_12 = title clear, field_3 = custom:Xf06ABC,"
        ' field:"Cost centre" = custom:Department on-create-only, field_4 = table(centres, custom:"Cost, centre") clear'
    )

    rules = parse_rules(text)

    assert ", ".join(map(str, rules)) == text
    assert rules[2] == AttributeRule("field_12", OneSource("title"), clear=True)
    assert rules[2].field_id == 12
    assert (rules[4].title, rules[4].sources) == ("Cost centre", ("custom:Department",))
    assert rules[5] == AttributeRule("field_4", Lookup("centres", "custom:Cost, centre"), clear=True)


@pytest.mark.parametrize("separator", [",", ";", "\n", " , ", "\r\n"])
def test_rules_stand_one_after_the_other_or_one_below_the_other(separator):
    rules = parse_rules(separator.join(["email", "field_1=table( centres ,title )", "field:Manager's = title"]))

    assert list(map(str, rules)) == ["email", "field_1 = table(centres, title)", "field:Manager's = title"]


@pytest.mark.parametrize(
    "formula",
    [
        '{"a": "1", "b": "2"}[title]',
        'title in ["a, b", "c; d"] ? "e\\", f" : "g\\\\"',
        "title.matches(r'(a|b), \\d') ? \"it's\" : 'h, i'",
        "first(title, 'a\\'b, c', \"d'e, f\")",
        'first(\n  title,\n  """g,\n"h" i"""\n)',
        'custom:"A, B" + title',
    ],
)
def test_separators_in_quotes_and_brackets_part_no_rules(formula):
    rules = parse_rules(f"email, field_1 = {formula} clear, field:Manager's = title; field_2 = title")

    assert list(map(str, rules)) == [
        "email",
        f"field_1 = {formula} clear",
        "field:Manager's = title",
        "field_2 = title",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("level = title", "rule 1: unknown target: allowed are first_name"),
        ("first_name = salary", "rule 1: unknown source: allowed are first_name"),
        ("first_name always", "unknown option: allowed are on-create-only and clear"),
        ("first_name = title always", "unknown option: allowed are on-create-only and clear"),
        ("first_name = ", "unknown source: "),
        ("= title", "unknown target: "),
        ("email, email = title", "rule 1 and rule 2 have one target"),
        ("field_0 = title", "unknown target: "),
        ("field: = title", "unknown target: "),
        ('field:"Role = title', "a quote has no other half"),
        ("email = custom:", "unknown source: "),
        ("email = table(centres, salary)", "unknown source: "),
        ("email = table(centres, title", "a bracket has no other half"),
        ("field:Cost centre = title", "unknown option: .* a name with a blank is put in quotes"),
        ("branch = title clear", "branch cannot be cleared: each account is in one"),
        (
            "manager = email on-create-only",
            "manager cannot be on-create-only: managers are written when all accounts exist",
        ),
    ],
)
def test_a_wrong_rule_is_named_with_what_is_allowed(text, told):
    with pytest.raises(ValueError, match=told):
        parse_rules(text)


def test_a_table_gives_what_stands_for_a_value_in_any_case():
    rules = parse_rules("field_1 = table(centres, custom:Xf1)", CENTRES)

    assert wanted(ADA, rules, creating=True) == {"field_1": "S-100"}
    for said, found in (("sales ", "S-100"), ("STRASSE", None), ("straße", "R-1")):
        assert rules[0].value(replace(ADA, custom={"Xf1": said})) == found


def test_a_value_without_a_row_takes_the_default_row():
    table = LookupTable.of("centres", [("Sales", "S-100"), ("*", "REST")])
    (rule,) = parse_rules("field_1 = table(centres, custom:Xf1)", table)

    assert [rule.value(replace(ADA, custom={"Xf1": said})) for said in ("Sales", "Space", "")] == [
        "S-100",
        "REST",
        "REST",
    ]
    assert rule.shortfall(replace(ADA, custom={"Xf1": "Space"})) is None


def test_without_a_default_row_the_target_stays_and_the_value_is_named():
    rules = parse_rules("field_1 = table(centres, custom:Xf1) clear, field_2 = table(centres, title) clear", CENTRES)
    astronaut = replace(ADA, title="", custom={"Xf1": "Space"})

    assert wanted(astronaut, rules, creating=False) == {"field_2": ""}  # Slack says that it is empty
    assert shortfalls(astronaut, rules, creating=False) == (
        Shortfall("field_1", "Space", "table centres has no row for it"),
    )


def test_a_table_that_was_not_read_gives_nothing():
    (rule,) = parse_rules("field_1 = table(centres, title) clear")

    assert (rule.value(ADA), rule.shortfall(ADA)) == (None, None)


def test_what_a_table_gives_is_held_against_what_the_field_can_hold():
    (rule,) = parse_rules("field_1 = table(centres, custom:Xf1)", CENTRES)
    rule = replace(rule, values=Options.of({"7": "S-200"}))

    assert (rule.value(ADA), rule.shortfall(ADA)) == (None, Shortfall("field_1", "S-100", NOT_HELD))


def test_a_value_with_two_rows_is_refused():
    with pytest.raises(ValueError, match="entry 2 is for the same value as entry 1"):
        LookupTable.of("centres", [("Sales", "1"), ("SALES", "2")])


def test_what_falls_short_only_on_creation_is_not_told_of_others():
    rules = parse_rules("field_1 = table(centres, title) on-create-only", CENTRES)

    assert shortfalls(ADA, rules, creating=False) == ()
    assert len(shortfalls(ADA, rules, creating=True)) == 1


@pytest.mark.parametrize("target", ["email", "country", "language", "time_zone"])
def test_a_text_that_is_too_long_to_be_found_by_empties_nothing_and_is_named(target):
    (rule,) = parse_rules(f"{target} = custom:Xf1 clear")
    wordy = replace(ADA, custom={"Xf1": "x" * 300})

    assert wanted(wordy, [rule], creating=False) == {}
    assert shortfalls(wordy, [rule], creating=False) == (Shortfall(target, "x" * 300, NOT_HELD),)


texts = st.text(max_size=8)
TARGETS = ("first_name", "last_name", "time_zone", "country", "date_format", "field_1", "field_2")
READABLE = (*sorted(SOURCES), "custom:Xf1", "custom:Xf2")
EXPRESSIONS = tuple(
    Expression.of(text, compiled)
    for text in (
        'custom:Xf1 == "Sales" ? table(centres, title) : lower(first_name)',
        "first(custom:Xf1, custom:Xf2, title)",
        "date(start_date, 30)",
        'before(email, "@") + ascii(real_name)',
        '"constant"',
    )
)
people = st.builds(
    SourceUser,
    slack_id=st.just("U1"),
    team=st.just("T1"),
    first_name=texts,
    real_name=texts,
    title=texts,
    email=st.sampled_from(["", "ada@example.com"]),
    phone=st.none() | texts,
    start_date=st.none() | st.just("2026-05-31"),
    unconfirmed=st.booleans(),
    custom=st.none() | st.dictionaries(st.sampled_from(["Xf1", "Xf2"]), texts),
)


@st.composite
def mappings(draw):
    """Rules, with the tables that they look things up in."""
    rules = []
    for target in draw(st.lists(st.sampled_from(TARGETS), unique=True, min_size=1)):
        source = draw(st.sampled_from(READABLE))
        formula = draw(st.sampled_from([OneSource(source), Lookup("centres", source), *EXPRESSIONS]))
        rules.append(AttributeRule(target, formula, draw(st.booleans()), draw(st.booleans())))
    found = dict(draw(st.lists(st.tuples(st.sampled_from(["sales", "ada", "*", "yes", ""]), texts), max_size=4)))
    table = LookupTable.of("centres", found.items())
    return tuple(rule.with_tables({"centres": table}) for rule in draw(st.permutations(rules)))


@given(people, mappings(), st.booleans())
def test_rules_want_nothing_but_their_targets(user, rules, creating):
    assert set(wanted(user, rules, creating=creating)) <= {rule.target for rule in rules}


@given(people, mappings())
def test_what_is_not_known_empties_nothing(user, rules):
    for target, value in wanted(user, rules, creating=False).items():
        (rule,) = (rule for rule in rules if rule.target == target)
        assert value or rule.clear
        assert rule.value(user) is not None


@given(people, mappings())
def test_applied_twice_rules_write_nothing(user, rules):
    written = wanted(user, rules, creating=True)
    account = Account(
        7,
        "ada@example.com",
        **{name: value for name, value in written.items() if not name.startswith("field_") and name not in COLUMNS},
        columns={name: written.get(name, "") for name in COLUMNS},
        fields={int(name[6:]): value for name, value in written.items() if name.startswith("field_")},
    )

    assert differences(wanted(user, rules, creating=False), account) == ({}, {})


def test_what_no_rule_fills_any_more_is_named_as_rules_name_it():
    before = parse_rules('first_name, field:"Cost centre" = title, time_zone')
    after = parse_rules("first_name, time_zone on-create-only")

    assert no_longer_filled(before, after) == ['field:"Cost centre"']
    assert no_longer_filled(after, before) == []


def test_a_field_that_a_rule_names_by_its_id_in_the_place_of_its_title_is_still_filled():
    by_title, by_id = parse_rules("first_name, field:Unit = title"), parse_rules("first_name, field_16 = title")
    unit, other = {"field_16": "Unit", "field_12": "Slack ID"}, {"field_16": "Office", "field_12": "Unit"}

    for titles in ({}, unit):  # without their titles nobody can tell
        assert no_longer_filled(by_title, by_id, titles) == no_longer_filled(by_id, by_title, titles) == []
    assert no_longer_filled(by_title, by_id, other) == ["field:Unit"]
    assert no_longer_filled(by_id, by_title, other) == ["field_16"]
    assert no_longer_filled(by_id, parse_rules("first_name, field_12 = title"), {}) == ["field_16"]
