"""What rules with expressions cost: 100,000 evaluations, and those of plain rules beside them."""

import time
from collections.abc import Callable

from bench.table import Results
from slack_docebo import cel
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.people import SourceUser
from slack_docebo.domain.rules import parse_rules

EVALUATIONS = 100_000
BAR_SECONDS = 2.0
RULES = {
    "one source": "field_1 = title",
    "a table": "field_1 = table(centres, custom:Xf1)",
    "a choice, a table and two functions": 'field_1 = lower(before(email, "@"))'
    ' + (custom:Xf1 == "Sales" ? "" : table(centres, custom:Xf1))',
}


def main() -> None:
    """Print the processor's time of each kind of rule, for people with and without the department."""
    table = LookupTable.of(
        "centres", [(f"Department {number}", f"C-{number}") for number in range(500)] + [("*", "REST")]
    )
    people = [
        SourceUser(
            "U1", "T1", email=f"Person.{n}@example.com", title="Analyst", custom={"Xf1": ("Sales", "Sea", "")[n % 3]}
        )
        for n in range(1000)
    ]
    results = Results(f"{EVALUATIONS:,} evaluations")
    for told, text in RULES.items():
        (rule,) = parse_rules(text, cel.compiled)
        value = rule.with_tables({table.name: table}).value
        results.add(told, _seconds(value, people), BAR_SECONDS, "s of CPU")
    results.show()


def _seconds(value: Callable[[SourceUser], object], people: list[SourceUser]) -> float:
    begun = time.process_time()
    for _ in range(EVALUATIONS // len(people)):
        for user in people:
            value(user)
    return time.process_time() - begun


if __name__ == "__main__":
    main()
