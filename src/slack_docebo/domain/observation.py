"""Observations: what is known of a person, an account or an attribute, and what makes it known.

That something was not shown is no reason to act. *Gone* is only what the other side said when it was asked for exactly
this one, now; everything else that is not there to be seen is *unknown*.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Present(Generic[T]):
    """It exists; *value* is what was seen of it."""

    value: T


@dataclass(frozen=True, slots=True)
class Gone:
    """It does not exist any more; *evidence* is what the other side said."""

    evidence: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell; *why* says what stands in the way."""

    why: str


Observation = Present[T] | Gone | Unknown
