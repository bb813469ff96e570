"""What the vault answered, told apart from what something else did."""

from __future__ import annotations

import json
import math
import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from ._errors import TokenVaultError

if TYPE_CHECKING:
    from email.message import Message
    from typing import Literal

    from ._errors import FieldError

    #: What a call's answer is told by: one of its fields; 204 where it has none.
    ToldBy = Literal["id", "access_token", "tokens", "deleted", 204]

#: The fields by which the vault's answers are told from another server's, with what each holds.
TELLING = {"id": str, "access_token": str, "tokens": list, "deleted": int}

#: More seconds than any caller waits.
LONGEST_WAIT = 10**9
#: As many as that has; Python makes no number of more than 4,300.
MOST_DIGITS = 10


class Asked(NamedTuple):
    """What was asked."""

    origin: str
    #: Without the query.
    url: str
    told_by: ToldBy


def read_answer(status: int, headers: Message, body: bytes, asked: Asked) -> dict[str, Any]:
    """The JSON object that the vault answered, an empty one for 204.

    Raises a TokenVaultError for a problem document and for whatever is not the vault's, such as a proxy's page.
    """
    told_by = asked.told_by
    if status == told_by == 204:
        return {}
    answer = _parse(body)
    if isinstance(answer, dict):
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            if told_by != 204 and isinstance(answer.get(told_by), TELLING[told_by]):
                return answer
        elif isinstance(answer.get("code"), str):
            raise _refusal(status, headers, answer, asked.url)
    detail = f"{asked.origin} answered {status} with something that is not a token vault's: is the url right?"
    raise _with_headers(TokenVaultError(status, "invalid_answer", detail), headers)


def _parse(body: bytes) -> Any:
    """None for what is not JSON. The parser's own error quotes the body, so it goes no further than this."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _refusal(status: int, headers: Message, problem: dict[str, Any], url: str) -> TokenVaultError:
    code, detail = problem["code"], _text(problem, "detail") or _text(problem, "title") or problem["code"]
    # A wrong address would pass for a token that is not there: only of a path that is no route, a 404 has `errors`.
    if code == "not_found" and isinstance(problem.get("errors"), list):
        code = "invalid_answer"
        detail = f"The token vault has no route {url}: is the url right, and does a proxy before it change the path?"
    error = TokenVaultError(status, code, detail)
    _with_headers(error, headers)
    error.request_id = _text(problem, "request_id") or error.request_id
    error.token_id = _text(problem, "token_id")
    error.matches = problem.get("matches")
    error.errors = _field_errors(problem)
    return error


def _field_errors(problem: dict[str, Any]) -> list[FieldError] | None:
    errors = problem.get("errors")
    if not isinstance(errors, list):
        return None
    return [each for each in errors if isinstance(each, dict) and {"pointer", "detail"} <= each.keys()]


def _with_headers(error: TokenVaultError, headers: Message) -> TokenVaultError:
    error.request_id = headers.get("x-request-id")
    error.retry_after = _seconds_of(headers.get("retry-after"))
    return error


def _text(problem: dict[str, Any], name: str) -> str | None:
    value = problem.get(name)
    return value if isinstance(value, str) else None


def _seconds_of(retry_after: str | None) -> int | None:
    """Whole seconds of a Retry-After header, given in seconds or as a date."""
    if retry_after is None:
        return None
    try:
        if re.fullmatch("[0-9]+", retry_after):
            return min(LONGEST_WAIT, int(retry_after.lstrip("0")[:MOST_DIGITS] or "0"))
        return max(0, math.ceil(parsedate_to_datetime(retry_after).timestamp() - time.time()))
    except (TypeError, ValueError, OverflowError):
        return None
