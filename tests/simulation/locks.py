"""Simulated locks: a process loses them when it dies or its session ends, like locks of files or of PostgreSQL."""


class Locks:
    """Knows which process holds each lock, and which was the last to get it."""

    def __init__(self) -> None:
        self._holders: dict[str, SimulatedLock] = {}
        self._newest: dict[str, str] = {}  # process by lock
        self._had: dict[str, set[str]] = {}  # locks by process

    def lock(self, name: str, process: str) -> "SimulatedLock":
        """Return a new, free holder of the lock *name* for *process*."""
        return SimulatedLock(self, name, process)

    def take(self, lock: "SimulatedLock") -> bool:
        if self._holders.setdefault(lock.name, lock) is not lock:
            return False
        self._newest[lock.name] = lock.process
        self._had.setdefault(lock.process, set()).add(lock.name)
        return True

    def give_back(self, lock: "SimulatedLock") -> None:
        if self._holders.get(lock.name) is lock:
            del self._holders[lock.name]
            self._had[lock.process].discard(lock.name)  # nothing is taken over that was given back

    def lose(self, process: str) -> None:
        """Free whatever *process* holds: it died, or its session was lost."""
        self._holders = {name: lock for name, lock in self._holders.items() if lock.process != process}

    def taken_over(self, process: str) -> str:
        """Return the process that has got a run's lock of *process* since, or "" if none has."""
        had = (name for name in sorted(self._had.get(process, ())) if name.startswith("run "))
        return next((self._newest[name] for name in had if self._newest[name] != process), "")


class SimulatedLock:
    """The lock that the store hands out to one process."""

    def __init__(self, locks: Locks, name: str, process: str) -> None:
        self._locks = locks
        self.name = name
        self.process = process

    def try_acquire(self) -> bool:
        return self._locks.take(self)

    def release(self) -> None:
        self._locks.give_back(self)
