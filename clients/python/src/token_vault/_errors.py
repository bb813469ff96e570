from __future__ import annotations

from http import HTTPStatus
from typing import TypedDict


class FieldError(TypedDict):
    """Where a request is wrong: a JSON pointer, and what is wrong there."""

    pointer: str
    detail: str


class TokenVaultError(Exception):
    """The vault refused, or could not be asked.

    ``code`` is the service's own (``not_found``, ``reauth_required``, ``insufficient_scope``, …) or one of the
    client's: with status 0 ``unreachable`` (no connection, or it broke) and ``timeout`` (no answer in time), with
    the status that was answered ``invalid_answer`` (by something that is not a token vault, or has no such path:
    the url is wrong). As text it is its detail, with each fault of a malformed request. Carries no secret and no
    API key.
    """

    #: Finds the request in the vault's log.
    request_id: str | None = None
    #: The token that owns the identity, for ``conflict``.
    token_id: str | None = None
    #: Ids of the tokens that match, for ``ambiguous_match``.
    matches: list[str] | None = None
    #: After how many seconds a retry makes sense.
    retry_after: int | None = None
    #: Where the request is wrong, for ``invalid_request``.
    errors: list[FieldError] | None = None

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(status, code, detail)
        #: HTTP status; 0 where there was no answer.
        self.status = status
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        if self.status != HTTPStatus.BAD_REQUEST or not self.errors:
            return self.detail
        faults = [f"{fault['pointer']} {fault['detail']}".strip() for fault in self.errors]
        return f"{self.detail[:-1] if self.detail.endswith('.') else self.detail}: {'; '.join(faults)}."
