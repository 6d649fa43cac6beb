"""Promo codes in the chat: having some, entering one, coming by a link; guessing is in vain."""

from datetime import timedelta

import pytest

from loyalty.clock import VirtualClock
from loyalty.instants import to_micros
from loyalty.programme import Programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.promo_codes import grouped
from tests.conversations.people import MENU_RU, join
from tests.conversations.stage import Chat, Stage, TelegramChat
from tests.loyalty.tills import HERE, TillHand, open_shop

ENTER = "Ввести промокод"


@pytest.fixture
async def spring(programme: Programme, clock: VirtualClock) -> Campaign:
    """Ten percent for purchases of 500 and more, for three days."""
    terms = Terms(
        kind=Kind.PERCENT,
        permille=100,
        min_total_minor=500_00,
        per_customer_max=1,
        ends_at=to_micros(clock.now() + timedelta(days=3)),
    )
    made = await programme.campaigns.create("spring", "Весна", terms, shared_code="ВЕСНА10")
    assert isinstance(made, Campaign)
    return made


async def test_a_code_is_entered_and_then_hers(chat: Chat, spring: Campaign) -> None:
    await join(chat)
    await chat.click("🎟️ Промокоды")
    chat.sees("Сейчас у вас нет промокодов", buttons=[ENTER])
    await chat.click(ENTER)
    chat.sees("Напишите промокод")
    await chat.send("весна-10")
    chat.sees("Промокод ваш!", "скидка 10 %", "Весна", "ВЕСНА10", "от 500\xa0₽", "осталось 3 дня")
    await chat.send("мои промокоды")
    chat.sees("Кассир увидит их", "скидка 10 %", "до 4 янв. 2026", buttons=[ENTER])


async def test_the_till_is_offered_it_and_uses_it_up(
    chat: Chat, programme: Programme, spring: Campaign
) -> None:
    customer = await join(chat)
    await open_shop()
    await programme.promo.enter(customer.id, "ВЕСНА10")
    lookup = await programme.checkout.lookup(till_id=HERE, card=customer.card_number)
    assert [code.code for code in lookup.promos] == ["ВЕСНА10"]
    till = TillHand(programme)
    quote = await till.quote(customer.card_number, "R1", "600.00", promo=["ВЕСНА10"])
    await chat.send("/codes")
    chat.sees("Прямо сейчас его применяют на кассе")
    await till.commit(quote.quote_id, "R1")
    await chat.send("/codes")
    chat.sees("Сейчас у вас нет промокодов")
    await chat.click(ENTER)
    await chat.send("ВЕСНА10")
    chat.sees("Вы уже использовали этот промокод")


async def test_a_personal_code_is_understood_however_it_comes(
    chat: Chat, programme: Programme, clock: VirtualClock
) -> None:
    letters = await programme.campaigns.create(
        "letters", "Подарок <3", Terms(kind=Kind.GIFT, gift_name="Крем & пена")
    )
    assert isinstance(letters, Campaign)
    await programme.campaigns.generate(letters.id, 1, "k")
    [code] = await programme.campaigns.codes("k")
    await join(chat)
    await chat.send(f" {grouped(code).lower()} ")
    chat.sees("Промокод ваш!", "подарок: Крем & пена", "Подарок <3", grouped(code))


async def test_the_last_hours_are_counted(
    chat: Chat, programme: Programme, spring: Campaign, clock: VirtualClock
) -> None:
    customer = await join(chat)
    await programme.promo.enter(customer.id, "ВЕСНА10")
    clock.advance(timedelta(days=2, hours=19))
    await chat.send("/codes")
    chat.sees("осталось 5 часов")
    clock.advance(timedelta(hours=6))
    await chat.send("/codes")
    chat.sees("Сейчас у вас нет промокодов")


async def test_unknown_and_expired_read_the_same_and_guessing_ends(
    chat: Chat, programme: Programme, spring: Campaign, clock: VirtualClock
) -> None:
    await join(chat)
    clock.advance(timedelta(days=4))
    answers = set()
    for text in ("ВЕСНА10", "ВЕСНА11", "что-то не то"):
        await chat.send("/codes")
        await chat.click(ENTER)
        await chat.send(text)
        answers.add(chat.screen.texts[-1])
    assert answers == {"Этот промокод не подходит. Проверьте, как он написан."}
    for n in range(3):
        await chat.send("/codes")
        await chat.click(ENTER)
        await chat.send(f"ЕЩЁ{n}")
    chat.sees("Слишком много неверных кодов", "через 15 минут")


async def test_a_menu_button_is_no_code(chat: Chat, spring: Campaign) -> None:
    await join(chat)
    await chat.send("/codes")
    await chat.click(ENTER)
    await chat.click("💎 Мои бонусы")
    chat.sees("У вас 100 бонусов")


async def test_a_link_brings_the_code_to_a_customer(
    telegram: TelegramChat, spring: Campaign
) -> None:
    await join(telegram)
    await telegram.send("/start promo_ВЕСНА10")
    telegram.sees("Промокод ваш!", "скидка 10 %")
    await telegram.send("/start promo_NOSUCH")
    telegram.sees("не подходит", buttons=MENU_RU)
    await telegram.send("/start whatever")
    telegram.sees("Что показать?")


async def test_a_link_brings_the_code_to_who_joins_by_it(
    telegram: TelegramChat, stage: Stage, spring: Campaign
) -> None:
    await telegram.send("/start promo_ВЕСНА10")
    await telegram.click("Русский")
    await telegram.click("Даю согласие")
    await telegram.click("Да, присылайте")
    await telegram.share_contact("+79001234567")
    telegram.sees("Вы с нами!", "Промокод ваш!", "скидка 10 %", buttons=MENU_RU)


async def test_the_statement_tells_what_the_code_has_added(
    chat: Chat, programme: Programme
) -> None:
    customer = await join(chat)
    await open_shop()
    terms = Terms(kind=Kind.POINTS, points=200)
    await programme.campaigns.create("more", "Больше", terms, shared_code="MORE")
    till = TillHand(programme)
    quote = await till.quote(customer.card_number, "R1", "1000.00", promo=["MORE"])
    await till.commit(quote.quote_id, "R1")
    await chat.click("💎 Мои бонусы")
    await chat.click("1")
    chat.sees("+250", "+50 (5 % от 1", ", по промокоду +200")
