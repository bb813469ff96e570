"""One HTTP request within one time limit: no redirect is followed, no proxy is used, no connection is kept."""

from __future__ import annotations

import io
import socket
import time
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import ssl
    from email.message import Message

#: Far more than a page of a thousand tokens with all their secrets.
MOST_BYTES = 64 * 1024 * 1024


class Address(NamedTuple):
    """Where the vault listens; TLS where there is a context for it."""

    host: str
    port: int | None
    tls: ssl.SSLContext | None


class Request(NamedTuple):
    method: str
    #: Path and query, ready for the wire.
    target: str
    headers: dict[str, str]
    body: bytes | None


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a moment, where the socket's own limit is for each read: bytes may trickle in."""

    def __init__(self, sock: socket.socket, raw: Any) -> None:
        self._sock = sock
        self._raw = raw
        self._deadline = time.monotonic() + (sock.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> Any:
        self._sock.settimeout(_left_until(self._deadline))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """A response that is read within the time that its socket was given before."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        # What HTTPResponse reads from, status line and all: a buffer over the socket.
        response: Any = self
        response.fp = io.BufferedReader(_TimedReader(sock, response.fp.detach()))


def exchange(address: Address, request: Request, timeout: float) -> Answer:
    """Sends the request and reads all of its answer; OSError or HTTPException where that fails.

    The limit of ``timeout`` seconds is one for all, from connecting (for each address of the host) to the last byte.
    """
    deadline = time.monotonic() + timeout
    connection = _connection_to(address, timeout)
    connection.response_class = _TimedResponse
    try:
        connection.connect()
        connection.sock.settimeout(_left_until(deadline))
        connection.request(request.method, request.target, request.body, request.headers)
        connection.sock.settimeout(_left_until(deadline))
        response = connection.getresponse()
        return Answer(response.status, response.headers, _read(response))
    finally:
        connection.close()


def _connection_to(address: Address, timeout: float) -> HTTPConnection:
    if address.tls is None:
        return HTTPConnection(address.host, address.port, timeout=timeout)
    return HTTPSConnection(address.host, address.port, timeout=timeout, context=address.tls)


def _read(response: HTTPResponse) -> bytes:
    with response:
        body = response.read(MOST_BYTES + 1)
        if len(body) > MOST_BYTES:
            raise OSError(f"the answer is longer than {MOST_BYTES} bytes")
        if response.length:
            raise IncompleteRead(b"", response.length)
        return body


def _left_until(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("the time limit is over")
    return left
