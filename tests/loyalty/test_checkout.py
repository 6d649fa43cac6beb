"""The checkout under pressure: races, repeated keys, bad input. No row is left by a refusal."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from loyalty.checkout import Line, Lookup, QuoteAnswer, ReceiptAnswer
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.ledger import Balance
from loyalty.ledger.companion import Companion
from loyalty.ledger.verify import verify
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.reasons import Reason, reasons_of
from loyalty.sql import checkout as sql
from tests.loyalty.people import BORIS, joined
from tests.loyalty.tills import HERE, THERE, TillHand, give, lines, open_shop, qr

TABLES = ("quote", "receipt", "receipt_line", "ledger_hold", "ledger_transaction", "card_claim")


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0)


@pytest.fixture
async def anna(programme: Programme) -> AsyncIterator[CustomerView]:
    """A customer of a shop with two tills; after the test the ledger still adds up."""
    await open_shop()
    yield await joined(programme)
    assert (await verify()).findings == []


@pytest.fixture
def till(programme: Programme) -> TillHand:
    return TillHand(programme)


async def balance(programme: Programme, customer_id: int) -> Balance:
    answer = await programme.ledger.balance(customer_id)
    assert isinstance(answer, Balance)
    return answer


async def rows_left() -> dict[str, int]:
    return {
        table: int((await query(f"SELECT count(*) AS n FROM {table}"))[0]["n"]) for table in TABLES
    }


async def events() -> list[tuple[str, dict[str, Any]]]:
    rows = await query("SELECT kind, payload FROM event WHERE kind LIKE 'receipt%' ORDER BY id")
    return [(row["kind"], json.loads(row["payload"])) for row in rows]


# -- what is answered and what is written --


async def test_lookup_shows_the_cashier_who_it_is(programme: Programme, anna: CustomerView) -> None:
    await give(programme, anna.id, 50)
    by_number = await programme.checkout.lookup(till_id=HERE, card=anna.card_number)
    by_code = await programme.checkout.lookup(till_id=HERE, card=await qr(programme, anna.id))

    assert isinstance(by_number, Lookup)
    assert isinstance(by_code, Lookup)
    assert (by_number.name, by_number.may_spend, by_number.how) == ("Анна", False, "static")
    assert by_number.card_number_masked == "•" * 9 + anna.card_number[-4:]
    assert by_number.balance.available == 50
    assert (by_code.may_spend, by_code.how) == (True, "picture")
    assert await programme.checkout.lookup(till_id=HERE, card="1\x00") == refuse(No.CARD_UNKNOWN)


async def test_a_lookup_and_its_quote_may_use_the_same_code(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    code = await qr(programme, anna.id)
    assert isinstance(await programme.checkout.lookup(till_id=HERE, card=code), Lookup)
    assert isinstance(await till.quote(code, "R", "100.00"), QuoteAnswer)


async def test_a_receipt_keeps_its_lines_and_why(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await give(programme, anna.id, 100)
    code = await qr(programme, anna.id)
    quote = await till.quote(code, "R", "100.00", "50.00 tobacco", "100.00 recipe", spend=20)
    answer = await till.commit(quote.quote_id, "R")

    assert isinstance(answer, ReceiptAnswer)
    assert [(line.sku, line.spent, line.earned) for line in answer.lines] == [
        ("cream", 13, 4),
        ("tobacco", 7, 0),
        ("recipe", 0, 5),
    ]
    assert reasons_of(answer.lines[1].explanation) == (
        Reason("excluded_from_earning"),
        Reason("paid_with_points", {"points": 7}),
    )
    rows = await query(
        "SELECT sku, amount_minor, spent_points, earned_points, explanation FROM receipt_line "
        "ORDER BY position"
    )
    assert [tuple(row) for row in rows] == [
        (line.sku, line.amount_minor, line.spent, line.earned, line.explanation)
        for line in answer.lines
    ]
    [receipt] = await programme.checkout.receipts(anna.id)
    assert (receipt.number, receipt.shop, receipt.state) == ("R", "Аптека на Садовой", "committed")
    assert (receipt.paid_minor, receipt.spent, receipt.earned) == (230_00, 20, 9)
    assert await programme.checkout.receipt(HERE, "R") == answer
    assert await programme.checkout.receipt(THERE, "R") == refuse(No.RECEIPT_NOT_FOUND)


async def test_the_customer_is_told_of_each_receipt_once(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    sold = await till.sell(anna.card_number, "R", "100.00", key="a")
    await till.sell(anna.card_number, "R", "100.00", key="a")
    await till.sell(anna.card_number, "R", "100.00", key="b")
    await till.cancel("R", key="a")
    await till.cancel("R", key="a")

    [(committed, told), (cancelled, told_then)] = await events()
    assert (committed, cancelled) == ("receipt.committed", "receipt.cancelled")
    expiry = {"points": 5, "at": (clock.now() + timedelta(days=365)).isoformat()}
    assert told == {
        "receipt_id": sold.receipt_id,
        "number": "R",
        "shop": "Аптека на Садовой",
        "total_minor": 100_00,
        "paid_minor": 100_00,
        "spent": 0,
        "earned": 5,
        "returned": 0,
        "taken_back": 0,
        "balance": 5,
        "next_expiry": expiry,
    }
    assert told_then == told | {"taken_back": 5, "balance": 0, "next_expiry": None}


async def test_points_of_an_offline_sale_date_from_the_sale(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    then = clock.now() - timedelta(days=2)
    answer = await till.sell(anna.card_number, "R", "100.00", at=then)

    assert answer.at == then
    assert answer.next_expiry.at == then + timedelta(days=365)
    [entry] = await programme.ledger.statement(anna.id)
    assert (entry.at, entry.recorded_at) == (then, clock.now())


async def test_a_code_scanned_offline_is_judged_at_the_time_of_the_sale(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    code, then = await qr(programme, anna.id), clock.now() + timedelta(minutes=1)
    clock.advance(timedelta(days=1))
    assert await till.sell(code, "R1", "100.00") == refuse(No.CARD_CODE_EXPIRED)
    answer = await till.sell(code, "R2", "100.00", at=then)
    assert isinstance(answer, ReceiptAnswer)
    assert await till.sell(code, "R3", "100.00", at=then) == refuse(No.CARD_CODE_USED)


async def test_receipts_come_in_pages(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    for i in range(5):
        await till.sell(anna.card_number, f"R{i}", "100.00")
    first = await programme.checkout.receipts(anna.id, 2)
    second = await programme.checkout.receipts(anna.id, 2, before=first[-1].receipt_id)
    assert [receipt.number for receipt in first + second] == ["R4", "R3", "R2", "R1"]


async def test_another_customers_quote_for_the_same_receipt_frees_the_first_ones_points(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    boris = await joined(programme, phone=BORIS, front_value="2")
    await give(programme, anna.id, 50)
    await give(programme, boris.id, 50)
    await till.quote(await qr(programme, anna.id), "R", "100.00", spend=30)
    quote = await till.quote(await qr(programme, boris.id), "R", "100.00", spend=20)

    assert (await balance(programme, anna.id)).available == 50
    assert (await balance(programme, boris.id)).available == 30
    answer = await till.commit(quote.quote_id, "R")
    assert answer.customer_id == boris.id


async def test_the_till_is_told_the_balance_of_a_customer_with_many_lots(
    programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
) -> None:
    start = to_micros(clock.now())
    for i in range(1, 151):
        later = start + i * 3_600_000_000
        await give(programme, anna.id, i, expires_at=later, available_at=start + i % 3)
    clock.advance(timedelta(hours=30))
    quote = await till.quote(await qr(programme, anna.id), "R", "1000.00", spend=300)
    answers = [await till.commit(quote.quote_id, "R"), await till.cancel("R")]
    for answer in answers[-1:]:
        has = await balance(programme, anna.id)
        assert (answer.balance, answer.next_expiry) == (has.available, has.next_expiry)
    assert answers[0].balance == sum(range(31, 151)) - 300 + 35


class TestPending:
    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        return ProgrammeRules(welcome_points=0, points_pending_days=3)

    async def test_pending_points_are_not_told_as_hers(
        self, programme: Programme, clock: VirtualClock, anna: CustomerView, till: TillHand
    ) -> None:
        answer = await till.sell(anna.card_number, "R", "100.00")
        assert (answer.earned, answer.balance) == (5, 0)
        clock.advance(timedelta(days=3))
        assert (await balance(programme, anna.id)).available == 5


async def test_a_busy_customer_at_many_tills(programme: Programme, anna: CustomerView) -> None:
    hands = [TillHand(programme, HERE, i * 100) for i in range(48)]
    answers = await asyncio.gather(
        *(hand.sell(anna.card_number, f"R{i}", "100.00") for i, hand in enumerate(hands))
    )
    assert sorted(answer.balance for answer in answers) == [5 * i for i in range(1, 49)]


# -- races --


async def test_two_commits_of_one_quote_make_one_receipt(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await give(programme, anna.id, 100)
    quote = await till.quote(await qr(programme, anna.id), "R", "100.00", spend=30)
    answers = await asyncio.gather(*(till.commit(quote.quote_id, "R", "k") for _ in range(8)))

    assert all(isinstance(answer, ReceiptAnswer) for answer in answers), answers
    assert [answer.replayed for answer in answers].count(False) == 1
    assert len({replace(answer, replayed=False) for answer in answers}) == 1
    assert (await balance(programme, anna.id)).posted == 73
    assert (await rows_left())["receipt"] == 1
    assert len(await events()) == 1


async def test_two_keys_for_one_quote_make_one_receipt(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    quote = await till.quote(await qr(programme, anna.id), "R", "100.00")
    answers = await asyncio.gather(*(till.commit(quote.quote_id, "R") for _ in range(8)))

    assert sum(isinstance(answer, ReceiptAnswer) for answer in answers) == 1
    refused = [answer for answer in answers if isinstance(answer, Refusal)]
    assert {answer.code for answer in refused} == {No.RECEIPT_EXISTS}
    assert (await balance(programme, anna.id)).posted == 5


async def test_two_sales_of_one_number_make_one_receipt(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    same = await asyncio.gather(
        *(till.sell(anna.card_number, "R", "100.00", key="k") for _ in range(6))
    )
    other = await asyncio.gather(*(till.sell(anna.card_number, "R", "100.00") for _ in range(6)))
    assert sum(not answer.replayed for answer in same) == 1
    assert {answer.code for answer in other} == {No.RECEIPT_EXISTS}
    assert (await balance(programme, anna.id)).posted == 5


async def test_a_code_shown_at_two_sales_at_once_is_used_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    code = await qr(programme, anna.id)
    answers = await asyncio.gather(*(till.sell(code, f"R{i}", "100.00") for i in range(6)))
    assert sum(isinstance(answer, ReceiptAnswer) for answer in answers) == 1
    assert (await rows_left())["receipt"] == 1


async def test_many_tills_cannot_overspend(programme: Programme, anna: CustomerView) -> None:
    await give(programme, anna.id, 100)
    codes = [await qr(programme, anna.id) for _ in range(16)]
    hands = [TillHand(programme, HERE, i * 100) for i in range(16)]
    quotes = await asyncio.gather(
        *(
            hand.quote(code, f"R{i}", "100.00", spend=30)
            for i, (hand, code) in enumerate(zip(hands, codes, strict=True))
        )
    )

    held = [quote for quote in quotes if isinstance(quote, QuoteAnswer)]
    assert len(held) == 3
    assert {quote.code for quote in quotes if isinstance(quote, Refusal)} == {
        No.INSUFFICIENT_POINTS
    }
    numbers = {quote.quote_id: f"R{i}" for i, quote in enumerate(quotes) if quote}
    receipts = await asyncio.gather(
        *(hands[0].commit(quote_id, number) for quote_id, number in numbers.items())
    )
    assert all(isinstance(receipt, ReceiptAnswer) for receipt in receipts)
    assert (await balance(programme, anna.id)).posted == 100 - 90 + 9


async def test_all_she_can_at_several_tills_never_exceeds_what_she_has(
    programme: Programme, anna: CustomerView
) -> None:
    await give(programme, anna.id, 50)
    codes = [await qr(programme, anna.id) for _ in range(4)]
    quotes = await asyncio.gather(
        *(
            TillHand(programme, HERE, i * 100).quote(code, f"R{i}", "100.00", spend="max")
            for i, code in enumerate(codes)
        )
    )
    spent = [quote.spend for quote in quotes if isinstance(quote, QuoteAnswer)]
    assert sum(spent) == 50
    assert (await balance(programme, anna.id)).available == 0


async def test_quotes_for_one_receipt_at_once_leave_one_open(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await give(programme, anna.id, 100)
    codes = [await qr(programme, anna.id) for _ in range(4)]
    quotes = await asyncio.gather(*(till.quote(code, "R", "100.00", spend=30) for code in codes))
    assert all(isinstance(quote, QuoteAnswer) for quote in quotes), quotes
    assert (await balance(programme, anna.id)).held == 30
    answers = [await till.commit(quote.quote_id, "R") for quote in quotes]
    assert sum(isinstance(answer, ReceiptAnswer) for answer in answers) == 1
    assert (await balance(programme, anna.id)).posted == 73


async def test_commit_and_release_at_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await give(programme, anna.id, 100)
    quote = await till.quote(await qr(programme, anna.id), "R", "100.00", spend=30)
    committed, released = await asyncio.gather(
        till.commit(quote.quote_id, "R"),
        programme.checkout.release(till_id=HERE, quote_id=quote.quote_id),
    )
    if isinstance(committed, ReceiptAnswer):
        assert released == refuse(No.HOLD_CLOSED, state="captured")
        assert (await balance(programme, anna.id)).available == 73
    else:
        assert released is None
        assert committed == refuse(No.QUOTE_NOT_FOUND, state="released")
        assert (await balance(programme, anna.id)).available == 100


async def test_two_cancels_at_once_undo_once(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    await give(programme, anna.id, 100)
    quote = await till.quote(await qr(programme, anna.id), "R", "100.00", spend=30)
    await till.commit(quote.quote_id, "R")
    same = await asyncio.gather(*(till.cancel("R", "k") for _ in range(6)))
    other = await asyncio.gather(*(till.cancel("R") for _ in range(6)))

    assert sum(not answer.replayed for answer in same) == 1
    assert {answer.code for answer in other} == {No.RECEIPT_CANCELLED}
    assert (await balance(programme, anna.id)).posted == 100


# -- bad input --

GOOD = Line("cream", "Крем", 1000, 100_00, 100_00, "care")
BAD_LINES: list[tuple[str, Any]] = [
    ("lines", []),
    ("lines", [GOOD] * 201),
    ("lines", [replace(GOOD, amount_minor=10**12)] * 2),
    ("lines[0].sku", [replace(GOOD, sku="x" * 65)]),
    ("lines[0].sku", [replace(GOOD, sku="\x00")]),
    ("lines[1].name", [GOOD, replace(GOOD, name="\ud800")]),
    ("lines[0].name", [replace(GOOD, name="x" * 201)]),
    ("lines[0].name", [replace(GOOD, name=None)]),
    ("lines[0].category", [replace(GOOD, category="a\nb")]),
    ("lines[0].quantity_milli", [replace(GOOD, quantity_milli=0)]),
    ("lines[0].quantity_milli", [replace(GOOD, quantity_milli=2**63)]),
    ("lines[0].price_minor", [replace(GOOD, price_minor=-1)]),
    ("lines[0].price_minor", [replace(GOOD, price_minor=float("nan"))]),
    ("lines[0].amount_minor", [replace(GOOD, amount_minor=10**12 + 1)]),
    ("lines[0].amount_minor", [replace(GOOD, amount_minor=True)]),
    ("lines[0].amount_minor", [replace(GOOD, amount_minor="100")]),
]
BAD_NAMES: list[tuple[str, dict[str, Any]]] = [
    ("key", {"key": ""}),
    ("key", {"key": "k" * 129}),
    ("key", {"key": "a\x00"}),
    ("receipt_number", {"receipt_number": ""}),
    ("receipt_number", {"receipt_number": "  "}),
    ("receipt_number", {"receipt_number": "R" * 65}),
    ("receipt_number", {"receipt_number": "\udfff"}),
    ("spend", {"spend": -1}),
    ("spend", {"spend": 2**63}),
    ("spend", {"spend": True}),
    ("spend", {"spend": 1.5}),
    ("spend", {"spend": "all"}),
    ("at", {"at": datetime(2026, 1, 1)}),
]


def quoting(programme: Programme, card: str, **changes: Any) -> Any:
    command: dict[str, Any] = {
        "till_id": HERE,
        "key": "k",
        "card": card,
        "receipt_number": "R",
        "lines": [GOOD],
        "spend": 0,
    }
    return programme.checkout.quote(**(command | changes))


@pytest.mark.parametrize(
    ("field", "changes"),
    [*((field, {"lines": bad}) for field, bad in BAD_LINES), *BAD_NAMES],
)
async def test_a_bad_receipt_is_refused_by_field_and_leaves_nothing(
    programme: Programme, anna: CustomerView, field: str, changes: dict[str, Any]
) -> None:
    code = await qr(programme, anna.id)
    quoted = await quoting(programme, code, **changes)
    assert isinstance(quoted, Refusal)
    assert (quoted.code, quoted.data["field"]) == (No.INVALID_RECEIPT, field)
    if field != "spend":
        command: dict[str, Any] = {"key": "k", "receipt_number": "R", "lines": [GOOD]}
        sold = await programme.checkout.commit(till_id=HERE, card=code, **(command | changes))
        assert isinstance(sold, Refusal)
        assert (sold.code, sold.data["field"]) == (No.INVALID_RECEIPT, field)
    assert set((await rows_left()).values()) == {0}


@pytest.mark.parametrize("card", ["", "\x00", "\ud800", "1" * 65, "1" * 100_000, "nobody", "NaN"])
async def test_garbage_is_no_card_and_leaves_nothing(
    programme: Programme, anna: CustomerView, till: TillHand, card: str
) -> None:
    for answer in (
        await till.quote(card, "R", "100.00"),
        await till.sell(card, "R", "100.00"),
        await programme.checkout.lookup(till_id=HERE, card=card),
    ):
        assert answer == refuse(No.CARD_UNKNOWN)
    assert set((await rows_left()).values()) == {0}


async def test_a_commit_is_by_quote_or_by_card_and_lines(
    programme: Programme, anna: CustomerView
) -> None:
    commit = programme.checkout.commit
    base: dict[str, Any] = {"till_id": HERE, "key": "k", "receipt_number": "R"}
    for given, field in (
        ({}, "card"),
        ({"card": anna.card_number}, "lines"),
        ({"lines": [GOOD]}, "card"),
        ({"quote_id": 1, "lines": [GOOD]}, "quote_id"),
        ({"quote_id": 1, "card": "1"}, "quote_id"),
    ):
        answer = await commit(**base, **given)
        assert isinstance(answer, Refusal)
        assert answer.data["field"] == field


async def test_the_largest_receipt(
    programme: Programme, anna: CustomerView, till: TillHand
) -> None:
    most = Line("x" * 64, "ы" * 200, 10**9, 10**12, 10**12 // 200, "я" * 64)
    answer = await programme.checkout.commit(
        till_id=HERE, key="k" * 128, card=anna.card_number, receipt_number="R" * 64,
        lines=[most] * 200,
    )  # fmt: skip
    assert isinstance(answer, ReceiptAnswer)
    assert answer.earned == 10**12 * 50 // 100_000
    assert (await rows_left())["receipt_line"] == 200


async def test_html_is_text(programme: Programme, anna: CustomerView, till: TillHand) -> None:
    evil = "<script>alert('1')</script>; DROP TABLE receipt; $1 ?1 %s"
    answer = await programme.checkout.commit(
        till_id=HERE, key=evil, card=anna.card_number, receipt_number=evil,
        lines=[replace(GOOD, name=evil)],
    )  # fmt: skip
    assert isinstance(answer, ReceiptAnswer)
    assert answer.lines[0].name == evil
    read = await programme.checkout.receipt(HERE, evil)
    assert read == answer


async def test_a_failed_commit_leaves_nothing(
    programme: Programme, anna: CustomerView, till: TillHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    await give(programme, anna.id, 100)
    quote = await till.quote(await qr(programme, anna.id), "R", "100.00", spend=30)
    before = await rows_left()

    async def broken(*_: Any, **__: Any) -> Any:
        raise ConnectionError("the database went away")

    real = sql.receipt_companion

    def breaking(*row: Any, **options: Any) -> Companion:
        """A statement that fails after it has begun to write."""
        companion = real(*row, **options)
        broken_step = "broken AS (INSERT INTO ledger_posting VALUES (1, 1, 1, 0, 0))"
        return replace(companion, steps=f"{companion.steps}, {broken_step}")

    with monkeypatch.context() as broke:
        broke.setattr("loyalty.sql.checkout.write_receipt", broken)
        broke.setattr("loyalty.sql.checkout.receipt_companion", breaking)
        with pytest.raises((ConnectionError, asyncpg.CheckViolationError)):
            await till.commit(quote.quote_id, "R", "k")
    assert await rows_left() == before
    assert (await balance(programme, anna.id)).held == 30
    answer = await till.commit(quote.quote_id, "R", "k")
    assert not answer.replayed


async def test_cancelled_tasks_leave_all_or_nothing(
    programme: Programme, anna: CustomerView
) -> None:
    """Commits whose callers give up at any moment; the same keys, repeated, settle every one."""
    hands = [TillHand(programme, HERE) for _ in range(30)]
    tasks = [
        asyncio.create_task(hand.sell(anna.card_number, f"R{i}", "100.00", key=f"k{i}"))
        for i, hand in enumerate(hands)
    ]
    for i, task in enumerate(tasks):
        await asyncio.sleep(0.001 * (i % 5))
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    answers = [
        await hand.sell(anna.card_number, f"R{i}", "100.00", key=f"k{i}")
        for i, hand in enumerate(hands)
    ]
    assert all(isinstance(answer, ReceiptAnswer) for answer in answers)
    assert (await balance(programme, anna.id)).posted == 150
    assert (await rows_left())["receipt"] == 30
    assert len(await events()) == 30


def test_lines_of_the_tests_are_what_they_seem() -> None:
    assert lines("12.50 tobacco") == [Line("tobacco", "Крем для рук", 1000, 1250, 1250, "care")]
