"""Answers without a change: the state of the installation, and of one person."""
