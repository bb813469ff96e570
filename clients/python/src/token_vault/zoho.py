"""Keeps the tokens of the Zoho CRM SDK for Python (``zohocrmsdk8_0``) in the token vault."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from . import _zoho_mapping as mapping
from ._client import TokenVaultClient
from ._errors import TokenVaultError
from ._fresh_cache import FreshCache, VaultToken, key_of_id, received_now
from ._zoho_errors import to_sdk_exception, unknown_id
from ._zoho_sdk import OAuthToken, SDKException, TokenStore

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from ._types import Token, TokenFilter
    from ._zoho_errors import NeededScope

    Ask = Callable[[TokenVaultClient], Token | None]

__all__ = ["ZohoTokenStore"]

#: Seconds that a caller waits for the vault while it could go on with a token that lives.
PATIENCE = 2.0

logger = logging.getLogger("token_vault.zoho")


class ZohoTokenStore(TokenStore):
    """The SDK's TokenStore over a token vault, which renews the tokens: the SDK itself never needs to.

    >>> store = ZohoTokenStore("http://127.0.0.1:8080", api_key)
    >>> Initializer.initialize(environment=environment, token=token, store=store)

    An API key with only ``tokens:use`` is enough once a token is in the vault; the first login by a grant token also
    needs ``tokens:write``. While the vault is away, an access token that lives is used. Threads may share a store.

    Every method raises the SDK's own SDKException: its ``code`` is the vault's (``reauth_required``,
    ``insufficient_scope``, ``unreachable``, …) and its ``cause`` the TokenVaultError.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        min_ttl: float = 60,
        cache_seconds: float = 30,
        timeout: float = 20,
        retry_for: float = 5,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """
        :param min_ttl: seconds of life that the access token is to have left when it is read from the vault
        :param cache_seconds: seconds for which it is used without asking the vault again; 0 asks at each call

        The rest is as in TokenVaultClient.
        """
        self._vault = TokenVaultClient(url, api_key, timeout=timeout, retry_for=retry_for, ssl_context=ssl_context)
        hurry = min(timeout, PATIENCE)
        self._hasty_vault = TokenVaultClient(url, api_key, timeout=hurry, retry_for=0, ssl_context=ssl_context)
        self._min_ttl = min_ttl
        self._cache = FreshCache(min_ttl, cache_seconds)
        # What each object said when the vault had just filled it.
        self._filled: WeakKeyDictionary[OAuthToken, str] = WeakKeyDictionary()
        self._complaints: set[str | None] = set()

    def find_token(self, token: OAuthToken) -> OAuthToken | None:
        """Merges what the vault has into ``token``, whose own values yield, and returns it; None where it has none."""
        partial = mapping.partial_of(token)
        partial["provider"] = mapping.PROVIDER
        key = json.dumps(partial, sort_keys=True)
        with _sdk_exceptions("tokens:use"):
            try:
                found = self._fresh(key, lambda vault: vault.find(partial, min_ttl=self._min_ttl))
            except TokenVaultError as error:
                if self._can_log_in(token, error):
                    return None
                raise
            return None if found is None else self._fill(token, found)

    def find_token_by_id(self, id: str) -> OAuthToken:  # noqa: A002
        """A new token of that id; an unknown one raises with the code ``TOKEN_STORE``, as in the SDK's own stores."""
        with _sdk_exceptions("tokens:use"):
            found = self._fresh(key_of_id(id), lambda vault: vault.get(id, min_ttl=self._min_ttl))
        if found is None:
            raise unknown_id()
        return self._fill(mapping.empty_token(id), found)

    def save_token(self, token: OAuthToken) -> None:
        """Saves and sets the id. Saving what came from the vault unchanged does nothing, with any key.

        A failure is also logged: the SDK keeps it to itself.
        """
        if self._came_from_the_vault(token):
            return
        try:
            with _sdk_exceptions("tokens:write"):
                saved = self._vault.save(mapping.to_save(token))
        except SDKException as failure:
            self._complain(failure)
            raise
        self._complaints.clear()
        self._cache.drop(saved["id"])
        token.set_id(saved["id"])

    def delete_token(self, id: str) -> None:  # noqa: A002
        """Deletes it from the vault; an unknown id is no error."""
        with _sdk_exceptions("tokens:delete"), self._forgetting(id):
            self._vault.delete(id)

    def get_tokens(self) -> list[OAuthToken]:
        """All Zoho tokens of the key's namespace, as they are: not renewed for being listed."""
        ours: TokenFilter = {"provider": mapping.PROVIDER}
        with _sdk_exceptions("tokens:use"):
            tokens = [received_now(token) for token in self._vault.list(ours, include="secrets", limit=1000)]
        return [mapping.merge(mapping.empty_token(found.token["id"]), found) for found in tokens]

    def delete_tokens(self) -> None:
        """Deletes all Zoho tokens of the key's namespace."""
        with _sdk_exceptions("tokens:delete"), self._forgetting():
            self._vault.delete_many({"provider": mapping.PROVIDER})

    def revoke(self, id: str) -> None:  # noqa: A002
        """Revokes the refresh token at Zoho, then deletes the token. The SDK's own ``token.revoke`` does not work."""
        with _sdk_exceptions("tokens:delete"), self._forgetting(id):
            self._vault.revoke(id)

    def _fresh(self, key: str, ask: Ask) -> VaultToken | None:
        def read(hasty: bool) -> VaultToken | None:
            token = ask(self._hasty_vault if hasty else self._vault)
            if token is not None:
                return received_now(token)
            self._filled = WeakKeyDictionary()
            return None

        return self._cache.get(key, read)

    def _fill(self, target: OAuthToken, found: VaultToken) -> OAuthToken:
        mapping.merge(target, found, least_life=mapping.LEAST_SHOWN_LIFE)
        self._filled[target] = mapping.fingerprint_of(target)
        return target

    def _came_from_the_vault(self, token: OAuthToken) -> bool:
        if self._filled.get(token) == mapping.fingerprint_of(token):
            return True
        seen = self._cache.last_seen(token.get_id() or "")
        return seen is not None and mapping.says_nothing_new(token, seen)

    @contextmanager
    def _forgetting(self, token_id: str | None = None) -> Iterator[None]:
        """Whatever comes of the change: what was cached may be no more."""
        try:
            yield
        finally:
            self._cache.drop(token_id)
            self._filled = WeakKeyDictionary()

    def _can_log_in(self, token: OAuthToken, error: TokenVaultError) -> bool:
        """The vault cannot renew this token: may the SDK log in with what the application gave it?

        Only with credentials that the vault has not seen fail, so that a dead refresh token is not tried at every call.
        """
        credentials = mapping.credentials_of(token)
        if error.code not in ("reauth_required", "not_refreshable") or "client_id" not in credentials:
            return False
        if "refresh_token" not in credentials and "grant_token" not in credentials:
            return False
        stored = self._vault.find({"provider": mapping.PROVIDER, **credentials})
        if stored is None:
            return True
        # Known but never used: the vault lacks the client, or was given a grant token that nobody has traded yet.
        never_used = "refresh_token" in credentials or stored.get("access_token") is None
        return error.code == "not_refreshable" and never_used

    def _complain(self, failure: SDKException) -> None:
        """Once for each kind of failure, until a save succeeds: the SDK tries again at every renewal."""
        if failure.code in self._complaints:
            return
        self._complaints.add(failure.code)
        logger.error(
            "A token of Zoho was not saved in the token vault, and the SDK goes on as if it had been: it is lost when "
            "this process ends. %s Then call save_token(token) of the store again, or log in again.",
            failure.args[1],
        )


@contextmanager
def _sdk_exceptions(needed: NeededScope) -> Iterator[None]:
    try:
        yield
    except TokenVaultError as error:
        raise to_sdk_exception(error, needed) from error
