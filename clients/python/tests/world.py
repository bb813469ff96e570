"""The real vault and the stand-in for Zoho that ``npm run test:python`` starts around the tests."""

from __future__ import annotations

import json
import os
import unittest
from typing import Any
from urllib.request import Request, urlopen

ADDRESS = json.loads(os.environ.get("TOKEN_VAULT_TEST_WORLD", "null"))
if ADDRESS is None:
    raise unittest.SkipTest("there is no vault to test with: run the tests by `npm run test:python`")

VAULT: str = ADDRESS["vault"]
API_KEY: str = ADDRESS["api_key"]
ZOHO: str = ADDRESS["zoho"]
CLIENT = {"client_id": ADDRESS["client_id"], "client_secret": ADDRESS["client_secret"]}
#: A private key and its certificate for 127.0.0.1, both PEM.
TLS: dict[str, str] = ADDRESS["tls"]


def _ask(order: str, **more: Any) -> Any:
    with urlopen(Request(ADDRESS["control"], json.dumps({"do": order, **more}).encode()), timeout=60) as answer:
        return json.load(answer)


def user_of(name: str) -> dict[str, str]:
    """A user of the CRM, and so of an organization, of that name."""
    return {"email": f"{name}@example.com", "zgid": name}


def signature_of(name: str) -> str:
    """The user name that the SDK makes of it."""
    return f"{name}@example.com:{name}"


def grant(name: str) -> str:
    """A fresh authorization code, as the developer console gives it."""
    return _ask("grant", user=user_of(name))


def refresh_token(name: str) -> str:
    """A refresh token that works, as if a login had been done before."""
    return _ask("refresh_token", user=user_of(name))


def revoke(token: str) -> None:
    _ask("revoke", refresh_token=token)


def is_live(token: str) -> bool:
    return _ask("is_live", refresh_token=token)


def set_lifetime(seconds: int) -> None:
    """Of the access tokens that Zoho issues from now on."""
    _ask("set_lifetime", seconds=seconds)


def stop_vault() -> None:
    _ask("stop_vault")


def start_vault() -> None:
    _ask("start_vault")


def calls(kind: str | None = None, **criteria: str) -> list[dict[str, Any]]:
    """What Zoho has been asked, in order: kind, by (sdk or vault), token and user of each."""
    wanted = {**criteria, **({} if kind is None else {"kind": kind})}
    return [call for call in _ask("calls") if all(call[name] == value for name, value in wanted.items())]


def create_key(*scopes: str) -> str:
    """An API key with these scopes and no others."""
    request = Request(f"{VAULT}/v1/keys", json.dumps({"name": "test", "scopes": scopes}).encode())
    request.add_header("Authorization", f"Bearer {API_KEY}")
    request.add_header("Content-Type", "application/json")
    with urlopen(request, timeout=20) as answer:
        return json.load(answer)["key"]
