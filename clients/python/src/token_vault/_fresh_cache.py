"""Keeps what the vault answered, for a while and never beyond the access token's own life."""

from __future__ import annotations

import math
import threading
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ._errors import TokenVaultError
from ._retry import is_outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._types import Token

#: After a failed read, seconds for which the token that lives is used without asking again.
RESPITE = 5.0
#: Of a token's remaining life, the part that is always kept as a margin.
SMALLEST_MARGIN = 1 / 5
MOST_ENTRIES = 10_000


class VaultToken(NamedTuple):
    """A token of the vault, and when its access token expires by the application's own clock."""

    token: Token
    #: Epoch seconds; infinite where unknown.
    expires_at: float


def received_now(token: Token) -> VaultToken:
    expires_in = token.get("expires_in")
    return VaultToken(token, math.inf if expires_in is None else time.time() + expires_in)


def key_of_id(token_id: str) -> str:
    return f"id:{token_id}"


@dataclass
class _Entry:
    found: VaultToken
    #: Epoch seconds from and until which the vault is not asked.
    fresh_from: float
    fresh_until: float

    def is_fresh(self) -> bool:
        # A clock that was set back would otherwise keep a token for longer than it lives.
        return self.fresh_from <= time.time() < self.fresh_until

    def lives(self) -> bool:
        return time.time() < self.found.expires_at


class FreshCache:
    """What the vault says of a key. Threads that ask at the same time make one read.

    While the vault is away or slow, a token that lives is used: such a read is told to be hasty.
    """

    def __init__(self, min_ttl: float, cache_seconds: float) -> None:
        """
        :param min_ttl: seconds of life that callers want left
        :param cache_seconds: seconds for which a token is used without asking again; 0 asks at each call
        """
        self._min_ttl = min_ttl
        self._cache_seconds = cache_seconds
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._flights: dict[tuple[str, bool], Future[VaultToken | None]] = {}

    def get(self, key: str, read: Callable[[bool], VaultToken | None]) -> VaultToken | None:
        """From the cache where that is still fresh, else by ``read(hasty)``; None is never cached."""
        with self._lock:
            entry = self._entries.get(key)
        if entry is not None and entry.is_fresh():
            return entry.found
        if entry is not None and entry.lives():
            try:
                return self._read_once(key, read, hasty=True)
            except TokenVaultError as error:
                if not is_outage(error):
                    raise
            if entry.lives():
                entry.fresh_until = self._respite_of(entry)
                return entry.found
        return self._read_once(key, read, hasty=False)

    def last_seen(self, token_id: str) -> Token | None:
        """The last answer about a token, however old."""
        with self._lock:
            entry = self._entries.get(key_of_id(token_id))
        return None if entry is None else entry.found.token

    def drop(self, token_id: str | None = None) -> None:
        """Forgets a token, or all, and whatever is being read: an answer under way may be older than the change."""
        with self._lock:
            self._flights.clear()
            self._forget(token_id)

    def _read_once(self, key: str, read: Callable[[bool], VaultToken | None], *, hasty: bool) -> VaultToken | None:
        while True:
            with self._lock:
                flight = self._flights.get((key, hasty))
                if flight is None:
                    mine = self._flights[key, hasty] = Future()
            if flight is None:
                return self._fly(mine, key, read, hasty)
            try:
                return flight.result()
            except CancelledError:  # The thread that was reading for all has been interrupted.
                continue

    def _fly(
        self, flight: Future[VaultToken | None], key: str, read: Callable[[bool], VaultToken | None], hasty: bool
    ) -> VaultToken | None:
        try:
            found = read(hasty)
            with self._lock:
                if self._flights.get((key, hasty)) is flight:
                    self._keep(key, found)
            flight.set_result(found)
        except Exception as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                if self._flights.get((key, hasty)) is flight:
                    del self._flights[key, hasty]
            flight.cancel()  # Where the read was interrupted, by Ctrl-C say, and so has neither result nor error.
        return found

    def _keep(self, key: str, found: VaultToken | None) -> None:
        if found is None:
            gone = self._entries.get(key)
            if gone is not None:
                self._forget(gone.found.token["id"])
            return
        now = time.time()
        entry = _Entry(found, now, self._fresh_until(found, now))
        for name in (key, key_of_id(found.token["id"])):
            self._entries.pop(name, None)
            self._entries[name] = entry
        while len(self._entries) > MOST_ENTRIES:
            del self._entries[next(iter(self._entries))]

    def _forget(self, token_id: str | None) -> None:
        for key, entry in list(self._entries.items()):
            if token_id is None or entry.found.token["id"] == token_id:
                del self._entries[key]

    def _fresh_until(self, found: VaultToken, now: float) -> float:
        # Short-lived tokens would never be cached if they had to keep all of min_ttl.
        margin = min(self._min_ttl, (found.expires_at - now) * SMALLEST_MARGIN)
        return min(now + self._cache_seconds, found.expires_at - margin)

    def _respite_of(self, entry: _Entry) -> float:
        return min(time.time() + min(RESPITE, self._cache_seconds), entry.found.expires_at)
