"""Points: the balance, the operations, and why each of them happened."""

from datetime import timedelta

import pytest

from loyalty.checkout import Back
from loyalty.clock import VirtualClock
from loyalty.instants import to_micros
from loyalty.programme import Programme, build_programme
from loyalty.programme_document import ProgrammeDocument
from loyalty.rules.earning_rules import EarningCaps, EarningRules, Multiplier, Selection
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.tiers import Tier, TierRules
from tests.conversations.people import join
from tests.conversations.stage import Chat, Stage, TelegramChat, WebChat
from tests.loyalty.tills import TillHand, give, open_shop, qr


async def test_a_new_customer_sees_her_gift(chat: Chat) -> None:
    await join(chat)
    await chat.click("💎 Мои бонусы")
    chat.sees(
        "💎 У вас 100 бонусов",
        "🔥 Скоро сгорят: 100 бонусов, 31 января 2026",
        "1. +100 · подарок за вступление · 1 января 2026",
        buttons=["1"],
    )


async def test_why_did_i_get_this(chat: Chat) -> None:
    await join(chat)
    await chat.click("💎 Мои бонусы")
    await chat.click("1")
    chat.sees(
        "+100 · Подарок за вступление",
        "Наш подарок за вступление в программу.",
        "действуют до 31 января 2026",
        "Стало: 100 бонусов",
        buttons=["« Назад"],
    )
    await chat.click("« Назад")
    chat.sees("💎 У вас 100 бонусов")


