"""Secrets that are kept in files, as Docker and Kubernetes mount them: X_FILE names the file that holds X."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from slack_docebo.errors import ConfigurationError
from slack_docebo.given_files import UnusableFileError, read_given

LARGEST = 64_000  # bytes; a key in PEM takes a few thousand
SUFFIX = "_file"

Stamp = tuple[int, ...]


class SecretFiles(PydanticBaseSettingsSource):
    """The source of settings that reads each secret X from the file that X_FILE names.

    *given* is what the environment and `.env` hold, by names in lower case. Raises ConfigurationError, which names the
    variables and shows nothing of a file or path, for files that cannot be used and for an X beside an X_FILE.
    """

    def __init__(self, settings_cls: type[BaseSettings], given: Mapping[str, str | None]) -> None:
        super().__init__(settings_cls)
        self._given = given

    def paths(self) -> dict[str, Path]:
        """Return the files that are named, by the field each is for."""
        return {
            name: Path(path)
            for name, field in self.settings_cls.model_fields.items()
            if is_secret(field) and (path := self._given.get(name + SUFFIX))
        }

    def __call__(self) -> dict[str, Any]:
        found, problems = {}, []
        for name, path in self.paths().items():
            variable = (name + SUFFIX).upper()
            if self._given.get(name):
                problems.append(f"{name.upper()} and {variable} are both set: keep one")
                continue
            try:
                found[name] = read_secret(path)
            except UnusableFileError as error:
                problems.append(f"{variable} {error}")
        if problems:
            raise ConfigurationError(f"environment: {'; '.join(problems)}")
        return found

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError  # what the base class asks for and `__call__` does not need


def is_secret(field: FieldInfo) -> bool:
    """Tell whether a field of settings holds a secret."""
    return _holds_secret(field.annotation)


def _holds_secret(annotation: object) -> bool:
    return annotation is SecretStr or any(map(_holds_secret, get_args(annotation)))


def read_secret(path: Path) -> str:
    """Return the text in the file without its last newline; raise UnusableFileError if it can be no secret.

    The message does not hold the path: where somebody has set the secret itself, that is what the path is.
    """
    try:
        text = read_given(path, largest=LARGEST).decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise UnusableFileError("names a file that is not text")
    if not text.strip():
        raise UnusableFileError("names a file that is empty")
    return text


def stamp(path: Path) -> Stamp:
    """Return a value that differs once the file, or a link on the way to it, was changed or removed."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
