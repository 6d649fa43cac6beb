"""Tier: it has changed, what it gives; or the next one is near, how little is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from loyalty.rules.tiers import Tier
from messaging.journeys.carrying import customers_called
from messaging.journeys.declaration import DAY, Check, Journey, OnEvent, Send
from messaging.journeys.registry import Around, words
from messaging.journeys.stepping import Enrolled

CHANGED = Journey(
    name="tier_changed",
    title={"ru": "Новый уровень", "en": "Tier changed"},
    about={
        "ru": "Уровень изменился: что он даёт",
        "en": "The tier has changed: what it gives",
    },
    trigger=OnEvent(kinds=("tier.changed",)),
    leave=(Check("heard", "tier.changed"),),
    steps=(
        Send(
            name="news",
            template="tier_changed",
            topic="service",
            says="tier",
            channels=("messenger", "webpush", "email"),
            lives=3 * DAY,
        ),
    ),
)
NEAR = Journey(
    name="tier_near",
    title={"ru": "До уровня рукой подать", "en": "Tier near"},
    about={
        "ru": "До следующего уровня осталось немного",
        "en": "Little is missing to the next tier",
    },
    trigger=OnEvent(kinds=("tier.near",), after=DAY, fresh_for=2 * DAY),
    goal=Check("heard", "tier.changed"),
    steps=(Send(name="nudge", template="tier_near", says="tier", value=2),),
)
JOURNEYS = (CHANGED, NEAR)


@words("tier")
async def tier(enrolled: Sequence[Enrolled], around: Around) -> Mapping[int, dict[str, Any]]:
    """Its name in her language and what it earns; nothing of a tier that the rules have no more."""
    rules = around.programme.rules
    called = await customers_called(each.customer_id for each in enrolled)
    found = {}
    for each in enrolled:
        code, was = each.data["tier"], rules.tiers.place(each.data.get("was", ""))
        held = rules.tiers.get(code)
        if each.customer_id not in called or (code and held is None):
            continue
        language = called[each.customer_id][1]
        found[each.id] = {
            "tier": held.name(language) if held else None,
            "percent": _percent(held, rules.earn_permille, language),
            "is_up": int(rules.tiers.place(code) > was),
            "missing_minor": each.data.get("missing_minor", 0),
        }
    return found


def _percent(held: Tier | None, usual: int, language: str) -> str:
    """Of a purchase that comes back as points, as the reader writes it."""
    permille = usual if held is None or held.earn_permille is None else held.earn_permille
    text = f"{permille / 10:g}"
    return text.replace(".", ",") if language == "ru" else text
