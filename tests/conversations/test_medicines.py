"""My medicines in the chat: from receipts and by hand, doses and stock, answers to reminders."""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.checkout import Line
from loyalty.clock import VirtualClock
from loyalty.courses import CourseView
from loyalty.customers import CustomerView
from loyalty.models import Product
from loyalty.programme import Programme
from messaging.preferences import preferences_of
from tests.conversations.people import join, presses, receives
from tests.conversations.stage import Chat
from tests.loyalty.people import BORIS, joined
from tests.loyalty.tills import HERE, open_shop

PAGE = [
    *("✅ Куплено", "⏰ Позже", "✏️ Изменить дозу", "📦 Сколько осталось"),
    *("🔕 Не напоминать", "« Все лекарства"),
]


@pytest.fixture
async def anna(chat: Chat) -> CustomerView:
    await open_shop()
    for sku, units in (("amlo30", 30), ("amlo90", 90)):
        await Product.create(
            sku=sku, name=f"Амлодипин 5 мг №{units}", category="x", price_minor=100_00,
            units_per_pack=units, daily_milli=1000, medicine="Амлодипин 5 мг",
            prescription_only=True,
        )  # fmt: skip
    return await join(chat)


async def buys(programme: Programme, her: CustomerView, number: str, sku: str = "amlo30") -> None:
    answer = await programme.checkout.commit(
        till_id=HERE, key=number, card=her.card_number, receipt_number=number,
        lines=[Line(sku, sku, 1000, 100_00, 100_00)],
    )  # fmt: skip
    assert answer


async def course(programme: Programme, her: CustomerView) -> CourseView:
    [found] = await programme.refills.courses_of(her.id)
    return found


async def test_an_empty_list_says_what_it_is_for(chat: Chat, anna: CustomerView) -> None:
    await chat.click("💊 Лекарства")
    chat.sees("появится само", buttons=["➕ Добавить лекарство"])


