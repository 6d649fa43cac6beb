"""Welcome: the first week after sign-up, and a promo code for the first purchase."""

from collections.abc import Mapping, Sequence
from typing import Any

from messaging.journeys.declaration import (
    DAY,
    END,
    MINUTE,
    Branch,
    Check,
    Do,
    Journey,
    OnEvent,
    Reward,
    Send,
    Wait,
)
from messaging.journeys.registry import Around, words
from messaging.journeys.stepping import Enrolled

JOURNEY = Journey(
    name="welcome",
    title={"ru": "Знакомство", "en": "Welcome"},
    about={
        "ru": "Первая неделя после вступления и промокод на первую покупку",
        "en": "The first week after sign-up, and a promo code for the first purchase",
    },
    trigger=OnEvent(kinds=("customer.joined",), after=MINUTE),
    steps=(
        Do(name="confirm", action="confirm_email", ends=("done", "needless")),
        Send(
            name="thanks", template="welcome_thanks", topic="service", says="spending", priority=4
        ),
        Wait(name="two_days", lasts=2 * DAY),
        Send(name="advice", template="welcome_advice"),
        Wait(name="four_days", lasts=2 * DAY),
        Send(name="tour", template="welcome_tour", topic="service"),
        Wait(name="six_days", lasts=2 * DAY),
        Branch(name="newcomer", asks=Check("has_bought"), on={"yes": END}),
        Reward(
            name="gift",
            permille=100,
            title="Скидка на первую покупку",
            first_purchase=True,
            on={"refused": END},
        ),
        Send(name="code", template="welcome_code", needs=Check("code_unused"), value=3),
        Wait(name="until_it_ends", until="ends_at", before=2 * DAY),
        Branch(name="noticed", asks=Check("read", "code"), on={"no": "push"}),
        Send(
            name="reminder",
            template="promo_expiring",
            needs=Check("code_unused"),
            value=4,
            on=dict.fromkeys(("sent", "capped", "skipped", "failed", "late", "untrue"), END),
        ),
        Send(
            name="push",
            template="promo_expiring",
            needs=Check("code_unused"),
            channels=("webpush", "messenger"),
            value=4,
        ),
    ),
)


@words("spending")
async def spending(enrolled: Sequence[Enrolled], around: Around) -> Mapping[int, dict[str, Any]]:
    """How much of a purchase points may pay for, by the rules in force."""
    percent = around.programme.rules.spend_percent_max
    return {each.id: {"percent": percent} for each in enrolled}
