"""What is to be done about whom: plans of everybody, of named people, and those that undo a run."""
