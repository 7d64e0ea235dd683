"""The checks of an examination, by what they look at; each returns one finding."""
