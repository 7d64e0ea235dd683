"""What runs on machines: the commands that start and prepare it, and what stands between Prefect and our flows."""
