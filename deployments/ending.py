"""When what was started from a terminal has to end: told to, with its terminal, or with who has started it."""

import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_SECONDS = 1.0  # between two looks whether we are in the terminal's foreground
AGAIN_SECONDS = 0.1  # after which an order to end that was lost is given again


def end_in_order() -> None:
    """Raise KeyboardInterrupt also when we are told to end or the terminal is closed, not only at Ctrl-C.

    A lost KeyboardInterrupt is raised again: one raised in a destructor, or in a callback of Python's own such as its
    import locks, only reaches `sys.unraisablehook`.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def tell(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)  # whose handler may be another's by then

    def hang_up(*_: object) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # it may come from the kernel, a shell, and ourselves
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for output in (sys.stdout, sys.stderr):  # the terminal is gone, and what ends others says so
            os.dup2(nowhere, output.fileno())
        tell()

    show = sys.unraisablehook

    def tell_again(lost: "sys.UnraisableHookArgs") -> None:
        if lost.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)  # raised in here it would be lost once more
        else:
            show(lost)

    sys.unraisablehook = tell_again
    signal.signal(signal.SIGALRM, tell)
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as with nohup
        signal.signal(signal.SIGHUP, hang_up)
        threading.Thread(target=_watch_the_terminal, daemon=True).start()


@contextmanager
def interrupted_later() -> Iterator[None]:
    """Delay the signals that end us to the end of the block: a child being started would be left alone otherwise.

    Such a child does not inherit either that SIGINT is ignored, as it is in the background of a script: it is ended by
    SIGINT.
    """
    came: list[int] = []
    handlers: dict[int, Callable[[int, FrameType | None], Any] | signal.Handlers] = {
        number: handler for number in ENDING if callable(handler := signal.getsignal(number))
    }
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        handlers[signal.SIGINT] = signal.SIG_IGN
    if threading.current_thread() is not threading.main_thread():  # signals are handled in that one only
        handlers.clear()
    try:
        for number in handlers:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for one in came:
        signal.raise_signal(one)


class Heir:
    """A child that outlives us and then ends the process groups that we have named, also where nothing could tell us to end.

    It reads from a pipe of which we alone have the other end.
    """

    def __init__(self) -> None:
        self._named: set[int] = set()
        names, self._ours = os.pipe()
        if os.fork() == 0:
            try:
                os.close(self._ours)
                os.setsid()  # no key, and no end of the terminal, reaches it
                with os.fdopen(names) as lines:
                    groups = [int(line) for line in lines]
                for group in groups:
                    with suppress(OSError):  # it is gone, as all are where we have ended by ourselves
                        os.killpg(group, signal.SIGTERM)
            finally:
                os._exit(0)
        os.close(names)
        os.register_at_fork(after_in_child=partial(os.close, self._ours))

    def name(self, *groups: int) -> None:
        """Let it end these process groups, too."""
        for group in set(groups) - self._named:
            os.write(self._ours, f"{group}\n".encode())
        self._named.update(groups)


def _watch_the_terminal() -> None:
    """Send ourselves SIGHUP when the terminal is closed while we are in its foreground.

    The kernel tells only the terminal's first process. A shell passes the signal on; make, which assumes that everybody
    got it, does not.
    """
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # there is none
        return
    poll = select.poll()
    poll.register(terminal, 0)
    events: list[tuple[int, int]] = []
    in_front = False
    while not events:
        with suppress(OSError):  # closed just now
            in_front = os.tcgetpgrp(terminal) == os.getpgrp()
        events = poll.poll(LOOK_SECONDS * 1000)
    if in_front and events[0][1] & select.POLLHUP:
        os.kill(os.getpid(), signal.SIGHUP)
