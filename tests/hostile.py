"""A server that answers as no honest one does: too much, too late, or with a way to elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sandbox.hostile import packed_zeros

KIND = b"Content-Type: application/json\r\n"
MEGABYTE = 1 << 20

Write = Callable[[bytes], Awaitable[None]]
Part = Callable[[Write], Awaitable[None]]


@dataclass
class Server:
    """Answers with what the test says; the first request for a token is granted unless the test is about that."""

    url: str = ""
    answer: Part | None = None
    token: str = "planted-access-token"
    hostile_token: bool = False
    asked: list[bytes] = field(default_factory=list)
    open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1

        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0"
                )
                self.asked.append(head + await reader.readexactly(int(length.split(b":")[1])))
                if b"/oauth2/token" in head and not self.hostile_token:
                    await whole(json.dumps({"access_token": self.token, "expires_in": 3600}).encode())(write)
                else:
                    assert self.answer is not None
                    await self.answer(write)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the other side has hung up
        finally:
            self.open -= 1
            writer.close()


def whole(body: bytes, headers: bytes = b"", *, status: bytes = b"200 OK", kind: bytes = KIND) -> Part:
    async def write_all(write: Write) -> None:
        await write(b"HTTP/1.1 %s\r\n%s%sContent-Length: %d\r\n\r\n" % (status, kind, headers, len(body)) + body)

    return write_all


async def drip(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\n%sContent-Length: 3600\r\n\r\n" % KIND)
    while True:
        await write(b" ")
        await asyncio.sleep(0.05)


async def drip_in_the_head(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await write(b"a")
        await asyncio.sleep(0.05)


async def early_hints(write: Write) -> None:
    while True:
        await write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.01)


async def endless(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\n%s\r\n" % KIND)
    while True:
        await write(b" " * MEGABYTE)


async def endless_chunks(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n" % KIND)
    while True:
        await write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


async def bomb(write: Write) -> None:
    """A gigabyte of zeros in a megabyte."""
    await write(b"HTTP/1.1 200 OK\r\n%sContent-Encoding: gzip\r\n\r\n" % KIND + b"".join(packed_zeros(1024)))
    raise ConnectionAbortedError


async def endless_header(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await write(b"a" * 1000)


async def endless_headers(write: Write) -> None:
    await write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await write(b"X: a\r\n" * 100)


def elsewhere(address: str, status: bytes = b"307 Temporary Redirect") -> Part:
    return whole(b"", b"Location: %s\r\n" % address.encode(), status=status)


@asynccontextmanager
async def listening() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
