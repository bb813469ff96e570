"""Paths, queries and bodies of the vault's API."""

from __future__ import annotations

import math
import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ._errors import TokenVaultError

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


def token_path(token_id: str) -> str:
    """The path of one token. An id that no token can have is answered as the vault would: there is none."""
    if not isinstance(token_id, str):
        raise TypeError(f"the id of a token must be a str, not {type(token_id).__name__}")
    if not TOKEN_ID.fullmatch(token_id) or token_id in (".", ".."):
        raise TokenVaultError(404, "not_found", "There is no token with this id.")
    return f"/v1/tokens/{quote(token_id)}"


def with_query(path: str, parameters: Mapping[str, Any]) -> str:
    """``path`` with the parameters that are given; times as RFC 3339, a naive one taken as local."""
    query = urlencode({name: _text_of(value) for name, value in parameters.items() if value is not None})
    return f"{path}?{query}" if query else path


def _text_of(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return str(value).lower() if isinstance(value, bool) else str(value)


def life_wanted(min_ttl: float | None) -> dict[str, int | None]:
    """As the vault takes it: in whole seconds, and no fewer than are wanted."""
    try:
        return {"min_ttl": None if min_ttl is None else math.ceil(min_ttl)}
    except (OverflowError, TypeError, ValueError):
        raise ValueError("min_ttl must be a number of seconds, such as 60") from None


def aged_by(token: Mapping[str, Any], elapsed: int) -> Mapping[str, Any]:
    """The token to save, its life shortened by the seconds that earlier attempts took.

    What is no life goes to the vault as it was given, which says what is wrong with it.
    """
    expires_in = token.get("expires_in")
    if isinstance(expires_in, bool) or not isinstance(expires_in, (int, float)) or not expires_in > 0:
        return token
    return {**token, "expires_in": max(0, expires_in - elapsed)}
