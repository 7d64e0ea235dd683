"""Answers without a change: the state of the installation, and of one person.

The installation: `doctor` makes the `checks`, whose findings are a `diagnosis`; `fields` and `dialect_table` show what there
is. A person: `finding` by name, `explaining`, and `trying` of rules on a sample.
"""
