"""A few lines of the vault's contract in memory, for what a real one can't be made to do on command."""

from __future__ import annotations

import json
import ssl
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

API_KEY = "tv_app_" + "k" * 43
SECRETS = ("client_secret", "refresh_token", "grant_token")
CRITERIA = ("id", "user_name", "grant_token", "refresh_token", "access_token")


@dataclass
class Seen:
    """One request that the vault has seen."""

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: Any


@dataclass
class Reply:
    """What the vault is told to answer; status 0 breaks the connection."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0


def problem(status: int, code: str, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    document = {"title": code, "status": status, "code": code, "detail": f"It is {code}.", "request_id": "req-1"}
    return Reply(status, {**document, **more}, headers or {})


class FakeVault:
    """Matching and renewal are not imitated: a find takes the first criterion given."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.requests: list[Seen] = []
        self.tokens: dict[str, dict[str, Any]] = {}
        #: What the API key lacks: tokens:write refuses saves, tokens:read hides all secrets but the access token.
        self.lacking: set[str] = set()
        self._replies: list[Reply] = []
        self._port = 0
        self.start()

    def start(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler_of(self))
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._port}"

    def next(self, *replies: Reply) -> None:
        """Queues answers for the next requests, one each."""
        self._replies.extend(replies)

    def put(self, **fields: Any) -> dict[str, Any]:
        token = {"id": f"token-{len(self.tokens) + 1}", "provider": "zoho", "version": 1, **fields}
        self.tokens[token["id"]] = token
        return token

    def asked(self, method: str, path: str) -> list[Seen]:
        return [seen for seen in self.requests if (seen.method, seen.path) == (method, path)]

    def reads(self) -> int:
        return len([seen for seen in self.requests if seen.method == "GET" or seen.path.endswith("/find")])

    def reply_to(self, seen: Seen) -> Reply:
        self.requests.append(seen)
        return self._replies.pop(0) if self._replies else self._answer(seen)

    def _answer(self, seen: Seen) -> Reply:
        if seen.path == "/v1/tokens/find":
            return self._shown(self._find(seen.body))
        if seen.path == "/v1/tokens":
            return {"POST": self._save, "GET": self._list, "DELETE": self._delete_many}[seen.method](seen)
        token_id = unquote(seen.path.split("/")[3])
        if seen.method == "DELETE" or seen.path.endswith("/revoke"):
            return Reply(204) if self.tokens.pop(token_id, None) else problem(404, "not_found")
        return self._shown(self.tokens.get(token_id))

    def _find(self, body: dict[str, Any]) -> dict[str, Any] | None:
        criterion = next((name for name in CRITERIA if body.get(name)), "")
        return next(
            (token for token in self.tokens.values() if criterion and token.get(criterion) == body[criterion]), None
        )

    def _save(self, seen: Seen) -> Reply:
        if "tokens:write" in self.lacking:
            return problem(403, "insufficient_scope", detail="The key lacks the scope tokens:write.")
        stored = self._find(seen.body)
        return Reply(200 if stored else 201, self.put(**{**(stored or {}), **seen.body}))

    def _list(self, seen: Seen) -> Reply:
        tokens = [self._visible(token) for token in self.tokens.values()]
        start = int(seen.query.get("cursor", 0))
        end = start + int(seen.query.get("limit", 100))
        more = {"next_cursor": str(end)} if end < len(tokens) else {}
        return Reply(200, {"tokens": tokens[start:end], **more})

    def _delete_many(self, _seen: Seen) -> Reply:
        deleted = len(self.tokens)
        self.tokens.clear()
        return Reply(200, {"deleted": deleted})

    def _shown(self, token: dict[str, Any] | None) -> Reply:
        return problem(404, "not_found") if token is None else Reply(200, self._visible(token))

    def _visible(self, token: dict[str, Any]) -> dict[str, Any]:
        hidden = SECRETS if "tokens:read" in self.lacking else ()
        return {name: value for name, value in token.items() if name not in hidden}


def _handler_of(vault: FakeVault) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one(self) -> None:
            url = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("content-length", 0)))
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            seen = Seen(self.command, url.path, query, json.loads(text or "{}"), self.headers)
            reply = vault.reply_to(seen)
            time.sleep(reply.delay)
            # A caller whose time is over has gone.
            with suppress(OSError):
                self._send(reply)

        do_GET = do_POST = do_DELETE = handle_one  # noqa: N815

        def _send(self, reply: Reply) -> None:
            if reply.status == 0:
                self.close_connection = True
                return
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            payload = b"" if reply.status == 204 else text.encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(payload)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests look at `requests`."""

    return Handler
