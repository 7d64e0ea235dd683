"""The receiving half of the real-time sync: verify, store, answer; knows nothing of Prefect but its HTTP API."""
