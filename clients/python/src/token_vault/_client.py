from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from ._errors import TokenVaultError
from ._requests import aged_by, life_wanted, token_path, with_query
from ._transport import Call, Transport

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping
    from typing import Literal

    from ._answer import ToldBy
    from ._types import (
        AccessToken,
        CodeToExchange,
        PartialToken,
        Token,
        TokenFilter,
        TokensToDelete,
        TokenToSave,
    )

T = TypeVar("T")
A = TypeVar("A")


class TokenVaultClient:
    """One token vault, as one API key sees it; threads may share it.

    Every method raises TokenVaultError, but TypeError or ValueError for an argument that can't be one.

    >>> vault = TokenVaultClient("http://127.0.0.1:8080", api_key)
    >>> token = vault.find({"user_name": "ann@example.com:1"}, min_ttl=60)

    Reads, saves and deletes by id are sent again while the vault is away or overloaded, for ``retry_for`` seconds;
    the rest is sent once. Redirects are not followed and the environment's proxies not used: the API key and the
    secrets go to ``url`` and nowhere else.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout: float = 20,
        retry_for: float = 5,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """
        :param url: the vault's address without ``/v1``, such as ``http://127.0.0.1:8080``; a path before that is kept
        :param api_key: an API key, ``tv_…``; kept out of every error and log
        :param timeout: seconds for one attempt, over 0; the default is more than the vault waits for a provider
        :param retry_for: seconds after the first attempt in which another may begin; 0 never retries
        :param ssl_context: for a CA or a client certificate of your own; the system's CAs by default
        :raises ValueError: for a url, an API key or a time limit that can't be one
        """
        self._transport = Transport(url, api_key, timeout, retry_for, ssl_context)

    def find(self, partial: PartialToken, *, min_ttl: float | None = None) -> Token | None:
        """The token that a partial one names, or None. Several: ``ambiguous_match`` with their ids.

        Its access token has at least ``min_ttl`` seconds left; the vault renews it first if it must.
        """
        body = {**partial, **life_wanted(min_ttl)}
        return _unless_not_found(None, lambda: cast("Token", self._read("POST", "/v1/tokens/find", "id", body)))

    def get(self, token_id: str, *, min_ttl: float | None = None) -> Token | None:
        """The token of an id, or None; ``min_ttl`` as in ``find``."""

        def read() -> Token:
            return cast("Token", self._read("GET", with_query(token_path(token_id), life_wanted(min_ttl)), "id"))

        return _unless_not_found(None, read)

    def save(self, token: TokenToSave, *, if_match: int | None = None) -> Token:
        """Updates the token that this one matches, else adds it; returns the token as it now is.

        With ``if_match`` it is saved only while it still has this version; else ``version_mismatch``.
        """
        # Sent twice, a conditional save would fail for having succeeded.
        repeatable = if_match is None
        headers = {} if if_match is None else {"If-Match": f'"{if_match}"'}
        call = Call("POST", "/v1/tokens", "id", repeatable, lambda elapsed: aged_by(token, elapsed), headers)
        return cast("Token", self._transport.send(call))

    def delete(self, token_id: str) -> bool:
        """False where there was no such token, true where an attempt without an answer may have deleted it."""

        def delete() -> bool:
            self._transport.send(Call("DELETE", token_path(token_id), 204, repeatable=True))
            return True

        return _unless_not_found(False, delete)

    def delete_many(self, which: TokensToDelete) -> int:
        """Deletes all tokens that the filter passes, or none; returns their number. ``{"all": True}`` passes all."""
        call = Call("DELETE", with_query("/v1/tokens", which), "deleted", repeatable=False)
        return cast("int", self._transport.send(call)["deleted"])

    def list(
        self,
        which: TokenFilter | None = None,
        *,
        limit: int | None = None,
        include: Literal["secrets"] | None = None,
    ) -> Iterator[Token]:
        """Every token that the filter passes, fetched a page of ``limit`` (1 to 1000, 100 by default) at a time.

        Metadata only; ``include="secrets"`` adds the secrets that the API key may see.
        """
        parameters = {**(which or {}), "limit": limit, "include": include}
        cursor: str | None = None
        while True:
            page = self._read("GET", with_query("/v1/tokens", {**parameters, "cursor": cursor}), "tokens")
            yield from page["tokens"]
            cursor = page.get("next_cursor")
            if cursor is None:
                return

    def access_token(self, id_or_partial: str | PartialToken, *, min_ttl: float | None = None) -> AccessToken:
        """An access token with at least ``min_ttl`` seconds left (60 by default), by id or by a partial token."""
        if isinstance(id_or_partial, str):
            path = with_query(f"{token_path(id_or_partial)}/access-token", life_wanted(min_ttl))
            return cast("AccessToken", self._read("GET", path, "access_token"))
        body = {**id_or_partial, **life_wanted(min_ttl)}
        return cast("AccessToken", self._read("POST", "/v1/access-token", "access_token", body))

    def refresh(self, token_id: str) -> Token:
        """Renews now; returns the token. Raises where the provider refuses or can't be reached."""
        return cast("Token", self._send_once(f"{token_path(token_id)}/refresh", "id"))

    def exchange(self, code: CodeToExchange) -> Token:
        """Trades an authorization code at the provider, once however often it is asked, and keeps the result."""
        return cast("Token", self._send_once("/v1/tokens/exchange", "id", code))

    def revoke(self, token_id: str) -> None:
        """Revokes the refresh token at the provider, then deletes the token. Where it can't, nothing is deleted."""
        self._send_once(f"{token_path(token_id)}/revoke", 204)

    def _read(self, method: str, path: str, told_by: ToldBy, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._transport.send(Call(method, path, told_by, repeatable=True, body=_always(body)))

    def _send_once(self, path: str, told_by: ToldBy, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._transport.send(Call("POST", path, told_by, repeatable=False, body=_always(body)))


def _always(body: Mapping[str, Any] | None) -> Callable[[int], Mapping[str, Any]] | None:
    return None if body is None else lambda _elapsed: body


def _unless_not_found(absent: A, ask: Callable[[], T]) -> T | A:
    """``absent`` where the vault answers that there is no such token."""
    try:
        return ask()
    except TokenVaultError as error:
        if error.code == "not_found":
            return absent
        raise
