"""Revisions of the rules: who saved what, what is in force where, and what a receipt goes by."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from loyalty.checkout import QuoteAnswer, ReceiptAnswer
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.ledger.verify import verify
from loyalty.programme import Programme, build_programme
from loyalty.programme_document import ProgrammeDocument, read_document
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import ENVIRONMENT, Revision, RuleBook, Unknown, unknown_names
from loyalty.rules.commands import Clawback
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop, qr

RULES = ProgrammeRules(welcome_points=0)


@pytest.fixture
def rules() -> ProgrammeRules:
    return RULES


@pytest.fixture
async def anna(programme: Programme) -> AsyncIterator[CustomerView]:
    await open_shop()
    yield await joined(programme)
    assert (await verify()).findings == []


def document(**changes: Any) -> ProgrammeDocument:
    return ProgrammeDocument.of(RULES).model_copy(update=changes)


async def save(book: RuleBook, **changes: Any) -> Revision:
    saved = await book.save(document(**changes), by="Марина", comment="проба")
    assert isinstance(saved, Revision), saved
    return saved


async def test_what_is_saved_is_in_force_and_the_past_stays(
    programme: Programme, clock: VirtualClock
) -> None:
    book = programme.book
    assert (book.current.number, book.rules) == (0, RULES)
    await book.open()
    first = book.current
    second = await save(book, earn_permille=70)

    assert (first.number, first.saved_by, first.rules) == (1, ENVIRONMENT, RULES)
    assert (second.number, second.at, second.comment) == (2, clock.now(), "проба")
    assert book.current == second
    assert programme.rules.earn_permille == 70
    assert await book.of(1) == first
    assert await book.find(1) == first
    assert await book.find(3) is None
    assert await book.history() == [second, first]
    assert await book.history(limit=1, before=2) == [first]


async def test_no_revision_can_be_changed(programme: Programme) -> None:
    await programme.book.open()
    for statement in ("UPDATE rule_revision SET saved_by = 'x'", "DELETE FROM rule_revision"):
        with pytest.raises(Exception, match="append-only"):
            await query(statement)


async def test_saving_is_refused_by_name(programme: Programme, anna: CustomerView) -> None:
    book = programme.book
    await book.open()
    await save(book, earn_permille=70)
    new = document(earn_permille=80)

    async def refused(given: ProgrammeDocument = new, **changes: Any) -> Refusal | Revision:
        return await book.save(given, **({"by": "Марина", "comment": "проба"} | changes))

    assert await refused(by=" ") == refuse(No.INVALID_NAME, field="by")
    assert await refused(by=ENVIRONMENT) == refuse(No.INVALID_NAME, field="by")
    assert await refused(comment="") == refuse(No.INVALID_NAME, field="comment")
    assert await refused(base=1) == refuse(No.RULES_OUTDATED, revision=2)
    same = document(earn_permille=70)
    assert await refused(same) == refuse(No.RULES_UNCHANGED, revision=2)
    assert isinstance(await refused(base=2), Revision)
    await TillHand(programme).sell(anna.card_number, "R", "100.00")
    assert await refused(document(currency="USD")) == refuse(No.CURRENCY_IN_USE, currency="RUB")


async def test_of_two_who_save_at_once_one_sees_the_others(programme: Programme) -> None:
    book = programme.book
    await book.open()
    answers = await asyncio.gather(
        *(
            book.save(document(earn_permille=60 + n), by="Марина", comment="проба", base=1)
            for n in range(4)
        )
    )
    assert sorted(isinstance(answer, Revision) for answer in answers) == [False] * 3 + [True]
    assert len(await book.history()) == 2


async def test_the_settings_are_the_rules_until_somebody_saves(
    programme: Programme, clock: VirtualClock
) -> None:
    async def started(**settings: Any) -> Revision:
        book = RuleBook(clock, ProgrammeRules(**settings))
        await book.open()
        return book.current

    assert (await started(earn_permille=40)).number == 1
    assert (await started(earn_permille=40)).number == 1
    changed = await started(earn_permille=45)
    assert (changed.number, changed.rules.earn_permille) == (2, 45)
    await programme.book.refresh()
    await save(programme.book, earn_permille=70)
    later = await started(earn_permille=10)
    assert (later.number, later.rules.earn_permille) == (3, 70)


async def test_every_process_takes_up_what_another_has_saved(
    programme: Programme, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loyalty.rule_book.LOOK_EVERY_S", 0.01)
    other = build_programme(clock=clock, secret=b"x" * 32, rules=RULES)
    stop = asyncio.Event()
    watching = asyncio.create_task(other.book.watch(stop))
    await programme.book.open()
    await save(programme.book, earn_permille=70)
    async with asyncio.timeout(30):
        while other.rules.earn_permille != 70:  # noqa: ASYNC110 - its polling is tested
            await asyncio.sleep(0.01)
    stop.set()
    await watching
    await other.stop()


async def test_a_quote_is_committed_by_the_rules_it_was_made_by(
    programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    till = TillHand(programme)
    await programme.book.open()
    quote = await till.quote(anna.card_number, "R", "100.00")
    await save(programme.book, earn_permille=100, points_live_days=10)
    receipt = await till.commit(quote.quote_id, "R")
    assert isinstance(quote, QuoteAnswer)
    assert isinstance(receipt, ReceiptAnswer)
    assert (quote.revision, quote.earn) == (receipt.revision, receipt.earned) == (1, 5)
    [row] = await query("SELECT rules_revision FROM receipt")
    assert row["rules_revision"] == 1
    assert (receipt.next_expiry.at - clock.now()).days == 365  # type: ignore[union-attr]

    after = await till.sell(anna.card_number, "R2", "100.00")
    assert (after.revision, after.earned) == (2, 10)
    assert (after.next_expiry.at - clock.now()).days == 10


async def test_a_cancel_goes_by_the_rules_of_the_receipt(
    programme: Programme, anna: CustomerView
) -> None:
    till = TillHand(programme)
    await programme.book.open()
    await till.sell(anna.card_number, "R1", "100.00")
    await save(programme.book, cancel_clawback=Clawback.ALLOW_DEFICIT)
    await till.sell(anna.card_number, "R2", "100.00")
    quote = await till.quote(await qr(programme, anna.id), "R3", "100.00", spend=10)
    await till.commit(quote.quote_id, "R3")  # the ten points are spent, four are earned

    forgiven, owed = await till.cancel("R1"), await till.cancel("R2")
    assert (forgiven.taken_back, owed.taken_back) == (4, 5)
    assert (await programme.ledger.balance(anna.id)).deficit == 5  # type: ignore[union-attr]


async def test_receipts_of_the_time_before_revisions_go_by_the_settings(
    programme: Programme, anna: CustomerView
) -> None:
    sold = await TillHand(programme).sell(anna.card_number, "R", "100.00")
    assert sold.revision == 0
    await programme.book.open()
    await save(programme.book, earn_permille=70)
    assert (await TillHand(programme).cancel("R")).taken_back == 5


async def test_the_catalogue_and_the_rules_make_the_points(
    programme: Programme, anna: CustomerView
) -> None:
    """What the till says of a product counts only where the catalogue does not know it."""
    await query("UPDATE product SET category = 'care', prescription_only = TRUE WHERE sku='recipe'")
    read = read_document(
        '{"earning": {"multipliers": [{"code": "care", "times_percent": 300, "goods":'
        ' {"categories": ["care"]}}], "not_earning": {"prescription": true}}}'
    )
    assert isinstance(read, ProgrammeDocument)
    await programme.book.open()
    await programme.book.save(read, by="Марина", comment="проба")
    till = TillHand(programme)
    sold = await till.sell(
        anna.card_number, "R", "100.00 unheard-of", "100.00 cream", "100.00 recipe"
    )
    assert [line.earned for line in sold.lines] == [15, 5, 0]
    assert sold.lines[0].explanation == (
        "flat_rate permille=50 paid_minor=10000; multiplier code=care percent=300"
    )
    assert sold.lines[2].explanation == "excluded_from_earning; not_payable"


async def test_names_that_nobody_bears_are_found(programme: Programme, anna: CustomerView) -> None:
    read = read_document(
        '{"earning": {"multipliers": [{"code": "m", "times_percent": 200, "goods":'
        ' {"categories": ["x", "y"], "skus": ["cream", "soap"]},'
        ' "when": {"shops": ["s1", "s2"]}}]}}'
    )
    assert isinstance(read, ProgrammeDocument)
    assert await unknown_names(read.rules()) == [
        Unknown("shop", "s2"), Unknown("category", "y"), Unknown("product", "soap")
    ]  # fmt: skip
