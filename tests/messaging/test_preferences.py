"""What a customer chooses: kept as consents and a row, the same from the page and from the chat."""

from datetime import timedelta

import pytest

from loyalty import consents
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import Identity
from loyalty.rules.consents import is_granted
from messaging import preferences, suppressions
from messaging.leaving import come_back, leave, letter
from messaging.policy.consent import OptIn, Suppression
from messaging.preference_words import masked, zone_name
from messaging.preferences import WISHES, Preferences, Said, Wishes
from messaging.suppressions import Suppressed, suppress
from messaging.templates import Body
from tests.messaging.conftest import customer_with
from tests.messaging.letters import ADDRESSES, send

EMAIL = ("email", ADDRESSES["email"])
PHONE = ("phone", ADDRESSES["sms"])


def said(clock: VirtualClock, source: str = "link") -> Said:
    clock.advance(timedelta(seconds=1))
    return Said(source, clock.now(), "w")


async def anna_agreed(clock: VirtualClock) -> int:
    """A customer with every address, who agreed to advertising when she joined."""
    anna = await customer_with(("telegram", "5001"), EMAIL, PHONE)
    await _fact(anna, clock, "", True)
    return anna


async def _fact(customer_id: int, clock: VirtualClock, channel: str, granted: bool) -> None:
    await consents.record(
        customer_id, clock.now(), purpose="marketing", channel=channel, granted=granted,
        source="telegram", wording="join",
    )  # fmt: skip


async def gets(customer_id: int) -> str:
    """Where advertising goes by the consents that the dispatcher reads."""
    holds = await consents.consents_of(customer_id)
    return " ".join(c for c in ("messenger", "email", "sms") if is_granted(holds, "marketing", c))


async def hers(customer_id: int) -> Preferences:
    found = await preferences.preferences_of(customer_id)
    assert found is not None
    return found


async def stands(clock: VirtualClock, *address: str) -> list[tuple[str, str]]:
    found = await suppressions.standing([address], at=to_micros(clock.now()))  # type: ignore[list-item]
    return [(entry.reason, entry.topic) for entry in found]


async def test_what_nobody_chose_is_the_programmes(db: str, clock: VirtualClock) -> None:
    found = await hers(await anna_agreed(clock))
    assert (found.weekly_max, found.quiet, found.surveys, found.stopped) == (
        None,
        None,
        True,
        False,
    )
    assert [(c.name, c.gets) for c in found.channels] == [
        ("messenger", True), ("email", True), ("sms", True),
    ]  # fmt: skip
    assert found.email_opt_in is OptIn.MISSING
    assert await preferences.preferences_of(1) is None


