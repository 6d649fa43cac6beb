"""Language, help, leaving, and what is not understood."""

import pytest

from loyalty.instants import to_micros
from loyalty.programme import Programme
from messaging import suppressions
from tests.conversations.people import MENU_EN, MENU_RU, join
from tests.conversations.stage import Chat, Stage, TelegramChat


async def test_the_language_is_switched_and_kept(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await chat.send("/language")
    chat.sees("Выберите язык", buttons=["Русский", "English"])
    await chat.click("English")
    chat.sees("From now on I speak English.", buttons=MENU_EN)
    await chat.restart()
    await chat.click("💎 My points")
    chat.sees("💎 You have 100 points.", "Soonest to expire: 100 points, on January 31, 2026")
    known = await programme.customers.get(customer.id)
    assert known is not None
    assert known.language == "en"


async def test_a_button_in_the_other_language_still_works(chat: Chat) -> None:
    await join(chat)
    await chat.send("💎 My points")
    chat.sees("💎 У вас 100 бонусов")


async def test_help_tells_what_there_is(chat: Chat) -> None:
    await chat.send("/start")
    await chat.send("помощь")
    chat.sees("Вот что я умею", "/card", "/points", "/language", "/leave")


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        ("Сколько у меня баллов?", "💎 У вас"),
        ("где мой штрихкод", "Покажите этот код"),
        ("бонсуы", "💎 У вас"),
        ("how many points do i have", "💎 У вас"),
        ("show the barcode please", "Покажите этот код"),
        ("хочу по-английски: английский", "Выберите язык"),
        ("Подскажите пожалуйста", "Вот что я умею"),
    ],
)
async def test_free_text_finds_the_nearest_answer(stage: Stage, asked: str, seen: str) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)
    await telegram.send(asked)
    telegram.sees(seen)


@pytest.mark.parametrize(
    "text", ["🌧", "погода", "asdf qwer", "🏳️‍🌈 <b>x</b> & <script>", "/nonsense", "1"]
)
async def test_what_nobody_understands_offers_the_menu(stage: Stage, text: str) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)
    await telegram.send(text)
    telegram.sees("Не совсем понял вас", buttons=MENU_RU)


async def test_leaving_forgets_this_chat_only(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await chat.send("/leave")
    chat.sees("Забыть вас в этом чате?", buttons=["Да, забыть", "Нет, остаться"])
    await chat.click("Нет, остаться")
    chat.sees("всё остаётся как есть")
    assert await programme.customers.fronts(customer.id)
    await chat.send("/leave")
    await chat.click("Да, забыть")
    chat.sees("этот чат вас больше не знает", buttons=[])
    assert await programme.customers.fronts(customer.id) == []
    assert await programme.customers.get(customer.id) is not None
    await chat.send("мои бонусы")
    chat.sees("Добро пожаловать", buttons=["Русский", "English"])


async def test_a_group_gets_no_answer(stage: Stage) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)
    stage.api.calls.clear()
    await stage.api.deliver(
        {
            "message": {
                "message_id": 1,
                "date": 1,
                "chat": {"id": -100123, "type": "supergroup", "title": "x"},
                "from": telegram.chat.user,
                "text": "/card",
            }
        }
    )
    assert stage.api.calls == []


async def test_a_bug_is_one_sentence_for_the_customer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)

    async def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the database is on fire")

    monkeypatch.setattr(type(stage.programme.customers), "at_a_glance", broken)
    await telegram.send("/points")
    telegram.sees("У нас что-то сломалось")
    telegram.does_not_see("fire")


async def test_who_stops_the_bot_is_left_alone_until_she_comes_back(
    stage: Stage, telegram: TelegramChat, programme: Programme
) -> None:
    await join(telegram)
    address = [("telegram", telegram.identity)]

    async def reasons() -> list[str]:
        at = to_micros(programme.clock.now())
        return [entry.reason for entry in await suppressions.standing(address, at=at)]

    await stage.api.stop_or_start(telegram.user_id, stops=True)
    assert await reasons() == ["blocked"]
    await stage.api.stop_or_start(telegram.user_id, stops=False)
    assert await reasons() == []
    await telegram.send("/points")
    telegram.sees("У вас 100 бонусов")
