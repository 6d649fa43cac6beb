"""Every refusal has a status, a sentence, and the sentence is said in Russian too."""

import json

import pytest

from admin import problems
from admin.problems import SENTENCES, STATUS_OF, Bad, FieldError, Problem
from loyalty.refusals import No

CODES = [*No, *Bad]


def test_the_tables_name_every_refusal_once() -> None:
    assert set(STATUS_OF) == set(CODES)
    assert set(SENTENCES) == set(CODES)
    assert not {str(code) for code in No} & {str(code) for code in Bad}


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_is_the_clients_affair_and_only_a_bug_is_ours(code: No | Bad) -> None:
    expected = 500 if code is Bad.INTERNAL_ERROR else 400
    assert expected <= STATUS_OF[code] < expected + 100


@pytest.mark.parametrize("code", CODES)
def test_a_refusal_is_said_in_both_languages(code: No | Bad) -> None:
    assert problems.sentence(code, "en") == SENTENCES[code]
    assert problems.sentence(code, "ru") != SENTENCES[code]


def test_what_a_problem_looks_like() -> None:
    response = problems.response(
        Problem(
            No.TOO_MANY_ATTEMPTS,
            detail="five wrong codes",
            errors=[FieldError("/card", "wrong", "no")],
            data={"wait_s": 30},
        ),
        instance="/api/v1/lookup",
    )
    assert response.status == 429
    assert response.content_type == "application/problem+json"
    assert response.headers["Retry-After"] == "30"
    assert json.loads(response.body) == {  # type: ignore[arg-type]
        "type": "/api/v1/docs#too_many_attempts",
        "title": "Too many attempts. Wait a little.",
        "status": 429,
        "code": "too_many_attempts",
        "detail": "five wrong codes",
        "instance": "/api/v1/lookup",
        "data": {"wait_s": 30},
        "errors": [{"pointer": "/card", "code": "wrong", "detail": "no"}],
    }


def test_a_401_says_how_to_come_in() -> None:
    response = problems.response(Problem(No.API_KEY_UNKNOWN))
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
