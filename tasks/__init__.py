"""The recipes, one Prefect task per file, and what flows and tasks share: forms, links, artifacts, hooks."""
