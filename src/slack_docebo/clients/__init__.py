"""Typed clients of what is remote: Slack and its SCIM API, Docebo, Prefect, mail and notification services."""
