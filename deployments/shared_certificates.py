"""One reading of the authorities' certificates for all of Prefect's clients in a process, and in those forked from it.

Prefect reads them anew for each client that is made (`prefect/client/orchestration/__init__.py` of 3.x), for an address
without TLS as well: 17 ms of the processor each time, and a run makes nine.
"""

import ssl
from functools import cache
from types import ModuleType

import certifi
import prefect._internal.version_checking
import prefect.client.orchestration
from prefect.settings import PREFECT_API_SSL_CERT_FILE

_ssl = ModuleType("ssl")
_ssl.__dict__.update(vars(ssl), create_default_context=cache(ssl.create_default_context))


def share_certificates() -> None:
    """Read the authorities that Prefect's clients trust, and share them among clients that this process makes later."""
    prefect.client.orchestration.ssl = _ssl  # type: ignore[attr-defined]  # (it has no other place for it)
    prefect._internal.version_checking.ssl = _ssl  # type: ignore[attr-defined]  # noqa: SLF001  (likewise)
    _ssl.create_default_context(cafile=PREFECT_API_SSL_CERT_FILE.value() or certifi.where())
