"""The local Slack workspace."""
