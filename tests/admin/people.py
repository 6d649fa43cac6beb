"""A small chain with its staff, as the tests of admin/ want it."""

from dataclasses import dataclass
from functools import lru_cache

import argon2

from loyalty.clock import Clock
from loyalty.models import Product, Shop, StaffMember, Till

PASSWORD = "correct horse battery"
SECRET = b"a secret of the tests, 32 bytes or more"


@dataclass(frozen=True)
class Chain:
    """Garden Street has two tills and a cashier, Anna; Lake Street has one till and Boris."""

    garden: Shop
    lake: Shop
    garden_1: Till
    garden_2: Till
    lake_1: Till
    anna: StaffMember


@lru_cache(maxsize=1)
def password_hash() -> str:
    """Made once: argon2 is slow on purpose."""
    return argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(PASSWORD)


async def staff(
    clock: Clock, login: str, role: str = "cashier", *, shop: Shop | None = None
) -> StaffMember:
    return await StaffMember.create(
        login=login,
        name=login.title(),
        role=role,
        password_hash=password_hash(),
        shop_id=shop.id if shop else None,
        created_at=clock.now(),
    )


async def open_chain(clock: Clock) -> Chain:
    garden = await Shop.create(code="garden", name="Аптека на Садовой")
    lake = await Shop.create(code="lake", name="Аптека у озера")
    garden_1 = await Till.create(code="g1", name="Касса 1", shop_id=garden.id)
    garden_2 = await Till.create(code="g2", name="Касса 2", shop_id=garden.id)
    lake_1 = await Till.create(code="l1", name="Касса 1", shop_id=lake.id)
    anna = await staff(clock, "anna", shop=garden)
    await staff(clock, "boris", shop=lake)
    await staff(clock, "olga", "owner")
    await staff(clock, "maria", "marketer", shop=garden)
    for sku, name, price_minor, barcode in (
        ("N20", "Нурофен таблетки 200 мг №20", 28_900, "4600000000017"),
        ("I100", "Ибупрофен сироп 100 мл", 15_650, "4600000000024"),
        ("D3", "Витамин D3 капли 10 мл", 41_200, "4600000000031"),
    ):
        await Product.create(
            sku=sku, name=name, category="Здоровье", price_minor=price_minor, barcode=barcode
        )
    return Chain(garden, lake, garden_1, garden_2, lake_1, anna)
