"""Which failures pass by themselves, and how long to wait before asking again."""

from __future__ import annotations

from ._errors import TokenVaultError

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
#: 2 to this power is well past the longest pause.
MOST_DOUBLINGS = 10


def passes(error: TokenVaultError) -> bool:
    """The vault was away, is overloaded, or waits for its database or a provider."""
    if error.code in ("unreachable", "timeout") or error.status in (429, 503, 504):
        return True
    return error.status == 502 and error.code == "invalid_answer"


def is_unanswered(error: TokenVaultError) -> bool:
    """The vault itself has not answered: it may have done what it was asked, or not."""
    return error.status == 0 or error.code == "invalid_answer"


def is_outage(error: TokenVaultError) -> bool:
    """The vault, its database or the provider is in trouble: nothing has been said about the token itself."""
    return passes(error) or is_unanswered(error) or error.status >= 500


def pause_before_retry(error: TokenVaultError, failures: int, left: float, chance: float) -> float | None:
    """Seconds to wait before the next attempt, or None where there is to be none.

    There is none where the failure does not pass, or the vault asks for a longer wait than the ``left`` seconds in
    which new attempts may begin. Back-off doubles with every one of the ``failures`` so far and is jittered by
    half, with ``chance`` in [0, 1); it comes on top of the vault's own Retry-After.
    """
    if not passes(error):
        return None
    back_off = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(failures - 1, MOST_DOUBLINGS))
    pause = (error.retry_after or 0) + back_off * (0.5 + chance / 2)
    return pause if pause <= left else None
