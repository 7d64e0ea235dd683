"""Typed clients of the two remote APIs."""
