"""One reading of the authorities' certificates for all of Prefect's clients in a process.

Prefect reads them anew for each client that is made (`prefect/client/orchestration/__init__.py` of 3.x), for an address
without TLS as well: 17 ms of the processor each time, and a run makes eight.
"""

import ssl
from functools import cache
from types import ModuleType

import prefect._internal.version_checking
import prefect.client.orchestration

_ssl = ModuleType("ssl")
_ssl.__dict__.update(vars(ssl), create_default_context=cache(ssl.create_default_context))


def share_certificates() -> None:
    """Let the clients of this process, from now on, trust whom the first of them was told to trust."""
    prefect.client.orchestration.ssl = _ssl  # type: ignore[attr-defined]  (it has no other place for it)
    prefect._internal.version_checking.ssl = _ssl  # type: ignore[attr-defined]  # noqa: SLF001  (likewise)
