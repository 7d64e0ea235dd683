"""What is started on a machine: demo, bootstrap, webhook."""
