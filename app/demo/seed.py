"""Writes the demo's pharmacy: shops, staff, goods, customers, and a year of receipts and points.

Rows go in by sets, points through the ledger's own bulk path with the times of the events. The same
seed gives the same life, dated relative to now.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from admin.auth import hash_password
from app.demo.catalogue import goods
from app.demo.chain import PASSWORD, SHOPS, STAFF
from app.demo.history import history
from app.demo.people import Person, people
from app.demo.programme import demo_document
from app.demo.telling import Seat, Telling, insert_many
from loyalty.clock import Clock
from loyalty.courses import take_in_history
from loyalty.database import query
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.ledger import Ledger
from loyalty.models import Product, Shop, StaffMember, Till
from loyalty.refills import Refills
from loyalty.refusals import Refusal
from loyalty.rule_book import RuleBook
from loyalty.rules.card_codes import card_number
from loyalty.rules.programme import ProgrammeRules
from loyalty.turnover import Tiers

CHUNK = 2_000
SEED = 20_240
CUSTOMERS = 3_000
DAYS = 395
"""A little more than a year, so that the first points have expired."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Seeded:
    """What came to be."""

    products: int
    shops: int
    customers: int
    receipts: int
    expired_lots: int


async def seed(
    clock: Clock,
    rules: ProgrammeRules,
    progress: Progress,
    *,
    customers: int = CUSTOMERS,
) -> Seeded:
    """Fill an empty database."""
    now = clock.now()
    chance = random.Random(SEED)
    progress("shops", 0, 1)
    await write_goods()
    seats = await write_chain(now)
    progress("shops", 1, 1)
    crowd = people(customers, chance=chance, now=now, days=DAYS)
    ids = await write_people(crowd, now, lambda done: progress("customers", done, len(crowd)))
    await Ledger(clock).open_accounts(ids)
    sales = list(history(crowd, chance=chance, now=now, rules=rules))
    telling = Telling(rules, crowd, ids, seats, now)
    await telling.write(sales, lambda done: progress("receipts", done, len(sales)))
    await _give_tiers(clock, rules, lambda done: progress("tiers", done, len(crowd)))
    await take_in_history(lambda done: progress("medicines", min(done, len(crowd)), len(crowd)))
    await Refills(clock).tidy()
    return Seeded(len(goods()), len(SHOPS), len(crowd), len(sales), telling.expired)


async def _give_tiers(clock: Clock, rules: ProgrammeRules, progress: Callable[[int], None]) -> None:
    """The owner has just saved rules of her own: the year so far decides about the tiers."""
    book = RuleBook(clock, rules)
    await book.open()
    saved = await book.save(
        demo_document(rules), by=STAFF[0].name, comment="Уровни; витамины по выходным"
    )
    assert not isinstance(saved, Refusal), saved
    progress(await Tiers(clock, book).sum_up_all())


async def write_goods() -> None:
    """The products of the catalogue."""
    await Product.bulk_create(
        [
            Product(
                sku=good.sku,
                name=good.name,
                category=good.category,
                price_minor=good.price_minor,
                units_per_pack=good.units_per_pack,
                daily_milli=good.daily_milli,
                medicine=good.medicine,
                prescription_only=good.prescription_only,
                barcode=good.barcode,
            )
            for good in goods()
        ],
        batch_size=200,
    )


async def write_chain(now: datetime) -> dict[tuple[str, int], Seat]:
    """Shops, tills and staff; returns the seats by shop code and number of the till."""
    password_hash = await hash_password(PASSWORD)
    shops, tills = {}, {}
    for plan in SHOPS:
        shops[plan.code] = await Shop.create(
            code=plan.code,
            name=plan.name,
            city=plan.city,
            address=plan.address,
            timezone=plan.timezone,
        )
        for number in range(plan.tills):
            tills[plan.code, number] = await Till.create(
                shop=shops[plan.code], code=f"{plan.code}-{number + 1}", name=f"Касса {number + 1}"
            )
    cashiers = {}
    for member in STAFF:
        row = await StaffMember.create(
            login=member.login,
            name=member.name,
            role=member.role,
            password_hash=password_hash,
            shop=shops[member.shop_code] if member.shop_code else None,
            created_at=now - timedelta(days=DAYS + 5),
        )
        if member.shop_code:
            cashiers[member.shop_code] = row.id
    return {
        (code, number): Seat(till.id, cashiers[code], code)
        for (code, number), till in tills.items()
    }


_SEATS = """
    SELECT s.code AS shop, t.id AS till_id, t.code AS till,
        (SELECT MIN(m.id) FROM staff_member m WHERE m.shop_id = s.id AND m.role = 'cashier')
        AS staff_id
    FROM shop s JOIN till t ON t.shop_id = s.id
"""


async def seats_of_chain() -> dict[tuple[str, int], Seat]:
    """What `write_chain` has returned, read again."""
    return {
        (row["shop"], int(row["till"].rpartition("-")[2]) - 1): Seat(
            row["till_id"], row["staff_id"], row["shop"]
        )
        for row in await query(_SEATS)
    }


async def write_people(
    crowd: Sequence[Person], now: datetime, progress: Callable[[int], None]
) -> list[int]:
    ids = [next_id() for _ in crowd]
    numbered = list(zip(ids, crowd, strict=True))
    for start in range(0, len(numbered), CHUNK):
        part = numbered[start : start + CHUNK]
        await insert_many(
            "customer",
            ("id", "name", "born_on", "city", "language", "timezone", "joined_at"),
            [
                (i, p.name, p.born_on.isoformat(), p.shop.city, "ru", p.shop.timezone,
                 to_micros(p.joined_at))
                for i, p in part
            ],
        )  # fmt: skip
        await insert_many(
            "identity",
            ("id", "customer_id", "kind", "value", "proof", "created_at"),
            [row for i, p in part for row in _identities(i, p)],
        )
        await insert_many(
            "consent_fact",
            ("id", "customer_id", "purpose", "channel", "granted", "at", "source", "wording"),
            [
                (next_id(), i, purpose, "", granted, to_micros(p.joined_at), "till", "demo-1")
                for i, p in part
                for purpose, granted in (("processing", True), ("marketing", p.marketing))
            ],
        )
        progress(min(start + CHUNK, len(numbered)))
    return ids


def _identities(customer_id: int, person: Person) -> Iterator[tuple[Any, ...]]:
    at = to_micros(person.joined_at)
    yield (next_id(), customer_id, "phone", person.phone, "staff", at)
    yield (next_id(), customer_id, "card", card_number(person.card_serial), "issued", at)
    if person.email:
        yield (next_id(), customer_id, "email", person.email, "staff", at)
