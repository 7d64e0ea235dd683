"""The flows: composition only."""
