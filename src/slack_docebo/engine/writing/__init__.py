"""The one road on which accounts and mappings are changed: check, write, record."""
