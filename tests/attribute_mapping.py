"""The attribute mapping as a run reads it, with the engine of expressions."""

from slack_docebo import cel
from slack_docebo.domain import rules
from slack_docebo.domain.lookup import LookupTable
from slack_docebo.domain.rules import AttributeRule


def parse_rules(text: str, *tables: LookupTable) -> tuple[AttributeRule, ...]:
    """Return the rules in *text*, with the *tables* that they look things up in."""
    found = {table.name: table for table in tables}
    return tuple(rule.with_tables(found) for rule in rules.parse_rules(text, cel.compiled))