async def test_a_purchase_explains_each_line(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await open_shop()
    till = TillHand(programme)
    await till.sell(await qr(programme, customer.id), "R-7", "1240.00", "100.00 tobacco")
    await chat.click("💎 Мои бонусы")
    chat.sees("💎 У вас 162 бонуса", "1. +62 · покупка", buttons=["1", "2"])
    await chat.click("1")
    chat.sees(
        "Чек № R-7",
        "Крем для рук",
        "+62 (5 % от",
        "на этот товар бонусы не начисляются",
    )


async def test_points_spent_and_given_back(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await open_shop()
    till = TillHand(programme)
    card = await qr(programme, customer.id)
    quote = await till.quote(card, "R-8", "300.00", spend=90)
    await chat.click("💎 Мои бонусы")
    chat.sees("💎 У вас 10 бонусов", "🛒 Отложены на кассе: 90 бонусов")
    await till.commit(quote.quote_id, "R-8")
    await chat.click("💎 Мои бонусы")
    chat.sees("оплата бонусами", "−90")
    await till.cancel("R-8")
    await chat.click("💎 Мои бонусы")
    chat.sees("💎 У вас 100 бонусов", "покупка отменена, бонусы вернулись")


async def test_goods_that_came_back_are_explained_line_by_line(
    chat: Chat, programme: Programme
) -> None:
    customer = await join(chat)
    await open_shop()
    till = TillHand(programme)
    card = await qr(programme, customer.id)
    quote = await till.quote(card, "R-9", "3x300.00", "100.00 recipe", spend=60)
    await till.commit(quote.quote_id, "R-9")
    await till.take_back("R-9", "B-1", [Back(1, 2000), Back(2)])
    await chat.click("💎 Мои бонусы")
    chat.sees(
        "💎 У вас 84 бонуса",
        "1. −13 · возврат товара ·",
        "2. +40 · возврат товара, бонусы вернулись",
        buttons=["1", "2", "3", "4", "5"],
    )
    await chat.click("2")
    chat.sees(
        "+40 · Возврат товара, бонусы вернулись",
        "Вы вернули товар, и бонусы, которыми он был оплачен, снова у вас.",
        "Возврат по чеку № R-9, товары на 300",
        "• Крем для рук × 2, 200",
        ": +40",
    )
    await chat.click("« Назад")
    await chat.click("1")
    chat.sees(
        "−13 · Возврат товара",
        "Вы вернули товар, поэтому начисленные за него бонусы сняты.",
        "• Крем для рук × 2, 200",
        ": −8",
        "• Крем для рук, 100",
        ": −5",
    )


async def test_points_that_were_used_up_are_let_go(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await open_shop()
    till = TillHand(programme)
    await till.sell(await qr(programme, customer.id), "R-1", "1000.00")
    quote = await till.quote(await qr(programme, customer.id), "R-2", "500.00", spend=150)
    await till.commit(quote.quote_id, "R-2")
    await till.take_back("R-1", "B-1")
    await chat.click("💎 Мои бонусы")
    chat.sees("💎 У вас 0 бонусов", "1. −17 · возврат товара ·")
    await chat.click("1")
    chat.sees(": −50", "Часть из них уже израсходована", "33 бонуса")


async def test_operations_page_by_page(
    chat: Chat, programme: Programme, clock: VirtualClock
) -> None:
    customer = await join(chat)
    for points in range(1, 12):
        clock.advance(timedelta(hours=1))
        await give(programme, customer.id, points)
    await chat.send("/points")
    chat.sees("1. +11", "5. +7", buttons=["1", "2", "3", "4", "5", "Раньше »"])
    await chat.click("Раньше »")
    chat.sees("1. +6", "5. +2", buttons=["1", "2", "3", "4", "5", "« Последние", "Раньше »"])
    await chat.click("2")
    chat.sees("+5")
    await chat.click("« Назад")
    chat.sees("1. +6")
    await chat.click("Раньше »")
    chat.sees("1. +1", "2. +100 · подарок за вступление", buttons=["1", "2", "« Последние"])
    await chat.click("« Последние")
    chat.sees("1. +11")


async def test_the_page_shows_what_another_process_has_changed(
    chat: Chat, programme: Programme
) -> None:
    customer = await join(chat)
    await chat.send("/points")
    chat.sees("💎 У вас 100 бонусов")
    other = build_programme(clock=programme.clock, secret=b"x" * 32, rules=programme.rules)
    await give(other, customer.id, 7)
    await other.customers.set_language(customer.id, "en")
    await chat.send("/points")
    chat.sees("💎 You have 107 points", "1. +7", buttons=["1", "2"])
    [front] = await other.customers.fronts(customer.id)
    await other.customers.leave_front(*front)
    await chat.send("/points")
    chat.sees("Добро пожаловать")
    await other.stop()


async def test_a_forged_page_is_no_page(telegram: TelegramChat) -> None:
    await join(telegram)
    await telegram.click("💎 Мои бонусы")
    number = max(telegram.chat.messages)
    for data in ("points:", "points:x", "points:1:2", "pointsx:1"):
        await telegram.click_data(number, data)
        telegram.sees("Эта кнопка больше не действует")


async def test_pending_points_say_when_they_come(
    chat: Chat, programme: Programme, clock: VirtualClock
) -> None:
    customer = await join(chat)
    later = to_micros(clock.now() + timedelta(days=3))
    await give(programme, customer.id, 21, available_at=later)
    await chat.click("💎 Мои бонусы")
    chat.sees("💎 У вас 100 бонусов", "⏳ Скоро станут доступны: 21 бонус, первые — 4 января 2026")


async def test_nobody_sees_the_operations_of_another(stage: Stage) -> None:
    web, telegram = await WebChat(stage).open(), TelegramChat(stage)
    await join(web, "+79005550001")
    await join(telegram, "+79005550002")
    await telegram.click("💎 Мои бонусы")
    number = max(telegram.chat.messages)
    await telegram.click_data(number, "why:77:0")  # a forged place in her own history
    telegram.sees("Такой операции на вашей карте нет")
    await web.close()


class TestRules:
    """Under rules with tiers and multipliers."""

    @pytest.fixture
    def rules(self) -> ProgrammeRules:
        always = Multiplier(
            code="cream",
            times_percent=250,
            goods=Selection(skus=frozenset({"cream"})),
            name_ru="Неделя крема",
            name_en="Cream week",
        )
        silver = Tier(
            code="silver", from_minor=1_000_00, earn_permille=70, name_ru="Серебряный",
            name_en="Silver",
        )  # fmt: skip
        gold = Tier(code="gold", from_minor=9_000_00, name_ru="Золотой", name_en="Gold")
        return ProgrammeRules(
            earning=EarningRules(
                multipliers=(always,),
                caps=EarningCaps(day=200),
                not_earning=Selection(prescription=True),
            ),
            tiers=TierRules(levels=(silver, gold)),
        )

    async def test_each_line_says_why_it_earned_what_it_did(
        self, chat: Chat, programme: Programme
    ) -> None:
        customer = await join(chat)
        await open_shop()
        till = TillHand(programme)
        await till.sell(customer.card_number, "R-1", "1000.00 cream")
        await till.sell(customer.card_number, "R-2", "100.00 cream", "200.00 recipe", "0.10 soap")
        await chat.click("💎 Мои бонусы")
        chat.sees("⭐ Ваш уровень: Серебряный; до уровня «Золотой» — ещё 7\u00a0699,90\u00a0₽.")
        await chat.click("2")
        chat.sees("+125 (5 % от 1\u00a0000\u00a0₽ · ×2,5: Неделя крема)")
        await chat.click("« Назад")
        await chat.click("1")
        chat.sees(
            "+17 (7 % от 100\u00a0₽ (Серебряный) · ×2,5: Неделя крема)",
            "+14 (7 % от 200\u00a0₽ (Серебряный))",
            "7 % от 0,10\u00a0₽ (Серебряный) · меньше одного целого бонуса",
        )
        await till.sell(customer.card_number, "R-3", "1000.00 cream")
        await chat.click("💎 Мои бонусы")
        await chat.click("1")
        chat.sees("+44 (7 % от 1\u00a0000\u00a0₽ (Серебряный)", "не больше 200 бонусов в день)")

    async def test_in_english_too(self, chat: Chat, programme: Programme) -> None:
        customer = await join(chat)
        await open_shop()
        await TillHand(programme).sell(customer.card_number, "R-1", "1000.00 cream")
        await programme.customers.set_language(customer.id, "en")
        await chat.send("/points")
        chat.sees("⭐ Your tier: Silver; RUB\u00a08,000 more to Gold.")
        await chat.click("1")
        chat.sees("+125 (5% of RUB\u00a01,000 · ×2.5: Cream week)")

    async def test_a_receipt_is_explained_by_its_own_rules(
        self, chat: Chat, programme: Programme, rules: ProgrammeRules
    ) -> None:
        customer = await join(chat)
        await open_shop()
        await programme.book.open()
        await TillHand(programme).sell(customer.card_number, "R-1", "1000.00 cream")
        plain = ProgrammeDocument.of(ProgrammeRules())
        await programme.book.save(plain, by="Марина", comment="попроще")
        await chat.click("💎 Мои бонусы")
        await chat.click("1")
        chat.sees("×2,5: Неделя крема")
