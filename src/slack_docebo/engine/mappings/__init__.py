"""The mapping table as a whole: as a file, restored, reset, and without somebody who is forgotten.

`mapping_file` reads and writes it; `carrying` takes it out and in by a form, `restoring` checks and writes what comes
in from a file, `rebuilding` what the mirror in Docebo says.
`resetting` empties it, `backups` brings that back; `relinking` takes it to another address. By hand about single people:
`deciding`. On a person's request: `exporting` and `forgetting`, both by the form of `personal_data`.
"""
