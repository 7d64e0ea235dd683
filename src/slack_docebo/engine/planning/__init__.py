"""Making plans: for everybody, for named people, and plans that undo a run."""
