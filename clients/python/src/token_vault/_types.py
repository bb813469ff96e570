from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypedDict

if TYPE_CHECKING:
    from datetime import datetime

TokenStatus = Literal["active", "failing", "reauth_required"]


class LastError(TypedDict):
    """Why the last renewal failed."""

    code: str
    detail: str
    at: str
    attempts: int


class _TokenFields(TypedDict, total=False):
    user_name: str
    client_id: str
    client_secret: str
    refresh_token: str
    grant_token: str
    access_token: str
    token_type: str
    scope: str
    redirect_url: str
    api_domain: str
    expires_at: str
    #: Whole seconds of life that the access token has left, for a caller whose clock is wrong.
    expires_in: int
    refresh_due_at: str
    last_error: LastError
    refreshed_at: str
    last_used_at: str


class Token(_TokenFields):
    """A token as the vault answers it, times in RFC 3339. What the API key may not see is absent."""

    id: str
    provider: str
    status: TokenStatus
    refreshable: bool
    version: int
    created_at: str
    updated_at: str


class PartialToken(TypedDict, total=False):
    """What a find may name a token by."""

    id: str | None
    provider: str | None
    user_name: str | None
    client_id: str | None
    client_secret: str | None
    access_token: str | None
    grant_token: str | None
    refresh_token: str | None


class TokenToSave(PartialToken, total=False):
    """What a save may bring; None and absent both mean "not given". Either ``expires_at`` or ``expires_in``."""

    token_type: str | None
    scope: str | None
    redirect_url: str | None
    api_domain: str | None
    #: RFC 3339.
    expires_at: str | None
    #: Seconds from now.
    expires_in: int | None


class _AccessTokenFields(TypedDict, total=False):
    expires_in: int
    expires_at: str
    scope: str
    api_domain: str


class AccessToken(_AccessTokenFields):
    """An access token with its expiry, and nothing else that is secret."""

    id: str
    access_token: str
    token_type: str


class _CodeFields(TypedDict, total=False):
    provider: str | None
    client_secret: str | None
    #: Of PKCE (RFC 7636); sent to the provider, and not kept.
    code_verifier: str | None
    redirect_url: str | None
    user_name: str | None
    api_domain: str | None


class CodeToExchange(_CodeFields):
    """An authorization code to trade at the provider, and what it was given for."""

    client_id: str
    grant_token: str


class TokenFilter(TypedDict, total=False):
    """Which tokens to list or delete; every field given must match."""

    user_name: str | None
    client_id: str | None
    provider: str | None
    status: TokenStatus | None
    #: Tokens whose access token expires before this moment: an RFC 3339 time, or a datetime.
    expires_before: str | datetime | None


class TokensToDelete(TokenFilter, total=False):
    #: True instead of a filter.
    all: bool
