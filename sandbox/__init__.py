"""A local Slack workspace and a local Docebo platform over real HTTP."""
