"""Lookup tables as administrators keep them."""

import pytest

from slack_docebo.domain.lookup import NoValue
from slack_docebo.errors import ConfigurationError
from slack_docebo.lookup_tables import find_tables


def prefect(**variables):
    async def read(name):
        return variables.get(name)

    return read


@pytest.mark.parametrize(
    "held",
    [
        {"Sales": "S-100", "Space": 7, "*": "REST"},
        "Department,Centre\nSales,S-100\nSpace,7\n*,REST\n",
        "\ufeffDepartment;Centre\r\nSales;S-100\r\nSpace;7\r\n*;REST\r\n",
        {"Sales\u200b": "S-100", "\ufeffSpace\u00a0": 7, "*": "REST"},  # as copied from a page
    ],
)
async def test_a_table_is_a_variable_of_prefect(held, tmp_path):
    tables = await find_tables(["centres"], tmp_path, prefect(table_centres=held))

    assert [tables["centres"].find(value) for value in ("sales", "SPACE", "else")] == ["S-100", "7", "REST"]


async def test_a_table_is_a_file(tmp_path):
    (tmp_path / "centres.csv").write_text('Department,Centre\n"Sales, North",S-100\n', encoding="utf-8")

    tables = await find_tables(["centres"], tmp_path, prefect())

    assert tables["centres"].find("sales, north") == "S-100"


@pytest.mark.parametrize("default", ["", "*,REST\n"])
async def test_a_table_whose_columns_have_no_names_says_so_for_the_value_in_its_first_line(default, tmp_path):
    (tmp_path / "centres.csv").write_text(f"Sales,S-100\nSpace,7\n{default}", encoding="utf-8")

    table = (await find_tables(["centres"], tmp_path, prefect()))["centres"]

    assert table.find("space") == "7"
    found = table.find(" SALES")
    assert isinstance(found, NoValue)
    assert found.why == (
        "the first line of table centres is taken for the names of its columns: put a line with names above it"
    )


@pytest.mark.parametrize("named", ['"Unit, team";Centre', '"Region, unit, ""team""";Centre'])
async def test_a_delimiter_within_quotes_stands_between_no_cells(named, tmp_path):
    (tmp_path / "centres.csv").write_text(f"{named}\nSales, North;S-100\n", encoding="utf-8")

    tables = await find_tables(["centres"], tmp_path, prefect())

    assert tables["centres"].find("sales, north") == "S-100"


async def test_a_value_that_has_a_row_may_be_the_name_of_its_column(tmp_path):
    tables = await find_tables(["centres"], tmp_path, prefect(table_centres="Sales,Centre\nSales,S-100\n"))

    assert tables["centres"].find("Sales") == "S-100"


@pytest.mark.parametrize(
    ("held", "file", "told"),
    [
        (
            None,
            None,
            r"there is no table centres: make the Variable table_centres in Prefect, like .* or the file .*csv",
        ),
        ({"a": "1"}, "a,b\n", "the table centres is there twice: remove the Variable table_centres or the file"),
        ([1], None, "the Variable table_centres: write an object like"),
        ({"a": True}, None, "the Variable table_centres: entry 1: write a text or a number"),
        ({"a": "1", "A ": "2"}, None, "the Variable table_centres: entry 2 is for the same value as entry 1"),
        (None, "a,b,c\n1,2,3\n", "centres.csv: write two columns below a line with their names"),
        (None, "", "centres.csv: write two columns"),
        (
            None,
            "Sales,S-100\n",
            "centres.csv: there is no row in it: write .* two columns below a line with their names",
        ),
        ({}, None, "the Variable table_centres: there is no row in it: write an object like"),
        (
            None,
            "a,b\nSales,#REF!\n",
            "centres.csv: entry 1 is a formula, or one that failed: write what the formula is to give",
        ),
        (
            None,
            "a,b\nSales,=A1&B1\n",
            "centres.csv: entry 1 is a formula, or one that failed: write what the formula is to give",
        ),
        (None, "a,b\nSales,Err:502\n", "centres.csv: entry 1 is a formula, or one that failed"),
        (
            None,
            "Unit, team;Centre\nSales, North;S-100\n",
            "centres.csv: line 1: nobody can tell whether commas, semicolons or tabs stand between cells: .* sep=;",
        ),
        ({"Sales": " #NV"}, None, "the Variable table_centres: entry 1 is a formula, or one that failed: write what"),
        (
            None,
            "*,REST\nSales,S-100\n",
            "centres.csv: line 1: the row \\* stands where the names are: write two columns",
        ),
        (None, "a,b\n1\n", "centres.csv: line 2: 1 cells, the first line has 2"),
    ],
)
async def test_a_wrong_or_missing_table_is_named_with_what_to_do(held, file, told, tmp_path):
    if file is not None:
        (tmp_path / "centres.csv").write_text(file, encoding="utf-8")

    with pytest.raises(ConfigurationError, match=told):
        await find_tables(["centres"], tmp_path, prefect(table_centres=held))


@pytest.mark.parametrize(
    "held", [{"ceo@acme.com": True}, {"ceo@acme.com": "1", "CEO@acme.com": "2"}, {"ceo@acme.com": "=ceo@acme.com"}]
)
async def test_what_is_wrong_in_a_table_is_told_without_what_may_be_the_address_of_somebody(held, tmp_path):
    async def variable(_name):
        return held

    with pytest.raises(ConfigurationError, match=r"table_centres: entry [12]") as refused:
        await find_tables(["centres"], tmp_path, variable)
    assert "acme" not in str(refused.value).lower()
