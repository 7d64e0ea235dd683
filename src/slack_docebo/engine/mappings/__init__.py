"""The mapping table as a whole: as a file, restored, reset, and without somebody who is forgotten."""
