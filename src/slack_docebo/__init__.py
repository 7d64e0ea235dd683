"""Keeps Docebo Learn accounts in line with Slack profiles."""
