"""Slack's events: merged per person, served in rounds, and the inbox looked after between runs."""