async def test_what_is_bought_with_the_card_is_on_the_list(
    chat: Chat, programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    clock.advance(timedelta(days=9))
    await chat.send("мои таблетки")
    chat.sees("1. Амлодипин 5 мг", "остался 21 день, до 31 января 2026")
    await chat.click("1")
    chat.sees("Обычно принимают: 1 в день", "Осталось примерно: 21", buttons=PAGE)
    chat.sees("Напомним 26 января 2026")
    await chat.click("« Все лекарства")
    chat.sees("Ваши лекарства")


async def test_a_long_list_is_turned_over(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    for n in range(14):
        await programme.refills.add(
            anna.id, name=f"Сбор {n}", pack_units=20, daily_milli=1000, stock_milli=(n + 9) * 1000
        )
    await chat.send("/medicines")
    chat.sees("1. Сбор 0", "12. Сбор 11")
    assert "« Назад" not in chat.screen.buttons
    await chat.click("Дальше »")
    chat.sees("13. Сбор 12", "14. Сбор 13")
    await chat.click("14")
    chat.sees("Сбор 13")
    await chat.click("« Все лекарства")
    chat.sees("1. Сбор 0")


async def test_one_of_the_catalogue_is_added_by_taps(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    await chat.send("/medicines")
    await chat.click("➕ Добавить лекарство")
    chat.sees("Напишите название")
    await chat.send("амлодипин")
    chat.sees("Это одно из них?", buttons=[
        "Амлодипин 5 мг №30", "Амлодипин 5 мг №90", "Нет, просто «амлодипин»",
    ])  # fmt: skip
    await chat.click("Амлодипин 5 мг №30")
    chat.sees("Сколько вы принимаете в день?", buttons=[
        "½", "1", "1½", "2", "3", "4", "раз в неделю",
    ])  # fmt: skip
    await chat.click("2")
    chat.sees("Сколько у вас сейчас есть?")
    await chat.click("Половина: 15")
    chat.sees("Добавили", "Вы принимаете: 2 в день", "Осталось примерно: 15", buttons=PAGE)
    hers = await course(programme, anna)
    assert (hers.daily_milli, hers.prescription_only) == (2000, True)
    await chat.click("4")  # a button of a step that has gone by
    chat.sees("Эта кнопка больше не действует")
    assert (await course(programme, anna)).daily_milli == 2000


async def test_any_other_is_added_by_typing(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    await chat.send("/medicines")
    await chat.click("➕ Добавить лекарство")
    await chat.send("Карта <сбор> № 5")  # looks like a question, and like HTML
    chat.sees("Карта <сбор> № 5", "Сколько таблеток или доз в упаковке?")
    await chat.send("много")
    chat.sees("Напишите число")
    await chat.send("0")
    chat.sees("Такого числа быть не может")
    await chat.send("в пачке 40 штук")
    await chat.send("по полтаблетки")
    chat.sees("Сколько у вас сейчас есть?")
    await chat.send("7,5")
    chat.sees("Добавили", "Карта <сбор> № 5", "Вы принимаете: ½ в день", "Осталось 15 дней")
    hers = await course(programme, anna)
    assert (hers.pack_units, hers.daily_milli, hers.stock_milli) == (40, 500, 7500)


async def test_a_menu_button_ends_the_adding(chat: Chat, anna: CustomerView) -> None:
    await chat.send("/medicines")
    await chat.click("➕ Добавить лекарство")
    await chat.click("💎 Мои бонусы")
    chat.sees("У вас 100 бонусов")
    await chat.send("/medicines")
    chat.sees("появится само")


async def test_dose_and_stock_are_changed(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    await chat.send("/medicines")
    await chat.click("1")
    await chat.click("✏️ Изменить дозу")
    await chat.click("1½")
    chat.sees("Записали", "Вы принимаете: 1½ в день", "Осталось 20 дней")
    await chat.click("✏️ Изменить дозу")
    await chat.click("Другая доза")
    chat.sees("Напишите, сколько принимаете в день")
    await chat.send("раз в неделю")
    chat.sees("Вы принимаете: раз в неделю")
    await chat.click("📦 Сколько осталось")
    await chat.send("999999")
    chat.sees("Такого числа быть не может")
    await chat.send("4 штуки")
    chat.sees("Записали", "Осталось примерно: 4")
    assert (await course(programme, anna)).stock_milli == 4000


async def test_stopped_and_resumed(chat: Chat, programme: Programme, anna: CustomerView) -> None:
    await buys(programme, anna, "R1")
    await chat.send("/medicines")
    await chat.click("1")
    await chat.click("🔕 Не напоминать")
    chat.sees("Больше не напоминаем", buttons=[*PAGE[:4], "🔔 Снова напоминать", PAGE[5]])
    await chat.send("/medicines")
    chat.sees("без напоминаний")
    await chat.click("1")
    await chat.click("🔔 Снова напоминать")
    chat.sees("Напомним", buttons=PAGE)


async def test_bought_counts_one_pack_however_often_it_is_tapped(
    chat: Chat, programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    clock.advance(timedelta(days=28))
    await chat.send("/medicines")
    await chat.click("1")
    stale = await course(programme, anna)
    await chat.click("✅ Куплено")
    chat.sees("плюс одна упаковка", "Осталось 32 дня")
    noted: Any = await programme.refills.bought(anna.id, stale.id, stale.cycle)
    assert not noted
    assert (await course(programme, anna)).stock_milli == 32_000


async def test_later_asks_when(
    chat: Chat, programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    clock.advance(timedelta(days=28))
    await chat.send("/medicines")
    await chat.click("1")
    await chat.click("⏰ Позже")
    chat.sees("Когда напомнить?", buttons=[
        "через 1 день", "через 3 дня", "через 7 дней", "через 14 дней", "« Назад",
    ])  # fmt: skip
    await chat.click("через 3 дня")
    chat.sees("Отложили", "Напомним 1 февраля 2026")


async def test_a_button_that_is_out_of_date_says_so_and_shows_how_things_stand(
    chat: Chat, programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    clock.advance(timedelta(days=28))
    await chat.send("/medicines")
    await chat.click("1")
    await buys(programme, anna, "R2")
    await chat.click("✅ Куплено")
    chat.sees("Вы уже ответили на это", "Осталось 32 дня")


async def test_what_was_returned_is_not_reminded_of(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    await programme.checkout.cancel(till_id=HERE, key="c", receipt_number="R1")
    await chat.send("/medicines")
    chat.sees("ничего не осталось")


async def test_names_in_notifications_are_her_choice(
    chat: Chat, programme: Programme, anna: CustomerView
) -> None:
    await buys(programme, anna, "R1")
    await chat.send("/medicines")
    hers = await preferences_of(anna.id)
    assert hers is not None
    assert not hers.medicine_names
    await chat.click("👁 Показывать названия в SMS и уведомлениях")
    hers = await preferences_of(anna.id)
    assert hers is not None
    assert hers.medicine_names
    await chat.click("🙈 Скрыть названия в SMS и уведомлениях")
    hers = await preferences_of(anna.id)
    assert hers is not None
    assert not hers.medicine_names


async def reminded(chat: Chat, programme: Programme, her: CustomerView) -> CourseView:
    hers = await course(programme, her)
    assert hers.ends_at is not None
    context = {
        "programme": "Капсула", "medicine": hers.name, "shown": None, "days": 4,
        "ends": hers.ends_at.isoformat(), "prescription": 1, "course": hers.id,
        "cycle": hers.cycle,
    }  # fmt: skip
    await receives(chat, "refill", context)
    chat.sees("Амлодипин 5 мг: осталось примерно на 4 дня", "Понадобится рецепт", buttons=[
        "✅ Куплено", "⏰ Позже", "✏️ Изменить дозу", "🔕 Не напоминать",
    ])  # fmt: skip
    return hers


@pytest.mark.parametrize(
    ("taps", "seen"),
    [
        (["✅ Куплено"], "плюс одна упаковка"),
        (["⏰ Позже", "через 7 дней"], "Напомним 3 февраля 2026"),
        (["✏️ Изменить дозу", "½"], "Вы принимаете: ½ в день"),
        (["🔕 Не напоминать"], "Больше не напоминаем об этом лекарстве"),
    ],
)
async def test_a_reminder_is_answered_in_place(
    chat: Chat,
    programme: Programme,
    clock: VirtualClock,
    anna: CustomerView,
    taps: list[str],
    seen: str,
) -> None:
    await buys(programme, anna, "R1")
    clock.advance(timedelta(days=26))
    await reminded(chat, programme, anna)
    for label in taps:
        await chat.click(label)
    chat.sees("Амлодипин 5 мг", seen)


async def test_somebody_elses_reminder_answers_nothing(
    chat: Chat, programme: Programme, clock: VirtualClock, anna: CustomerView
) -> None:
    other = "webchat" if chat.front == "telegram" else "telegram"
    boris = await joined(programme, phone=BORIS, front_kind=other, front_value="777")
    await buys(programme, boris, "R1")
    [his] = await programme.refills.courses_of(boris.id)
    context = {
        "programme": "Капсула", "medicine": his.name, "shown": None, "days": 4,
        "ends": "2026-02-01", "prescription": 0, "course": his.id, "cycle": his.cycle,
    }  # fmt: skip
    await receives(chat, "refill", context)
    await chat.click("🔕 Не напоминать")
    chat.sees("Этого лекарства больше нет в вашем списке")
    [after] = await programme.refills.courses_of(boris.id)
    assert after == his


NO_BUTTONS = [
    *(f"med:{what}:{10**23}:0" for what in ("show", "bought", "stop", "resume", "later")),
    f"med:show:{1 << 63}:1", "med:show:0:1", "med:show:-1:1", f"med:bought:1:{10**23}",
    f"medlater:{10**23}:1:3", f"medlater:1:1:{10**23}", f"meddose:{10**23}:1000",
    f"meddose:1:{10**23}", f"meds:list:{10**23}", "meds:list:-1", f"medadd:found:{10**23}",
    f"points:{10**23}", f"points:{1 << 63}", "points:-1", f"why:{10**23}:0",
    f"why:{(1 << 63) - 1}:0", f"why:1:{10**23}", "why:-1:0",
]  # fmt: skip


async def test_a_number_that_fits_no_column_is_no_button(chat: Chat, anna: CustomerView) -> None:
    for data in NO_BUTTONS:
        await presses(chat, data)
        chat.sees("Эта кнопка больше не действует")
        assert not chat.screen.texts, data


async def test_the_same_in_english(chat: Chat, programme: Programme, anna: CustomerView) -> None:
    await programme.customers.set_language(anna.id, "en")
    await buys(programme, anna, "R1")
    await chat.send("my medicines")
    chat.sees("Your medicines", "30 days left, until January 31, 2026")
    await chat.click("1")
    chat.sees("Usually taken: 1 a day", "We remind you on January 26, 2026")
