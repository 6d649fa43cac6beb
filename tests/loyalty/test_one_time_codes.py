"""One-time codes as a table: what is done at which second, and what is answered."""

import asyncio
from datetime import datetime, timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.one_time_codes import IssuedCode, Verified
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from tests.loyalty.people import ANNA

# second | deed              | answer
STORIES = {
    "a code works once": """
        0    issue             issued
        5    right             verified
        6    right             code_expired
    """,
    "five attempts and no more": """
        0    issue             issued
        1    wrong             wrong_code 4
        2    wrong             wrong_code 3
        3    wrong             wrong_code 2
        4    wrong             wrong_code 1
        5    wrong             wrong_code 0
        6    right             too_many_attempts
        7    wrong             too_many_attempts
    """,
    "the fifth attempt may still be right": """
        0    issue             issued
        1    wrong             wrong_code 4
        1    wrong             wrong_code 3
        1    wrong             wrong_code 2
        1    wrong             wrong_code 1
        1    right             verified
    """,
    "ten minutes": """
        0    issue             issued
        599  right             verified
    """,
    "and not longer": """
        0    issue             issued
        600  right             code_expired
    """,
    "a minute between codes, three in a quarter of an hour": """
        0    issue             issued
        1    issue             too_many_codes 59
        59   issue             too_many_codes 1
        60   issue             issued
        120  issue             issued
        180  issue             too_many_codes 720
        899  issue             too_many_codes 1
        900  issue             issued
        960  issue             issued
        1020 issue             issued
        1080 issue             too_many_codes 720
    """,
    "only the latest code counts": """
        0    issue             issued
        60   issue             issued
        61   older             wrong_code 4
        62   right             verified
        63   older             code_expired
    """,
    "nothing was sent": """
        0    wrong             code_expired
    """,
    "a code is for one purpose": """
        0    issue             issued
        1    elsewhere         code_expired
        2    right             verified
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_story(programme: Programme, clock: VirtualClock, story: str) -> None:
    start = clock.now()
    codes: list[str] = []
    for line in story.strip().splitlines():
        second, deed, *expected = line.split()
        clock.set(start + timedelta(seconds=int(second)))
        assert await _do(programme, deed, codes) == " ".join(expected), line


async def _do(programme: Programme, deed: str, codes: list[str]) -> str:
    if deed == "issue":
        answer: object = await programme.codes.issue("join", "phone", ANNA)
    else:
        code = {"right": codes[-1:], "older": codes[-2:-1], "elsewhere": codes[-1:]}.get(deed)
        purpose = "erase" if deed == "elsewhere" else "join"
        given = code[0] if code else _another_than(codes)
        answer = await programme.codes.verify(purpose, "phone", "8" + ANNA[2:], given)
    if isinstance(answer, IssuedCode):
        codes.append(answer.code)
        return "issued"
    if isinstance(answer, Verified):
        return "verified"
    assert isinstance(answer, Refusal)
    return " ".join([answer.code, *map(str, answer.data.values())])


def _another_than(codes: list[str]) -> str:
    return next(code for code in ("000000", "000001", "000002", "000003") if code not in codes)


async def test_a_code_is_six_digits_and_is_not_kept(
    programme: Programme, clock: VirtualClock
) -> None:
    issued = await programme.codes.issue("join", "email", "Anna@Example.com")
    assert isinstance(issued, IssuedCode)
    assert len(issued.code) == 6
    assert issued.code.isdigit()
    assert issued.address == "anna@example.com"
    assert isinstance(issued.expires_at, datetime)
    [row] = await query("SELECT * FROM one_time_code")
    assert issued.code.encode() not in bytes(row["code_hash"])


@pytest.mark.parametrize("code", ["", " ", "\x00", "\ud800", "９" * 6, "1" * 100_000, "-1"])
async def test_garbage_is_a_wrong_code(programme: Programme, code: str) -> None:
    await programme.codes.issue("join", "phone", ANNA)
    answer = await programme.codes.verify("join", "phone", ANNA, code)
    assert isinstance(answer, Refusal)
    assert answer.code is No.WRONG_CODE


@pytest.mark.parametrize(
    ("kind", "address", "code"),
    [("phone", "12", No.INVALID_PHONE), ("email", "nobody", No.INVALID_EMAIL)],
)
async def test_no_code_for_a_bad_address(
    programme: Programme, kind: str, address: str, code: No
) -> None:
    issued = await programme.codes.issue("join", kind, address)
    verified = await programme.codes.verify("join", kind, address, "123456")
    for answer in (issued, verified):
        assert isinstance(answer, Refusal)
        assert answer.code is code


async def test_a_right_code_wins_one_race(programme: Programme) -> None:
    issued = await programme.codes.issue("join", "phone", ANNA)
    assert isinstance(issued, IssuedCode)
    answers = await asyncio.gather(
        *(programme.codes.verify("join", "phone", ANNA, issued.code) for _ in range(16))
    )
    assert sum(isinstance(answer, Verified) for answer in answers) == 1


async def test_guessing_in_parallel_gains_no_attempts(programme: Programme) -> None:
    issued = await programme.codes.issue("join", "phone", ANNA)
    assert isinstance(issued, IssuedCode)
    wrong = _another_than([issued.code])
    answers = await asyncio.gather(
        *(programme.codes.verify("join", "phone", ANNA, wrong) for _ in range(32))
    )
    codes = [answer.code for answer in answers if isinstance(answer, Refusal)]
    assert codes.count(No.WRONG_CODE) == 5
    assert codes.count(No.TOO_MANY_ATTEMPTS) == 27


async def test_asking_in_parallel_sends_one_code(programme: Programme) -> None:
    answers = await asyncio.gather(
        *(programme.codes.issue("join", "phone", ANNA) for _ in range(16))
    )
    assert sum(isinstance(answer, IssuedCode) for answer in answers) == 1
