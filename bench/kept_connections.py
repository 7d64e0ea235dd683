"""Connections to a server that are kept, without what a client would spend on each request."""

import asyncio
from typing import cast


class Connection(asyncio.Protocol):
    """One connection to the server, for one request at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    async def send(self, message: bytes) -> bytes:
        """Send one request and return the head of its answer; b"" if the connection was closed without one."""
        self._bodiless = message.startswith(b"HEAD")
        self._received = b""
        self._head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return await self._head

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, complete, rest = self._received.partition(b"\r\n\r\n")
        if complete and (self._bodiless or len(rest) >= _content_length(head)):
            self._answer(head)

    def connection_lost(self, _error: Exception | None) -> None:
        self._answer(b"")

    def _answer(self, head: bytes) -> None:
        if not self._head.done():
            self._head.set_result(head)


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)


class Connections:
    """Kept connections to the server, as many as are needed at once."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._free: list[Connection] = []

    async def send(self, message: bytes) -> int:
        """Send one request and return the status of its answer; 0 if the connection was closed without one."""
        connection = await self._take()
        try:
            head = await connection.send(message)
        except asyncio.CancelledError:  # nobody waits for the answer any more
            connection.transport.close()
            raise
        if not head or b"connection: close" in head.lower():
            connection.transport.close()
        else:
            self._free.append(connection)
        return int(head.split(None, 2)[1]) if head else 0

    def close(self) -> None:
        """Close the connections that nobody uses."""
        for connection in self._free:
            connection.transport.close()

    async def _take(self) -> Connection:
        while self._free:
            connection = self._free.pop()
            if not connection.transport.is_closing():
                return connection
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return connection
