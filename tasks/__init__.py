"""The recipes, one Prefect task per file."""
