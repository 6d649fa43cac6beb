"""Cards at the till: who may earn, who may spend, and every refusal by its name."""

import asyncio
from datetime import timedelta

import pytest

from loyalty.cards import CardPicture, CardRead, LiveCode
from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal, refuse
from tests.loyalty.people import ANNA, BORIS, joined

HERE, THERE = 1, 2


async def read(programme: Programme, text: str, till_id: int = HERE, device: str = "") -> str:
    """What a till is told, in a word: the name of the refusal, or how the card was read."""
    answer = await programme.cards.read(text, till_id=till_id, device=device)
    if isinstance(answer, Refusal):
        return str(answer.code)
    return answer.how + (" may spend" if answer.may_spend else "")


async def picture(programme: Programme, customer_id: int) -> CardPicture:
    answer = await programme.cards.picture(customer_id)
    assert isinstance(answer, CardPicture)
    return answer


async def live(programme: Programme, customer_id: int) -> LiveCode:
    answer = await programme.cards.live(customer_id)
    assert isinstance(answer, LiveCode)
    return answer


# minute:second | where | what is shown | what the till is told
STORIES = {
    "static number and phone only earn": """
        0:00 here   static    static
        0:00 there  static    static
        0:00 here   phone     phone
    """,
    "a picture lives three minutes": """
        2:59 here   picture   picture may spend
    """,
    "and not longer": """
        3:00 here   picture   card_code_expired
        3:00 here   short     card_code_expired
    """,
    "what a till has scanned is its own": """
        0:10 here   picture   picture may spend
        0:11 there  picture   card_code_used
        0:12 here   picture   picture may spend
        9:00 here   picture   picture may spend
        9:00 there  picture   card_code_used
        15:10 here  picture   card_code_expired
    """,
    "the six digits are the picture's": """
        0:10 here   short     short may spend
        0:11 there  picture   card_code_used
        0:12 here   picture   picture may spend
    """,
    "a live code lives its step and one more": """
        0:30 here   live      live may spend
    """,
    "a live code of a minute ago": """
        1:00 here   live      card_code_expired
    """,
    "a live code belongs to the first till": """
        0:00 here   live      live may spend
        0:01 there  live      card_code_used
        5:00 here   live      live may spend
        15:00 here  live      card_code_expired
        59:00 here  live      card_code_expired
        62:00 here  live      card_forged
    """,
    "forged": """
        0:00 here   picture!  card_forged
        0:00 here   live!     card_forged
        0:00 here   static!   card_forged
    """,
    "unknown": """
        0:00 here   2900000000002  card_forged
        0:00 here   2900000000001  card_unknown
        0:00 here   +79990000000   card_unknown
        0:00 here   hello          card_unknown
    """,
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_story(programme: Programme, clock: VirtualClock, story: str) -> None:
    anna = await joined(programme)
    drawn = await picture(programme, anna.id)
    shown = {
        "static": anna.card_number,
        "phone": "8 900 123-45-67",
        "picture": drawn.payload,
        "short": drawn.short_code,
        "live": (await live(programme, anna.id)).payload,
    }
    start = clock.now()
    for line in story.strip().splitlines():
        time, where, what, *expected = line.split()
        minutes, seconds = map(int, time.split(":"))
        clock.set(start + timedelta(minutes=minutes, seconds=seconds))
        text = shown.get(what) or (forge(shown[what[:-1]]) if what.endswith("!") else what)
        till = HERE if where == "here" else THERE
        assert await read(programme, text, till) == " ".join(expected), line


def forge(code: str) -> str:
    """The code with its last digit changed."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


async def test_a_card_read_says_whose_it_is(programme: Programme) -> None:
    anna = await joined(programme)
    drawn = await picture(programme, anna.id)
    card = await programme.cards.read(f"  {drawn.payload}\r\n", till_id=HERE)
    assert isinstance(card, CardRead)
    assert (card.customer_id, card.name, card.card_number) == (anna.id, "Анна", anna.card_number)
    assert card.code_hash is not None
    static = await programme.cards.read(anna.card_number, till_id=HERE)
    assert isinstance(static, CardRead)
    assert static.code_hash is None


async def test_nobody_has_no_card(programme: Programme) -> None:
    assert await programme.cards.picture(1) == refuse(No.CUSTOMER_NOT_FOUND)
    assert await programme.cards.live(1) == refuse(No.CUSTOMER_NOT_FOUND)


async def test_one_till_wins_a_code(programme: Programme) -> None:
    anna = await joined(programme)
    drawn = await picture(programme, anna.id)
    answers = await asyncio.gather(*(read(programme, drawn.payload, till) for till in range(1, 9)))
    assert sorted(answers) == ["card_code_used"] * 7 + ["picture may spend"]


async def test_short_codes_of_living_pictures_differ(programme: Programme) -> None:
    anna = await joined(programme)
    codes = [(await picture(programme, anna.id)).short_code for _ in range(50)]
    assert len(set(codes)) == 50


async def test_guessing_short_codes_is_stopped(programme: Programme, clock: VirtualClock) -> None:
    anna = await joined(programme)
    drawn = await picture(programme, anna.id)
    wrong = forge(drawn.short_code)

    told = [await read(programme, wrong, device="tablet") for _ in range(7)]
    assert told == ["card_unknown"] * 5 + ["too_many_attempts"] * 2
    assert await read(programme, drawn.short_code, device="tablet") == "too_many_attempts"
    assert await read(programme, drawn.payload, device="tablet") == "too_many_attempts"
    # The queue goes on: static cards and phones pass, and so does everything on another device.
    assert await read(programme, anna.card_number, device="tablet") == "static"
    assert await read(programme, ANNA, device="tablet") == "phone"
    assert await read(programme, drawn.short_code, device="phone") == "short may spend"

    answer = await programme.cards.read(wrong, till_id=HERE, device="tablet")
    assert answer == refuse(No.TOO_MANY_ATTEMPTS, wait_s=300)
    clock.advance(timedelta(seconds=300))
    assert await read(programme, wrong, device="tablet") == "card_unknown"


async def test_a_new_device_name_does_not_give_new_guesses_for_ever(programme: Programme) -> None:
    told = [await read(programme, "000000", device=f"device {i}") for i in range(40)]
    assert told == ["card_unknown"] * 30 + ["too_many_attempts"] * 10
    assert await read(programme, "000000", THERE) == "card_unknown"


async def test_guessing_in_parallel_gains_nothing(programme: Programme) -> None:
    told = await asyncio.gather(*(read(programme, "2900000000001") for _ in range(24)))
    assert told.count("card_unknown") <= 5
    assert await read(programme, "000000") == "too_many_attempts"


async def test_unknown_phones_are_no_guessing(programme: Programme) -> None:
    for _ in range(20):
        assert await read(programme, BORIS) == "card_unknown"


@pytest.mark.parametrize(
    "text", ["", "\x00", "\ud800", "9" * 33, "8" * 19, "1" * 100_000, "' OR 1=1 --", "<b>", "٣" * 6]
)
async def test_garbage_is_no_card(programme: Programme, text: str) -> None:
    assert await read(programme, text, device="\ud800\x00") in ("card_unknown", "card_forged")


async def test_a_live_link_says_whose_it_is(programme: Programme) -> None:
    anna = await joined(programme)
    token = programme.cards.live_link_token(anna.id)
    assert programme.cards.customer_of_live_token(token) == anna.id
    assert programme.cards.customer_of_live_token(programme.cards.live_link_token(2**63 - 1))
    for wrong in ("", "x", token[:-1], token + "A", token[::-1], "é" * 32, "\ud800", "A" * 32):
        assert programme.cards.customer_of_live_token(wrong) is None


async def test_old_codes_are_forgotten(programme: Programme, clock: VirtualClock) -> None:
    anna = await joined(programme)
    drawn = await picture(programme, anna.id)
    await read(programme, drawn.payload)
    await read(programme, "000000")
    clock.advance(timedelta(days=5))
    await programme.cards.forget_old()
    assert await read(programme, drawn.short_code) == "card_unknown"
