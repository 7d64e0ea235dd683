"""Languages: Docebo calls them by the browser's code or by a name of its own, in lists as well as in rows."""


class Languages:
    """The languages of one platform, as far as its answers have told their codes and names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._codes: dict[str, str] = {}

    def note(self, code: str, name: str) -> None:
        """Note that the language with this browser's *code* has this *name*."""
        code, name = code.casefold(), name.casefold()
        if code and name and code != name:
            self._names[code] = name
            self._codes[name] = code

    def code(self, shown: str) -> str:
        """Return the browser's code of a language that is *shown* by its code or its name; any other text as it is."""
        return self._codes.get(shown.casefold(), shown) if self._codes else shown

    def name(self, code: str) -> str:
        """Return Docebo's name of the language with this browser's code, "" where none is known."""
        return self._names.get(code.casefold(), "")
