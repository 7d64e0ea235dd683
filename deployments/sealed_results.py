"""What a state says of a stored result is not followed: no module of its choice is imported, nothing is unpickled.

A state that comes from Prefect's server may name a serializer, with modules and functions to be imported, and a storage
to read from. Our runs store no results, so none is ever to be read.
"""

from abc import ABC
from typing import Any

from prefect.serializers import PickleSerializer, Serializer
from prefect.utilities.dispatch import get_registry_for_type
from pydantic import ConfigDict, field_validator


class SealedSerializer(PickleSerializer[Any], ABC):  # ABC: so that Prefect does not register it when it is imported
    """Stands for Prefect's default serializer, and reads nothing."""

    model_config = ConfigDict(extra="ignore")

    @field_validator("picklelib")
    @classmethod
    def check_picklelib(cls, _name_of_a_module: str) -> str:
        return "cloudpickle"

    def loads(self, _blob: bytes) -> Any:
        raise PermissionError("stored results are not read: they would be unpickled")


def seal_results() -> None:
    """Let this process, from now on, read no stored result; Prefect keeps the other serializers as unknown ones."""
    serializers = get_registry_for_type(Serializer)
    if serializers is None:
        raise RuntimeError("Prefect keeps its serializers elsewhere: stored results would be unpickled")
    serializers.clear()
    serializers["pickle"] = SealedSerializer
