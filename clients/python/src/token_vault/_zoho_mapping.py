"""The SDK's token as the vault's, and back."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, cast

from ._zoho_sdk import OAuthToken, UserSignature

if TYPE_CHECKING:
    from ._fresh_cache import VaultToken
    from ._types import PartialToken, Token, TokenToSave

PROVIDER = "zoho"

#: The SDK refreshes by itself when under 5 s are left. A token with less is the last that the vault could give, and
#: is used up: the SDK is told of this many seconds. It asks the store again at every call, so the figure is never
#: relied on later.
LEAST_SHOWN_LIFE = 7

#: Texts that both sides have under one name, written over the SDK's object where the vault has them.
SHARED = ("client_id", "client_secret", "refresh_token", "grant_token", "redirect_url", "api_domain")


def partial_of(token: OAuthToken) -> PartialToken:
    """What a partial token names itself by, without what is absent; the SDK leaves that None or empty."""
    signature = token.get_user_signature()
    named = _given(
        id=token.get_id(),
        user_name=None if signature is None else signature.get_name(),
        access_token=token.get_access_token(),
    )
    return {**credentials_of(token), **cast("PartialToken", named)}


def credentials_of(token: OAuthToken) -> PartialToken:
    """What the SDK could log in with by itself: a refresh or grant token, with the client that it belongs to."""
    credentials = _given(
        client_id=token.get_client_id(), grant_token=token.get_grant_token(), refresh_token=token.get_refresh_token()
    )
    return cast("PartialToken", credentials)


def to_save(token: OAuthToken) -> TokenToSave:
    """The token as a save wants it; what is left of its life counted by the application's own clock."""
    fields = cast("TokenToSave", {**_fields_of(token), "provider": PROVIDER})
    expires_at = _milliseconds_of(token.get_expires_in())
    if token.get_access_token() and expires_at is not None:
        fields["expires_in"] = max(0, int(expires_at / 1000 - time.time()))
    return fields


def fingerprint_of(token: OAuthToken) -> str:
    """Every field of a token in one text: equal texts, equal tokens."""
    return json.dumps([_fields_of(token), token.get_expires_in() or None], sort_keys=True)


def says_nothing_new(token: OAuthToken, stored: Token) -> bool:
    """Does the vault's token already say all that this one says? Its expiry goes with its access token."""
    return all(stored.get(name) == value for name, value in _fields_of(token).items())


def empty_token(token_id: str) -> OAuthToken:
    # Made by its constructor: without, the SDK misses fields of it.
    return OAuthToken(id=token_id)


def merge(target: OAuthToken, found: VaultToken, *, least_life: float = -math.inf) -> OAuthToken:
    """Writes what the vault has over what the SDK's object holds; what the vault keeps to itself stays as it is.

    The SDK is shown a life of ``least_life`` seconds at least.
    """
    token = found.token
    target.set_id(token["id"])
    if token.get("user_name") is not None:
        target.set_user_signature(UserSignature(token["user_name"]))
    for name in SHARED:
        value = token.get(name)
        if value is not None:
            getattr(target, f"set_{name}")(value)
    if token.get("access_token") is not None:
        target.set_access_token(token["access_token"])
        shown = max(found.expires_at, time.time() + least_life)
        target.set_expires_in(None if math.isinf(found.expires_at) else str(int(shown * 1000)))
    return target


def _fields_of(token: OAuthToken) -> dict[str, str]:
    more = _given(
        client_secret=token.get_client_secret(),
        redirect_url=token.get_redirect_url(),
        api_domain=token.get_api_domain(),
    )
    return {**cast("dict[str, str]", partial_of(token)), **more}


def _given(**fields: str | None) -> dict[str, str]:
    return {name: value for name, value in fields.items() if value}


def _milliseconds_of(expires_in: str | None) -> float | None:
    try:
        milliseconds = float(expires_in or "")
    except ValueError:
        return None
    return milliseconds if math.isfinite(milliseconds) else None
