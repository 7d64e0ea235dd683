"""Slack's events: merged for each person, served in rounds; and the upkeep of the inbox between runs."""
