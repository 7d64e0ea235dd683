"""Typed clients of remote services: Slack and its SCIM API, Docebo, Prefect, mail and notification services."""
