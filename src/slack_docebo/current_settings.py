"""The settings of a process that lives long: secrets in files can be exchanged while it is at work."""

import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from slack_docebo.errors import ConfigurationError
from slack_docebo.secret_files import Stamp, stamp
from slack_docebo.settings import ProcessSettings, load_settings, secret_files

LOOK_SECONDS = 2.0  # how long a changed file may go unnoticed

S = TypeVar("S", bound=ProcessSettings)

logger = logging.getLogger(__name__)


class Current(Generic[S]):
    """Returns, when called, the settings with the secrets that their files hold now.

    If a changed file cannot be used, the error is logged and the former secrets stay in use.
    """

    def __init__(self, settings: S, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._files = list(secret_files(type(settings)))
        self._seen: list[Stamp] = []  # a file may have changed since it was read: the first look reads it again
        self._look_at = clock()
        self._complaint = ""

    def __call__(self) -> S:
        if self._files and self._clock() >= self._look_at:
            self._look_at = self._clock() + LOOK_SECONDS
            self._look()
        return self._settings

    def _look(self) -> None:
        found = [stamp(file) for file in self._files]
        if found == self._seen:
            return
        complaint = ""
        try:
            self._settings = load_settings(type(self._settings))
        except ConfigurationError as error:
            complaint = str(error)
        if complaint and complaint != self._complaint:
            logger.error("going on with the secrets from before: %s", complaint)
        elif not complaint and (self._seen or self._complaint):
            logger.info("a file of secrets has changed: it was read again")
        self._seen = [] if complaint else found
        self._complaint = complaint
