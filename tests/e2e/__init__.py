"""The tests that need Prefect's server: a package, so that its fixtures end with it."""