async def test_channels_are_consents(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    assert await preferences.set_channel(anna, "sms", False, said(clock))
    assert not await preferences.set_channel(anna, "sms", False, said(clock)), "said once"
    assert await gets(anna) == "messenger email"
    assert await preferences.set_channel(anna, "sms", True, said(clock))
    assert await gets(anna) == "messenger email sms"
    history = await consents.history(anna)
    assert [(f.channel, f.granted, f.source, f.wording) for f in history[1:]] == [
        ("sms", False, "link", "w"), ("sms", True, "link", "w"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="pigeon"):
        await preferences.set_channel(anna, "pigeon", True, said(clock))


async def test_stop_all_and_back(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    await preferences.set_channel(anna, "sms", False, said(clock))
    assert await preferences.stop_advertising(anna, said(clock))
    assert not await preferences.stop_advertising(anna, said(clock))
    assert await gets(anna) == ""
    found = await hers(anna)
    assert found.stopped
    assert [(c.name, c.wants, c.gets) for c in found.channels] == [
        ("messenger", True, False), ("email", True, False), ("sms", False, False),
    ]  # fmt: skip
    assert await preferences.resume_advertising(anna, said(clock))
    assert not await preferences.resume_advertising(anna, said(clock))
    assert await gets(anna) == "messenger email"


async def test_asking_for_it_lifts_her_own_word_and_no_other(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    for reason in ("unsubscribed", "complained", "bounced"):
        entry = Suppressed(address_kind="email", address=EMAIL[1], reason=reason, topic="marketing")
        await suppress([entry], at=clock.now())
    await preferences.set_channel(anna, "sms", True, said(clock))
    assert len(await stands(clock, *EMAIL)) == 3
    await preferences.set_channel(anna, "email", True, said(clock))
    assert await stands(clock, *EMAIL) == [("bounced", "marketing")]


async def wishes_of(customer_id: int) -> Wishes:
    text = f"SELECT {WISHES} FROM (SELECT $1 AS id) c LEFT JOIN preference p ON customer_id = id"
    [row] = await query(text.replace("$1", str(customer_id)))
    return preferences.wishes(row)


async def test_how_often_and_when(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    await preferences.set_weekly_max(anna, 1, clock.now())
    await preferences.set_quiet(anna, (1320, 480), clock.now())
    await preferences.set_surveys(anna, False, clock.now())
    found = await hers(anna)
    assert (found.weekly_max, found.quiet, found.surveys) == (1, (1320, 480), False)
    off = Suppression(reason="unsubscribed", topic="survey")
    assert await wishes_of(anna) == Wishes(1, (1320, 480), (off,))
    assert await wishes_of(1) == Wishes()
    await preferences.set_weekly_max(anna, None, clock.now())
    await preferences.set_quiet(anna, None, clock.now())
    await preferences.set_surveys(anna, True, clock.now())
    assert await wishes_of(anna) == Wishes()
    for wrong in (0, 4, -1):
        with pytest.raises(ValueError, match="choice"):
            await preferences.set_weekly_max(anna, wrong, clock.now())
    with pytest.raises(ValueError, match="minutes"):
        await preferences.set_quiet(anna, (1440, 0), clock.now())


# leaving by a link


async def test_leaving_takes_the_consent_and_closes_the_address(
    db: str, clock: VirtualClock
) -> None:
    anna = await anna_agreed(clock)
    attempt_id, _ = await send(clock, Body("x"), customer_id=anna)
    found = await letter(attempt_id)
    assert found is not None
    assert not found.left
    for _ in range(2):
        await leave(found, said(clock))
    assert await gets(anna) == "messenger sms"
    assert await stands(clock, *EMAIL) == [("unsubscribed", "marketing")]
    assert len(await consents.history(anna)) == 2, "said once"
    again = await letter(attempt_id)
    assert again is not None
    assert again.left


async def test_who_comes_back_has_agreed_again(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    attempt_id, _ = await send(clock, Body("x"), customer_id=anna)
    found = await letter(attempt_id)
    assert found is not None
    await leave(found, said(clock))
    await come_back(found, said(clock))
    assert await gets(anna) == "messenger email sms"
    assert await stands(clock, *EMAIL) == []


async def test_coming_back_agrees_for_nobody_who_had_not(db: str, clock: VirtualClock) -> None:
    anna = await customer_with(EMAIL)
    attempt_id, _ = await send(clock, Body("x"), customer_id=anna)
    found = await letter(attempt_id)
    assert found is not None
    await leave(found, said(clock))
    await come_back(found, said(clock))
    assert await gets(anna) == ""
    await _fact(anna, clock, "", True)
    await leave(found, said(clock))
    await preferences.stop_advertising(anna, said(clock))
    await come_back(found, said(clock))
    assert await gets(anna) == "", "her later word stands"


async def test_leaving_surveys_leaves_surveys_alone(db: str, clock: VirtualClock) -> None:
    anna = await anna_agreed(clock)
    attempt_id, _ = await send(clock, Body("x"), customer_id=anna, topic="survey")
    found = await letter(attempt_id)
    assert found is not None
    await leave(found, said(clock))
    assert await gets(anna) == "messenger email sms"
    assert await stands(clock, *EMAIL) == [("unsubscribed", "survey")]


async def test_service_cannot_be_left_and_a_stranger_can_leave(
    db: str, clock: VirtualClock
) -> None:
    service, _ = await send(clock, Body("x"), topic="service")
    assert await letter(service) is None
    assert await letter(1) is None
    bare, _ = await send(clock, Body("x"), key="bare", channel="sms")
    found = await letter(bare)
    assert found is not None
    assert found.customer_id is None
    await leave(found, said(clock))
    assert await stands(clock, *PHONE) == [("unsubscribed", "marketing")]


async def test_a_left_address_stays_closed_for_whoever_gets_it_next(
    db: str, clock: VirtualClock
) -> None:
    anna = await anna_agreed(clock)
    attempt_id, _ = await send(clock, Body("x"), customer_id=anna)
    found = await letter(attempt_id)
    assert found is not None
    await leave(found, said(clock))
    await Identity.filter(kind="email").update(ended_at=clock.now())
    boris = await customer_with(EMAIL)  # a re-import under another name
    await _fact(boris, clock, "", True)
    assert await stands(clock, *EMAIL) == [("unsubscribed", "marketing")]


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("email", "anna@shop.example", "an•••@shop.example"),
        ("email", "a@shop.example", "a•••@shop.example"),
        ("phone", "+79001234567", "+7 ••• •••-45-67"),
        ("telegram", "5001", ""),
    ],
)
def test_an_address_is_shown_to_its_owner_alone(kind: str, value: str, shown: str) -> None:
    assert masked(kind, value) == shown


@pytest.mark.parametrize(
    ("language", "zone", "name"),
    [
        ("ru", "Europe/Moscow", "Москва"),
        ("en", "Asia/Yekaterinburg", "Yekaterinburg"),
        ("ru", "Nowhere/Nothing", "Nowhere/Nothing"),
    ],
)
def test_a_zone_is_called_by_its_city(language: str, zone: str, name: str) -> None:
    assert zone_name(language, zone) == name
