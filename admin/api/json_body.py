"""The one reader of JSON bodies: what it lets through is small, shallow, finite, exact, storable.

Python's own parser accepts much that would hurt later: NaN, repeated members (the last one wins),
lone surrogates and NUL that no database stores, integers of any length, nesting without end.
"""

import json
from typing import Any

from aiohttp import web

from admin.problems import Bad, Problem
from messaging.bodies import body_of

BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 16
_INT_DIGITS_MAX = 19
_INT64 = range(-(1 << 63), 1 << 63)


class _RefusedError(ValueError):
    def __init__(self, code: Bad, detail: str) -> None:
        super().__init__(detail)
        self.problem = Problem(code, detail)


async def read_body(request: web.Request, *, bytes_max: int) -> bytes | Problem:
    """The body, never more of it in memory than `bytes_max`.

    Refused: body_too_large, body_too_slow.
    """
    try:
        body = await body_of(request, bytes_max)
    except TimeoutError:
        return Problem(Bad.BODY_TOO_SLOW)
    if body is None:
        return Problem(Bad.BODY_TOO_LARGE, f"At most {bytes_max} bytes.")
    return body


async def read_json(request: web.Request) -> dict[str, Any] | Problem:
    """The JSON object in the body, or which rule it breaks."""
    charset = (request.charset or "utf-8").lower()
    if request.content_type != "application/json" or charset != "utf-8":
        return Problem(Bad.UNSUPPORTED_MEDIA_TYPE, "Send application/json in UTF-8.")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        return Problem(Bad.UNSUPPORTED_MEDIA_TYPE, "Send the body uncompressed.")
    body = await read_body(request, bytes_max=BODY_BYTES_MAX)
    return body if isinstance(body, Problem) else parse_object(body)


def parse_object(body: bytes) -> dict[str, Any] | Problem:
    """Parse `body`, which must be one JSON object."""
    try:
        text = body.decode("utf-8")
        value = _decoder.decode(text)
        _check_depth_and_text(value, has_escapes="\\u" in text)
    except _RefusedError as refused:
        return refused.problem
    except RecursionError:
        return Problem(Bad.TOO_DEEP, f"At most {DEPTH_MAX} levels.")
    except ValueError as error:
        position = f" (at {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        return Problem(Bad.MALFORMED_JSON, f"Not JSON in UTF-8{position}.")
    if not isinstance(value, dict):
        return Problem(Bad.MALFORMED_JSON, "The body must be a JSON object.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError(Bad.DUPLICATE_MEMBER, "Each member of an object may be named once.")
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) <= _INT_DIGITS_MAX and (value := int(digits)) in _INT64:
        return value
    raise _RefusedError(Bad.NUMBER_OUT_OF_RANGE, "Integers must fit 64 bits.")


def _fraction(digits: str) -> float:
    value = float(digits)
    if value - value != 0:  # infinite
        raise _RefusedError(Bad.NUMBER_OUT_OF_RANGE, "Numbers must be finite.")
    return value


def _constant(name: str) -> float:
    raise _RefusedError(Bad.NUMBER_OUT_OF_RANGE, f"{name} is not a number.")


_decoder = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_fraction,
    parse_constant=_constant,
)


def _check_depth_and_text(value: Any, *, has_escapes: bool) -> None:
    """Refuse nesting below DEPTH_MAX and, where escapes could have made it, unstorable text."""
    level, depth = [value], 0
    while level:
        if depth > DEPTH_MAX:
            raise _RefusedError(Bad.TOO_DEEP, f"At most {DEPTH_MAX} levels.")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
                if has_escapes:
                    below.extend(item)
            elif isinstance(item, list):
                below.extend(item)
            elif has_escapes and isinstance(item, str):
                _check_text(item)
        level, depth = below, depth + 1


def _check_text(text: str) -> None:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _RefusedError(Bad.INVALID_TEXT, "No NUL and no lone surrogates in text.")
