"""The local Docebo platform."""
