"""Surveys in the chat: one tap a score, why, her words; changed by tapping again; interests."""

from datetime import timedelta

from loyalty.clock import VirtualClock
from loyalty.database import transaction
from loyalty.programme import Programme
from loyalty.rules.surveys import INTERESTS, NPS, Survey
from loyalty.surveys import Sheet
from tests.conversations.people import MENU_RU, join, receives
from tests.conversations.stage import Chat, Stage, TelegramChat

SCORES = [str(n) for n in range(11)]
LINK = "https://kapsula.test/s/x"
WHY = [
    *("▫️ Консультация и вежливость", "▫️ Цены", "▫️ Наличие товаров"),
    *("▫️ Скорость обслуживания", "▫️ Расположение и часы", "▫️ Заказ на сайте"),
]


async def asked(chat: Chat, survey: Survey = NPS) -> int:
    """She has joined, and the question comes."""
    programme = chat.stage.programme
    customer = await join(chat)
    async with transaction():
        sheet = await programme.surveys.hand_out(survey, customer.id, key=survey.name)
    await receives(chat, f"{survey.name}_ask", {"sheet": sheet, "link": LINK, "shop": "Лесная"})
    return sheet


async def sheet_of(chat: Chat, number: int) -> Sheet:
    found = await chat.stage.programme.surveys.sheet(number)
    assert found is not None
    return found


async def test_a_detractor_says_why(chat: Chat) -> None:
    number = await asked(chat)
    chat.sees("Спасибо за покупку! · Лесная", "порекомендуете", buttons=SCORES)
    await chat.click("3")
    chat.sees("Ваша оценка: 3 из 10", "Что пошло не так?", buttons=[*WHY, "« Назад", "Дальше »"])
    await chat.click("▫️ Цены")
    await chat.click("▫️ Скорость обслуживания")
    await chat.click("✅ Цены")
    await chat.click("Дальше »")
    chat.sees("Что произошло и что нам изменить?", buttons=["« Назад", "Готово"])
    await chat.send("Долго ждала карту и <b>бонусы</b>")
    chat.sees("Мы во всём разберёмся", buttons=["Изменить ответ"])
    found = await sheet_of(chat, number)
    assert found.answers == {
        "score": ["3"], "why": ["queue"], "words": ["Долго ждала карту и <b>бонусы</b>"],
    }  # fmt: skip
    assert found.ended_at is not None
    await chat.send("мои бонусы")
    chat.sees("100 бонусов")


async def test_a_promoter_is_asked_to_invite_a_friend(chat: Chat) -> None:
    await asked(chat)
    await chat.click("10")
    chat.sees("Что понравилось больше всего?")
    await chat.click("Дальше »")
    await chat.click("Готово")
    chat.sees("Очень рады", buttons=["🎁 Пригласить друга", "Изменить ответ"])
    await chat.click("🎁 Пригласить друга")
    chat.sees("Пригласите друга", "Ваш код")


async def test_a_score_is_changed_by_tapping_again(chat: Chat, clock: VirtualClock) -> None:
    number = await asked(chat)
    await chat.click("9")
    await chat.click("« Назад")
    chat.sees("От 0 до 10", buttons=[*SCORES[:9], "· 9 ·", "10", "Дальше »"])
    await chat.click("8")
    chat.sees("Ваша оценка: 8 из 10", "Что нам стоит улучшить?")
    assert (await sheet_of(chat, number)).score == 8
    clock.advance(timedelta(days=1))
    await chat.click("« Назад")
    chat.sees("Опрос уже закончен")
    await chat.click("▫️ Цены")
    chat.sees("Опрос уже закончен")
    assert "why" not in (await sheet_of(chat, number)).answers


async def test_the_menu_is_not_taken_for_her_words(chat: Chat) -> None:
    number = await asked(chat)
    await chat.click("7")
    await chat.click("Дальше »")
    await chat.click("💎 Мои бонусы")
    chat.sees("100 бонусов")
    await chat.send("просто текст, который никто не ждёт")
    chat.sees("Не совсем", buttons=MENU_RU)
    assert (await sheet_of(chat, number)).words == ""


async def test_words_that_are_too_long_are_refused(chat: Chat) -> None:
    number = await asked(chat)
    await chat.click("7")
    await chat.click("Дальше »")
    await chat.send("я" * 1001)
    chat.sees("не больше 1000 знаков")
    await chat.send("Коротко")
    chat.sees("Спасибо!")
    assert (await sheet_of(chat, number)).words == "Коротко"


async def test_the_interests_go_from_question_to_question(chat: Chat) -> None:
    number = await asked(chat, INTERESTS)
    chat.sees("О чём вам писать?", buttons=["Ответить"])
    await chat.click("Ответить")
    chat.sees("Что вам интересно?")
    await chat.click("▫️ Витамины")
    await chat.click("▫️ Мама и малыш")
    await chat.click("Дальше »")
    chat.sees("Для кого вы обычно покупаете?")
    await chat.click("▫️ Для детей")
    await chat.click("Дальше »")
    await chat.click("▫️ Скидки")
    chat.sees("Будем писать о том, что вам интересно", buttons=["Изменить ответ"])
    found = await sheet_of(chat, number)
    assert found.answers == {
        "topics": ["baby", "vitamins"], "family": ["children"], "wish": ["discounts"],
    }  # fmt: skip
    assert found.ended_at is not None


async def test_another_ones_buttons_say_nothing(stage: Stage, programme: Programme) -> None:
    anna, olga = TelegramChat(stage), TelegramChat(stage)
    number = await asked(anna)
    await join(olga, "+79007654321")
    [message] = [m for m in olga.chat.messages.values() if "бонусов" in m.get("text", "")][:1]
    for data in (
        f"ask:{number}:score:9:1", f"ask:{number}:why:price:1", f"sheet:{number}:end",
        "ask:5:score:9:1", f"sheet:{number}:nothing", f"ask:{number}:nothing:9:1", "ask:x:y:z:1",
        f"ask:{1 << 63}:score:9:1", "ask:0:score:9:1", f"sheet:{10**25}:end",
    ):  # fmt: skip
        await olga.click_data(message["message_id"], data)
        assert olga.screen.toasts != [], data
    assert (await sheet_of(anna, number)).answers == {}


async def test_a_double_tap_is_one_answer(stage: Stage) -> None:
    anna = TelegramChat(stage)
    number = await asked(anna)
    ask = max(anna.chat.messages)
    for _ in range(2):
        await anna.click_data(ask, f"ask:{number}:score:9:1")
    for _ in range(2):
        await anna.click_data(ask, f"ask:{number}:why:price:1")
    assert (await sheet_of(anna, number)).answers == {"score": ["9"], "why": ["price"]}
