"""One vault, asked over HTTP: time limits, retries and errors are the same for every call."""

from __future__ import annotations

import json
import random
import re
import socket
import ssl
import time
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, quote, urlsplit

from ._answer import Asked, read_answer
from ._errors import TokenVaultError
from ._http import Address, Request, exchange
from ._retry import is_unanswered, pause_before_retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ._answer import ToldBy

#: What a path may hold besides letters and digits (RFC 3986), and the percent sign of what is quoted already.
PATH_CHARACTERS = "/%-._~!$&'()*+,;=:@"
#: Seconds, some 24 days: a socket counts milliseconds in 32 bits.
LONGEST_TIMEOUT = 2_147_483.0


class Call(NamedTuple):
    method: str
    #: Path and query, from /v1 on.
    path: str
    told_by: ToldBy
    #: May it be sent again when nobody knows whether it arrived?
    repeatable: bool
    #: The body; told how many whole seconds have gone by since the first attempt.
    body: Callable[[int], Mapping[str, Any]] | None = None
    headers: Mapping[str, str] = {}


class Transport:
    def __init__(
        self, url: str, api_key: str, timeout: float, retry_for: float, ssl_context: ssl.SSLContext | None
    ) -> None:
        parts = _parts_of(url)
        tls = None if parts.scheme == "http" else ssl_context or ssl.create_default_context()
        self._address = Address(parts.hostname or "", parts.port, tls)
        self._base_path = quote(parts.path.rstrip("/"), safe=PATH_CHARACTERS)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._authorization = _authorization_of(api_key)
        self._timeout = _time_limit_of(timeout)
        self._retry_for = retry_for

    def send(self, call: Call) -> dict[str, Any]:
        started_at = time.monotonic()
        failures = 0
        may_be_done = False
        while True:
            try:
                return self._attempt(call, int(time.monotonic() - started_at))
            except TokenVaultError as error:
                # There is none any more: an attempt without an answer has deleted it.
                if may_be_done and call.method == "DELETE" and error.code == "not_found":
                    return {}
                may_be_done |= is_unanswered(error)
                failures += 1
                left = self._retry_for - (time.monotonic() - started_at) if call.repeatable else -1
                pause = pause_before_retry(error, failures, left, random.random())
                if pause is None:
                    raise
            time.sleep(pause)

    def _attempt(self, call: Call, elapsed: int) -> dict[str, Any]:
        request = self._request(call, elapsed)
        try:
            answer = exchange(self._address, request, self._timeout)
        except (OSError, HTTPException) as error:
            failure = self._failure_of(error)
        else:
            asked = Asked(self._origin, self._origin + request.target.partition("?")[0], call.told_by)
            return read_answer(answer.status, answer.headers, answer.body, asked)
        # Raised outside of the handler: what broke off may hold half an answer, secrets and all.
        raise failure

    def _request(self, call: Call, elapsed: int) -> Request:
        headers = {"Accept": "application/json", "Connection": "close", "Authorization": self._authorization}
        body = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(call.body(elapsed)).encode()
        return Request(call.method, self._base_path + call.path, {**headers, **call.headers}, body)

    def _failure_of(self, error: Exception) -> TokenVaultError:
        if isinstance(error, socket.timeout):
            detail = f"The token vault at {self._origin} has not answered within {self._timeout:g} s."
            return TokenVaultError(0, "timeout", detail)
        detail = f"The token vault at {self._origin} cannot be reached: {_reason_of(error)}."
        return TokenVaultError(0, "unreachable", detail)


def _reason_of(error: Exception) -> str:
    """The system's words where there are any: "Connection refused"."""
    if not isinstance(error, OSError):
        return type(error).__name__
    return error.strerror or str(error) or type(error).__name__


def _parts_of(url: str) -> SplitResult:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("url must be the http or https address of a token vault, such as http://127.0.0.1:8080")
    if "@" in parts.netloc:
        raise ValueError("url must not carry a user or a password")
    # The vault knows no such route: better to say so at once than at the first call.
    if parts.path.rstrip("/").endswith("/v1"):
        raise ValueError("url must be the address before /v1, such as http://127.0.0.1:8080")
    return parts


def _split(url: str) -> SplitResult | None:
    """None for what is no address: a port that is no number, a host that can't be looked up."""
    try:
        parts = urlsplit(url.strip())
        (parts.hostname or "").encode("idna")
        _ = parts.port
    except (AttributeError, ValueError):
        return None
    return parts


def _authorization_of(api_key: str) -> str:
    key = api_key.strip() if isinstance(api_key, str) else ""
    # A header that http.client refuses would be quoted in its error, key and all.
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise ValueError("api_key must be an API key of the token vault, tv_…")
    return f"Bearer {key}"


def _time_limit_of(timeout: float) -> float:
    if not isinstance(timeout, (int, float)) or not timeout > 0:
        raise ValueError("timeout must be over 0")
    return min(timeout, LONGEST_TIMEOUT)
