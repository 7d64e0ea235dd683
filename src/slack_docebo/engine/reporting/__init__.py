"""What a run tells: its report, what does not fit together, and troubles in an administrator's words."""
