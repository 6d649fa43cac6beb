"""The reader of JSON bodies: what it lets through, and the name of each thing that it does not."""

import pytest

from admin.api.json_body import DEPTH_MAX, parse_object
from admin.problems import Bad, Problem

REFUSED = [
    (b"", Bad.MALFORMED_JSON),
    (b"{", Bad.MALFORMED_JSON),
    (b"[]", Bad.MALFORMED_JSON),
    (b"null", Bad.MALFORMED_JSON),
    (b'"text"', Bad.MALFORMED_JSON),
    (b"<html>", Bad.MALFORMED_JSON),
    (b"{'a': 1}", Bad.MALFORMED_JSON),
    (b'{"a": 1,}', Bad.MALFORMED_JSON),
    (b'{"a": 1} {"b": 2}', Bad.MALFORMED_JSON),
    (b'{"a": "line\nbreak"}', Bad.MALFORMED_JSON),
    (b'\xff\xfe{"a": 1}', Bad.MALFORMED_JSON),
    (b'\xef\xbb\xbf{"a": 1}', Bad.MALFORMED_JSON),
    ('{"a": 1}'.encode("utf-16"), Bad.MALFORMED_JSON),
    (b'{"a": "\xed\xa0\x80"}', Bad.MALFORMED_JSON),
    (b'{"a": NaN}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": Infinity}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": -Infinity}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": 1e999}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": -1e999}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": 9223372036854775808}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": -9223372036854775809}', Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": ' + b"9" * 5000 + b"}", Bad.NUMBER_OUT_OF_RANGE),
    (b'{"a": 1, "a": 1}', Bad.DUPLICATE_MEMBER),
    (b'{"a": {"b": 1, "b": 2}}', Bad.DUPLICATE_MEMBER),
    (b'{"a": 1, "\\u0061": 2}', Bad.DUPLICATE_MEMBER),
    (b'{"a":' * 17 + b"1" + b"}" * 17, Bad.TOO_DEEP),
    (b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}", Bad.TOO_DEEP),
    (b"[" * 60_000, Bad.TOO_DEEP),
    (b'{"a": "\\ud800"}', Bad.INVALID_TEXT),
    (b'{"a": "\\udc00\\ud800"}', Bad.INVALID_TEXT),
    (b'{"\\ud83d": 1}', Bad.INVALID_TEXT),
    (b'{"a": ["x", {"b": "\\u0000"}]}', Bad.INVALID_TEXT),
]


@pytest.mark.parametrize(("body", "code"), REFUSED)
def test_what_is_refused(body: bytes, code: Bad) -> None:
    problem = parse_object(body)
    assert isinstance(problem, Problem)
    assert problem.code is code
    assert problem.detail


ACCEPTED = [
    (b"{}", {}),
    (b' {"a" : 1 } ', {"a": 1}),
    (b'{"a": 9223372036854775807}', {"a": 9223372036854775807}),
    (b'{"a": -9223372036854775808}', {"a": -9223372036854775808}),
    (b'{"a": 1.5, "b": 1e3}', {"a": 1.5, "b": 1000.0}),
    (b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
    ('{"имя": "Анна"}'.encode(), {"имя": "Анна"}),
]


@pytest.mark.parametrize(("body", "value"), ACCEPTED)
def test_what_is_accepted(body: bytes, value: dict[str, object]) -> None:
    assert parse_object(body) == value


def test_the_deepest_nesting_allowed() -> None:
    body = b'{"a":' * DEPTH_MAX + b"1" + b"}" * DEPTH_MAX
    assert isinstance(parse_object(body), dict)
