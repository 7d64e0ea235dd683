"""Hostile answers: endless, huge, too deep, or from another host."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import repeat
from typing import Any

from starlette.responses import RedirectResponse, Response, StreamingResponse

HOSTILE_KINDS = frozenset({"drip", "bomb", "endless", "deep", "large_head", "redirect"})

MEGABYTE = 1 << 20


def hostile_answer(kind: str, options: dict[str, Any]) -> Response:
    """Return the hostile answer of this *kind*, to be sent in place of the true one."""
    match kind:
        case "drip":
            return _json(_drip(float(options.get("every", 1))))
        case "bomb":
            return _json(_stream(packed_zeros(int(options.get("megabytes", 1024)))), {"Content-Encoding": "gzip"})
        case "endless":
            return _json(_stream(repeat(b" " * MEGABYTE)))
        case "deep":
            return _json(_stream([b"[" * int(options.get("levels", 100_000))]))
        case "large_head":
            return Response(b"{}", headers={"X-Large": "x" * MEGABYTE}, media_type="application/json")
        case "redirect":
            return RedirectResponse(str(options["to"]))
    raise ValueError(kind)


def _json(body: AsyncIterator[bytes], headers: dict[str, str] | None = None) -> StreamingResponse:
    return StreamingResponse(body, headers=headers, media_type="application/json")


def packed_zeros(megabytes: int) -> Iterator[bytes]:
    """Yield the pieces of an endless gzip stream that is a thousand times as long when it is unpacked."""
    packer = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    # After a full flush nothing refers to what was before: the second piece can stand for all that follow.
    first, following = (packer.compress(bytes(MEGABYTE)) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    yield first
    yield from repeat(following, megabytes - 1)


async def _stream(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
        await asyncio.sleep(0)  # so that the server sees when nobody is left to take it


async def _drip(every: float) -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(every)
