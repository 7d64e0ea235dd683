"""Reports of a run: its summary, orphans, and troubles in an administrator's words."""
