"""Questions asked together: everybody gets her own answer, and nobody another's trouble."""

import asyncio
from collections.abc import Sequence

import pytest

from loyalty.database import query, transaction
from loyalty.programme import Programme
from loyalty.together import MOST, Together
from tests.loyalty.people import joined, joining

pytestmark = pytest.mark.usefixtures("db")


class Oracle:
    """Doubles numbers, slowly; counts how often it was asked. It chokes on 13."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.together = Together(self.ask)

    async def ask(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        await asyncio.sleep(0.01)
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]

    async def answers(self, *numbers: int) -> list[int | BaseException]:
        calls = (self.together.answer(number) for number in numbers)
        return await asyncio.gather(*calls, return_exceptions=True)


async def test_a_lone_question_is_asked_at_once() -> None:
    oracle = Oracle()
    assert await oracle.together.answer(1) == 2
    assert await oracle.together.answer(1) == 2
    assert oracle.asked == [[1], [1]]


async def test_those_who_come_meanwhile_are_asked_for_together() -> None:
    oracle = Oracle()
    assert await oracle.answers(*range(10)) == [2 * number for number in range(10)]
    assert oracle.asked == [[0], list(range(1, 10))]


async def test_a_round_trip_has_a_limit() -> None:
    oracle = Oracle()
    await oracle.answers(*range(100, 100 + 2 * MOST))
    assert [len(asked) for asked in oracle.asked] == [1, MOST, MOST - 1]


async def test_one_bad_question_does_not_spoil_the_others() -> None:
    oracle = Oracle()
    one, two, bad, three = await oracle.answers(1, 2, 13, 3)
    assert (one, two, three) == (2, 4, 6)
    assert isinstance(bad, ValueError)
    assert await oracle.together.answer(4) == 8


async def test_a_question_that_was_given_up_is_not_asked() -> None:
    oracle = Oracle()
    first = asyncio.create_task(oracle.together.answer(1))
    second = asyncio.create_task(oracle.together.answer(2))
    third = asyncio.create_task(oracle.together.answer(3))
    await asyncio.sleep(0)
    first.cancel()  # who asked for herself: the others are served all the same
    second.cancel()
    assert await third == 6
    assert oracle.asked == [[1], [3]]
    assert first.cancelled()
    assert second.cancelled()


async def test_within_a_transaction_a_question_is_asked_there(programme: Programme) -> None:
    anna = await joined(programme)
    async with transaction():
        await query("UPDATE customer SET name = 'Аня' WHERE id = $1", None, anna.id)
        seen = await programme.customers.at_a_glance("telegram", "1001", operations=1)
        assert seen is not None
        assert seen.customer.name == "Аня"


async def test_many_who_look_at_once_see_each_her_own(programme: Programme) -> None:
    known = [f"{number}" for number in range(2001, 2021)]
    for number, front in enumerate(known):
        await joining(programme, front_value=front, phone=f"+7900555{number:04d}", name=front)
    glances = await asyncio.gather(
        *(
            programme.customers.at_a_glance("telegram", front, operations=2)
            for front in (*known, "stranger")
        )
    )
    assert [seen and seen.customer.name for seen in glances] == [*known, None]
    assert [len(seen.operations) for seen in glances if seen] == [1] * len(known)
