"""Client of the token vault. ``token_vault.zoho`` keeps the tokens of the Zoho CRM SDK there."""

from ._client import TokenVaultClient
from ._errors import FieldError, TokenVaultError
from ._types import (
    AccessToken,
    CodeToExchange,
    LastError,
    PartialToken,
    Token,
    TokenFilter,
    TokenStatus,
    TokensToDelete,
    TokenToSave,
)

__all__ = [
    "AccessToken",
    "CodeToExchange",
    "FieldError",
    "LastError",
    "PartialToken",
    "Token",
    "TokenFilter",
    "TokenStatus",
    "TokenToSave",
    "TokenVaultClient",
    "TokenVaultError",
    "TokensToDelete",
]
