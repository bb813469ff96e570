"""Failures of the vault as the SDK's own exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._zoho_sdk import SDKException

if TYPE_CHECKING:
    from typing import Literal

    from ._errors import TokenVaultError

    #: The scope that an API key lacks for what was tried.
    NeededScope = Literal["tokens:use", "tokens:write", "tokens:delete"]

CHOOSE_ONE = "Give the SDK the id of one of them, or the client id beside the user."
#: What the developer can do about it, beside what the vault says.
REMEDIES = {
    "reauth_required": "Log in again: initialize the SDK with a new grant token (or refresh token) for this user, "
    "without an id; the vault takes over from there.",
    "not_refreshable": "Save the token with its client id, client secret and refresh token, "
    "or log in again with a new grant token.",
    "unauthorized": "Check the API key that ZohoTokenStore was given.",
    "unreachable": "Check that the vault runs, and the url that ZohoTokenStore was given.",
}


def unknown_id() -> SDKException:
    """As the SDK's own stores have it."""
    return SDKException("TOKEN_STORE", "The token vault has no token with the given id")


def to_sdk_exception(error: TokenVaultError, needed: NeededScope) -> SDKException:
    """With the vault's code, what happened and what to do; its cause is the vault's error."""
    exception = SDKException(error.code, f"{error} {_remedy_for(error, needed)}".rstrip())
    # Given to the constructor it would be repeated in the message.
    exception.cause = error
    return exception


def _remedy_for(error: TokenVaultError, needed: NeededScope) -> str:
    if error.code == "insufficient_scope":
        return f"The API key of this application needs the scope {needed}."
    if error.code == "ambiguous_match" and error.matches:
        return f"They are {', '.join(error.matches)}. {CHOOSE_ONE}"
    return REMEDIES.get(error.code, "")
