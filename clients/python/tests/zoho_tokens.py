"""The store and the real SDK, where it is installed; tests that import them are skipped where it is not."""

from __future__ import annotations

import importlib.util
import unittest

if importlib.util.find_spec("zohocrmsdk") is None:
    raise unittest.SkipTest("zohocrmsdk8_0 is not installed")

from zohocrmsdk.src.com.zoho.api.authenticator.oauth_token import OAuthToken
from zohocrmsdk.src.com.zoho.api.authenticator.store.token_store import TokenStore
from zohocrmsdk.src.com.zoho.crm.api.exception.sdk_exception import SDKException
from zohocrmsdk.src.com.zoho.crm.api.initializer import Initializer
from zohocrmsdk.src.com.zoho.crm.api.user_signature import UserSignature

from token_vault.zoho import ZohoTokenStore

__all__ = [
    "Initializer",
    "OAuthToken",
    "SDKException",
    "TokenStore",
    "UserSignature",
    "ZohoTokenStore",
    "token_of",
]


def token_of(user: str | None = None, client: str | None = None, **fields: str) -> OAuthToken:
    """A token as an application configures it; a client comes with its secret."""
    if user is not None:
        fields["user_signature"] = UserSignature(user)
    if client is not None:
        fields.update(client_id=client, client_secret=f"secret of {client}")
    return OAuthToken(**fields)
