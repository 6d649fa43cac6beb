"""The demo's customers: who they are, when they joined, and what they come back for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from faker import Faker

from app.demo.catalogue import Good, goods_by_need
from app.demo.chain import SHOPS, ShopPlan

CHRONIC = {"pressure": 0.34, "cholesterol": 0.16, "diabetes": 0.09, "thyroid": 0.08, "heart": 0.12,
           "joints": 0.12, "glaucoma": 0.03, "liver": 0.02, "dizziness": 0.03}  # fmt: skip
"""Chance of a standing medicine at sixty; it fades towards youth."""
_YOUNG_NEEDS = ("baby", "formula", "kids", "child_cold")


@dataclass(frozen=True, slots=True)
class Course:
    """A medicine taken without end: a pack lasts `days`."""

    good: Good
    days: int


@dataclass(frozen=True, slots=True)
class Person:
    """`visits` is how often she comes by chance, a year; `left_at` is when she stopped coming."""

    name: str
    born_on: date
    phone: str
    email: str | None
    card_serial: int
    shop: ShopPlan
    joined_at: datetime
    left_at: datetime | None
    visits: float
    courses: Sequence[Course]
    needs: Sequence[str]
    saver: float  # chance that she spends her points when she can
    marketing: bool


def people(count: int, *, chance: random.Random, now: datetime, days: int) -> list[Person]:
    """`count` customers who joined over the last `days`; the same chance makes the same ones."""
    faker = Faker("ru_RU")
    faker.seed_instance(chance.randrange(1 << 30))
    phones = chance.sample(range(10_000_000), count)
    serials = chance.sample(range(10**10), count)
    shops = chance.choices(SHOPS, [shop.weight for shop in SHOPS], k=count)
    found = []
    for i in range(count):
        sex = "f" if chance.random() < 0.68 else "m"
        first = faker.first_name_female() if sex == "f" else faker.first_name_male()
        last = faker.last_name_female() if sex == "f" else faker.last_name_male()
        age = min(92, max(18, chance.gauss(50, 17)))
        joined = now - timedelta(days=days * chance.random() ** 0.7, minutes=chance.randrange(600))
        stays = chance.random() < 0.72
        leaves = joined + timedelta(days=chance.uniform(5, 260))
        found.append(
            Person(
                name=f"{first} {last}",
                born_on=(now - timedelta(days=age * 365.25 + chance.randrange(365))).date(),
                phone=f"+7{chance.choice((903, 905, 909, 916, 926, 965, 977, 985))}{phones[i]:07d}",
                email=f"customer{i + 1}@example.com" if chance.random() < 0.45 else None,
                card_serial=serials[i],
                shop=shops[i],
                joined_at=joined,
                left_at=None if stays or leaves > now else leaves,
                visits=max(0.6, chance.lognormvariate(1.7, 0.7)),
                courses=_courses(age, chance),
                needs=_needs(age, sex, chance),
                saver=chance.choice((0.0, 0.1, 0.25, 0.5, 0.9)),
                marketing=chance.random() < 0.7,
            )
        )
    return found


def _courses(age: float, chance: random.Random) -> list[Course]:
    older = max(0.0, min(1.5, (age - 25) / 35))
    courses = []
    for need, likely in CHRONIC.items():
        if chance.random() < likely * older:
            lasting = [good for good in goods_by_need()[need] if good.units_per_pack >= 14]
            if lasting:
                good = chance.choice(lasting)
                daily_milli = good.daily_milli or 1000
                courses.append(Course(good, max(14, good.units_per_pack * 1000 // daily_milli)))
    return courses[:4]


def _needs(age: float, sex: str, chance: random.Random) -> list[str]:
    """What she buys by chance, the commoner the oftener in the list."""
    needs = ["cold", "cold", "pain", "stomach", "first_aid", "hygiene", "vitamins"]
    if chance.random() < 0.35:
        needs += ["food"]
    if age < 42 and chance.random() < 0.4:
        needs += _YOUNG_NEEDS * 2
    if sex == "f":
        needs += ["beauty", "beauty", "hygiene", "nerves"]
    if age > 55:
        needs += ["joints", "eyes", "nerves", "sleep", "care", "device"]
    if age < 40 and sex == "f" and chance.random() < 0.15:
        needs += ["pregnancy"] * 3
    if chance.random() < 0.22:
        needs += ["allergy"] * 2
    needs += chance.sample(["sun", "lenses", "skin", "infection", "ears", "device"], 2)
    if age > 40 and chance.random() < 0.06:
        needs += ["kidneys"]
    return needs
