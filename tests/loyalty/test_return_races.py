"""Returns that meet: of one line at two tills, with a cancel, with another sale; and broken off."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from loyalty.checkout import Back, ReceiptAnswer, ReturnAnswer
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.ledger import Balance, proposal
from loyalty.ledger.verify import verify
from loyalty.programme import Programme, build_programme
from loyalty.refusals import No, Refusal
from loyalty.rules.programme import ProgrammeRules
from tests.conftest import SECRET
from tests.loyalty.people import joined
from tests.loyalty.test_return_story import nothing_is_left_over
from tests.loyalty.tills import HERE, THERE, TillHand, give, open_shop, qr


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


@pytest.fixture
async def anna(programme: Programme) -> AsyncIterator[CustomerView]:
    await open_shop()
    yield await joined(programme)
    assert (await verify()).findings == []
    await nothing_is_left_over()


@pytest.fixture
def others(db: str, clock: VirtualClock, rules: ProgrammeRules) -> list[Programme]:
    """Programmes that know nothing of each other, as those of several processes."""
    return [build_programme(clock=clock, secret=SECRET, rules=rules) for _ in range(3)]


async def sold(programme: Programme, anna: CustomerView, *goods: str, spend: int = 30) -> None:
    await give(programme, anna.id, 100)
    till = TillHand(programme)
    quote = await till.quote(await qr(programme, anna.id), "R", *goods, spend=spend)
    assert isinstance(await till.commit(quote.quote_id, "R"), ReceiptAnswer)


async def posted(programme: Programme, anna: CustomerView) -> int:
    balance = await programme.ledger.balance(anna.id)
    assert isinstance(balance, Balance)
    return balance.posted


async def test_a_line_comes_back_once_however_many_tills_ask(
    programme: Programme, others: list[Programme], anna: CustomerView
) -> None:
    await sold(programme, anna, "5x200.00", "100.00")
    hands = [TillHand(each, place, 100 * i) for i, each in enumerate(others)
             for place in (HERE, THERE)]  # fmt: skip
    answers = await asyncio.gather(
        *(
            hand.take_back("R", f"B{n}{i}", [Back(1, 1000)], till="t1")
            for n in range(3)
            for i, hand in enumerate(hands)
        )
    )
    done = [answer for answer in answers if isinstance(answer, ReturnAnswer)]
    assert len(done) == 5
    refused = {answer.code for answer in answers if isinstance(answer, Refusal)}
    assert refused == {No.EXCEEDS_QUANTITY}
    assert sum(answer.moves.amount_minor for answer in done) == 200_00

    last = await TillHand(programme, HERE, 900).take_back("R", "last")
    moved = [answer.moves for answer in (*done, last)]
    assert sum(moves.given_back for moves in moved) == 30
    assert sum(moves.refund_minor for moves in moved) == 270_00
    assert sum(moves.taken_back for moves in moved) == 13
    assert await posted(programme, anna) == 100


async def test_a_cancel_and_returns_at_once(
    programme: Programme, others: list[Programme], anna: CustomerView
) -> None:
    await sold(programme, anna, "2x200.00")
    cancelled, *returned = await asyncio.gather(
        TillHand(others[0]).cancel("R"),
        TillHand(others[1]).take_back("R", "B1", [Back(1, 1000)]),
        TillHand(others[2], THERE).take_back("R", "B2", [Back(1, 1000)], shop="s1"),
    )
    if isinstance(cancelled, ReceiptAnswer):
        assert {answer.code for answer in returned} == {No.RECEIPT_CANCELLED}
    else:
        assert cancelled.code == No.RECEIPT_HAS_RETURNS
        assert all(isinstance(answer, ReturnAnswer) for answer in returned)
    assert await posted(programme, anna) == 100


async def test_one_key_at_once_is_one_return(
    programme: Programme, others: list[Programme], anna: CustomerView
) -> None:
    await sold(programme, anna, "3x200.00")
    answers = await asyncio.gather(
        *(
            TillHand(each).take_back("R", "B", [Back(1, 1000)], key="k")
            for each in others
            for _ in range(3)
        )
    )
    assert all(isinstance(answer, ReturnAnswer) for answer in answers), answers
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({replace(answer, replayed=False) for answer in answers}) == 1
    rows = await query("SELECT payload FROM event WHERE kind = 'receipt.returned'")
    [told] = [json.loads(row["payload"]) for row in rows]
    moves = answers[0].moves
    assert {name: told[name] for name in ("given_back", "taken_back", "balance")} == {
        "given_back": 10, "taken_back": moves.taken_back, "balance": moves.balance,
    }  # fmt: skip
    assert (told["number"], told["return_number"], told["shop"]) == ("R", "B", "Аптека на Садовой")


async def test_two_returns_with_one_number_are_one(
    programme: Programme, others: list[Programme], anna: CustomerView
) -> None:
    await sold(programme, anna, "9x200.00")
    answers = await asyncio.gather(
        *(TillHand(each).take_back("R", "B", [Back(1, 1000)], key=f"k{i}")
          for i, each in enumerate(others * 2))
    )  # fmt: skip
    assert sum(isinstance(answer, ReturnAnswer) for answer in answers) == 1
    assert {a.code for a in answers if isinstance(a, Refusal)} == {No.RETURN_EXISTS}


async def test_a_return_while_she_buys_at_other_tills(
    programme: Programme, others: list[Programme], anna: CustomerView
) -> None:
    await sold(programme, anna, "8x400.00", spend=80)
    sales = [TillHand(others[0], HERE, 500 + i).sell(anna.card_number, f"S{i}", "100.00")
             for i in range(6)]  # fmt: skip
    backs = [TillHand(others[i % 3], THERE, 100 * i).take_back(
        "R", f"B{i}", [Back(1, 1000)], till="t1") for i in range(8)]  # fmt: skip
    answers = await asyncio.gather(*sales, *backs)
    assert all(answers), answers
    assert await posted(programme, anna) == 100 + 6 * 5


async def test_a_refused_return_leaves_no_row(programme: Programme, anna: CustomerView) -> None:
    await sold(programme, anna, "2x200.00")
    till = TillHand(programme)
    for lines in ([Back(1, 2001)], [Back(2)], []):
        assert isinstance(await till.take_back("R", "B", lines), Refusal)
    for table in ("receipt_return", "receipt_return_line"):
        assert (await query(f"SELECT COUNT(*) AS n FROM {table}"))[0]["n"] == 0
    assert isinstance(await till.take_back("R", "B"), ReturnAnswer)


class TestBrokenOff:
    @pytest.fixture
    def db_url(self, postgres: Any) -> Iterator[str]:
        """Postgres only: one statement, which a lost connection leaves done or not begun."""
        url = postgres.create()
        yield url
        postgres.drop(url)

    async def test_a_return_whose_answer_was_lost_is_done_once(
        self, programme: Programme, anna: CustomerView, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await sold(programme, anna, "2x200.00")
        real, lost = proposal.write_with, []

        async def loses_the_answer(*args: Any) -> bool:
            answer = await real(*args)
            if not lost:
                lost.append(answer)
                raise ConnectionResetError
            return answer

        monkeypatch.setattr(proposal, "write_with", loses_the_answer)
        till = TillHand(programme)
        with pytest.raises(ConnectionResetError):
            await till.take_back("R", "B", [Back(1, 1000)], key="k")
        again = await till.take_back("R", "B", [Back(1, 1000)], key="k")
        assert again.replayed
        assert (await query("SELECT COUNT(*) AS n FROM receipt_return"))[0]["n"] == 1
