from collections.abc import Callable

import pytest

from sandbox.slack.kinds import User
from sandbox.slack.population import BY_CULTURE, SHARE_OF_THOUSAND, Population, Team
from tests.counting import steps

EVERY_KIND = {"slackbot", "primary_owner", "member", *SHARE_OF_THOUSAND, *BY_CULTURE}


@pytest.fixture(scope="module")
def fifty() -> Population:
    return Population(50, 7, Team())


def only(population: Population, kind: str) -> User:
    return next(population.user(i) for i in range(population.size) if population.kind(i) == kind)


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_fifty_users_are_of_every_kind_whatever_the_seed(seed: int) -> None:
    assert set(Population(50, seed, Team()).kinds()) == EVERY_KIND


def test_a_user_depends_on_seed_and_position_only() -> None:
    small, large = Population(50, 7, Team()), Population(1_000_000, 7, Team())

    assert [small.user(i) for i in range(50)] == [large.user(i) for i in range(50)]
    assert Population(50, 8, Team()).user(20) != small.user(20)


def test_in_a_big_workspace_nine_of_ten_are_members_or_former_ones() -> None:
    population = Population(20_000, 7, Team())
    kinds = population.kinds()

    assert kinds["member"] + kinds["deactivated"] > 0.88 * population.size
    assert set(SHARE_OF_THOUSAND) <= set(kinds)


def test_an_id_leads_back_to_its_user() -> None:
    population = Population(1_000_000, 7, Team())
    indexes = [*range(200), *range(999_000, 999_200)]

    assert [population.index_of(population.id_of(i)) for i in indexes] == indexes


@pytest.mark.parametrize("user_id", ["", "U", "U0ÄÖÜ", "U0!!!!!!", "nobody", "W0000000"])
def test_an_id_of_nobody_leads_nowhere(fifty: Population, user_id: str) -> None:
    index = fifty.index_of(user_id)

    assert index is None or index >= fifty.size


def test_addresses_are_unique_within_the_workspace() -> None:
    population = Population(30_000, 7, Team())
    addresses = [user["profile"].get("email") for user in map(population.user, range(population.size))]
    folded = [address.casefold() for address in addresses if address]

    assert len(folded) > 29_000
    assert len(set(folded)) == len(folded)


SHAPES: dict[str, Callable[[User], bool]] = {
    "slackbot": lambda u: u["id"] == "USLACKBOT" and not u["is_bot"] and u["tz"] is None and u["updated"] == 0,
    "app_bot": lambda u: u["is_bot"] and "bot_id" in u["profile"] and "email" not in u["profile"],
    "workflow_bot": lambda u: u["is_bot"] and u["is_workflow_bot"],
    "guest_multi_channel": lambda u: u["is_restricted"] and not u["is_ultra_restricted"],
    "guest_single_channel": lambda u: u["is_restricted"] and u["is_ultra_restricted"],
    "deactivated": lambda u: u["deleted"] and not {"real_name", "tz", "is_admin", "is_restricted"} & set(u),
    "invited": lambda u: u["is_invited_user"] and u["profile"]["first_name"] == "" and "@" in u["profile"]["email"],
    "no_email": lambda u: "email" not in u["profile"] and not u["is_bot"],
    "one_word_name": lambda u: " " not in u["real_name"] and u["profile"]["last_name"] == "",
    "unsplit_name": lambda u: not {"first_name", "last_name"} & set(u["profile"]) and " " in u["real_name"],
    "devanagari_name": lambda u: any("\u0900" <= character <= "\u097f" for character in u["real_name"]),
    "han_name": lambda u: any("\u4e00" <= character <= "\u9fff" for character in u["real_name"]),
    "emoji_name": lambda u: "🚀" in u["real_name"],
    "bracketed_name": lambda u: "<" in u["profile"]["first_name"],
    "plus_address": lambda u: "+" in u["profile"]["email"],
    "upper_case_email": lambda u: u["profile"]["email"] != u["profile"]["email"].lower(),
    "enterprise_user": lambda u: "team_id" not in u and u["enterprise_user"]["id"] == u["id"],
    "stranger": lambda u: u["is_stranger"] and u["team_id"] != Team().id and "real_name" not in u,
    "primary_owner": lambda u: u["is_owner"] and u["is_primary_owner"],
    "admin": lambda u: u["is_admin"] and not u["is_owner"],
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_kind_looks_as_it_does_in_slack(fifty: Population, kind: str) -> None:
    assert SHAPES[kind](only(fifty, kind))


def test_two_people_share_one_name_but_no_address(fifty: Population) -> None:
    namesake = only(fifty, "namesake")
    twins = [
        user
        for user in map(fifty.user, range(50))
        if user.get("real_name") == namesake["real_name"] and user != namesake
    ]

    assert len(twins) == 1
    assert twins[0]["profile"]["email"] != namesake["profile"]["email"]


def test_a_page_of_a_thousand_users_is_as_cheap_however_many_are_before_it() -> None:
    population = Population(100_000, 7, Team())

    def page(numbers: range) -> list[User]:
        return [population.user(number) for number in numbers]

    first, last = (steps(page, numbers) for numbers in (range(1000, 2000), range(99_000, 100_000)))

    assert last < 2 * first
