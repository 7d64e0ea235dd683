"""Languages: Docebo calls them by the browser's code or by a name of its own, in lists as well as in rows."""

from collections.abc import Mapping


class Languages:
    """The languages of one platform, as far as its answers have told their codes and names."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._codes: dict[str, str] = {}
        self._all = frozenset[str]()  # codes of all that the platform has; none as long as they are not known

    def know(self, names: Mapping[str, str]) -> None:
        """Note that these, with their *names* by code, are all languages of the platform."""
        for code, name in names.items():
            self.note(code, name)
        self._all = frozenset(map(str.casefold, names))

    def note(self, code: str, name: str) -> None:
        """Note that the language with this browser's *code*, or a name of it that is known, has this *name*, too.

        The name that was noted first is Docebo's own: the session tells it, before a listing shows one for people to read.
        """
        code, name = self.code(code).casefold(), name.casefold()
        if code and name and code != name:
            self._names.setdefault(code, name)
            self._codes.setdefault(name, code)

    def code(self, shown: str) -> str:
        """Return the browser's code of a language that is *shown* by its code or its name; any other text as it is."""
        return self._codes.get(shown.casefold(), shown) if self._codes else shown

    def tells(self, code: str) -> bool:
        """Tell whether *code*, which is shown of somebody, says which language it is.

        It may be its name in another language than Docebo's own, like Deutsch: then nobody knows.
        """
        return not code or not self._all or code.casefold() in self._all

    def name(self, code: str) -> str:
        """Return Docebo's name of the language with this browser's code, "" where none is known."""
        return self._names.get(code.casefold(), "")
