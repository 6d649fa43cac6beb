"""Settings in the chat: what comes, where, how often, at which hours, the language, the e-mail."""

import json
from datetime import timedelta

import pytest

from loyalty import consents
from loyalty.database import query
from loyalty.programme import Programme
from loyalty.rules.consents import is_granted
from messaging import preferences
from messaging.optin import Asked
from messaging.preferences import Preferences
from messaging.templates import Body, Reader, render
from tests.conversations.people import MENU_EN, MENU_RU, join
from tests.conversations.stage import Chat, Stage, TelegramChat, WebChat
from tests.messaging.letters import send

MAIN = ["Куда", "Что присылать", "Как часто", "Тихие часы", "Язык", "E-mail",
        "🔕 Отключить всю рекламу"]  # fmt: skip
BACK = "« Назад"


async def gets(customer_id: int) -> str:
    holds = await consents.consents_of(customer_id)
    names = ("messenger", "email", "sms")
    return " ".join(c for c in names if is_granted(holds, "marketing", c))


async def hers(customer_id: int) -> Preferences:
    found = await preferences.preferences_of(customer_id)
    assert found is not None
    return found


async def test_settings_tell_how_things_stand(chat: Chat) -> None:
    await join(chat)
    await chat.click("⚙️ Настройки")
    chat.sees(
        "Акции и скидки: Чат, SMS",
        "Вопросы о качестве обслуживания: да",
        "Как часто: как обычно",
        "Тихие часы: как обычно: с 21:00 до 09:00",
        "Язык: Русский",
        "E-mail: пока не указан",
        "Чеки, коды и ответы на ваши вопросы приходят в любом случае",
        buttons=MAIN,
    )


@pytest.mark.parametrize(
    "asked", ["/settings", "отпишите меня от рассылки", "тихие часы", "Unsubscribe me please"]
)
async def test_settings_are_found_by_her_words(stage: Stage, asked: str) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)
    await telegram.send(asked)
    telegram.sees("Настройки", buttons=MAIN)


async def test_all_advertising_stops_in_one_tap_and_comes_back(chat: Chat) -> None:
    customer = await join(chat)
    await chat.send("/settings")
    await chat.click("🔕 Отключить всю рекламу")
    chat.sees("Рекламы больше не будет", "Акции и скидки: не присылаем")
    assert chat.screen.buttons[-1] == "🔔 Вернуть акции"
    assert await gets(customer.id) == ""
    [*_, last] = await consents.history(customer.id)
    assert (last.source, last.wording) == (chat.front, "settings-2026-11")
    await chat.click("🔔 Вернуть акции")
    chat.sees("снова будут приходить", "Акции и скидки: Чат, SMS")
    assert await gets(customer.id) == "messenger email sms"


async def test_channels_are_switched_where_they_stand(chat: Chat) -> None:
    customer = await join(chat)
    await chat.send("/settings")
    await chat.click("Куда")
    chat.sees("Куда присылать акции", buttons=["✅ Чат", "✅ SMS", BACK])
    await chat.click("✅ SMS")
    chat.sees("Куда присылать акции", buttons=["✅ Чат", "▫️ SMS", BACK])
    assert await gets(customer.id) == "messenger email"
    await chat.click("▫️ SMS")
    chat.sees(buttons=["✅ Чат", "✅ SMS", BACK])
    await chat.click(BACK)
    chat.sees("Настройки", buttons=MAIN)


async def test_topics(chat: Chat) -> None:
    customer = await join(chat)
    await chat.send("/settings")
    await chat.click("Что присылать")
    offers, surveys = "✅ Акции и скидки", "✅ Вопросы о качестве обслуживания"
    names = "▫️ Названия лекарств в SMS и уведомлениях"
    chat.sees(buttons=[offers, surveys, names, BACK])
    await chat.click(surveys)
    chat.sees(buttons=[offers, surveys.replace("✅", "▫️"), names, BACK])
    assert not (await hers(customer.id)).surveys
    await chat.click(names)
    assert (await hers(customer.id)).medicine_names
    await chat.click(names.replace("▫️", "✅"))
    assert not (await hers(customer.id)).medicine_names


async def test_how_often(chat: Chat) -> None:
    customer = await join(chat)
    await chat.send("/settings")
    await chat.click("Как часто")
    chat.sees(
        buttons=[
            "✅ Как обычно",
            "▫️ Не чаще 5 раз в неделю",
            "▫️ Не чаще 3 раз в неделю",
            "▫️ Не чаще 2 раз в неделю",
            "▫️ Не чаще 1 раза в неделю",
            BACK,
        ]
    )
    await chat.click("▫️ Не чаще 1 раза в неделю")
    assert "✅ Не чаще 1 раза в неделю" in chat.screen.buttons
    assert (await hers(customer.id)).weekly_max == 1
    await chat.click("✅ Не чаще 1 раза в неделю")
    assert (await hers(customer.id)).weekly_max == 1, "a second tap changes nothing"
    await chat.click(BACK)
    chat.sees("Как часто: не чаще 1 раза в неделю")


async def test_quiet_hours(chat: Chat) -> None:
    customer = await join(chat)
    await preferences.set_quiet(
        customer.id, (23 * 60 + 5, 60), chat.stage.programme.clock.now()
    )  # on the page
    await chat.send("/settings")
    await chat.click("Тихие часы")
    chat.sees(
        "Время по вашим часам: Москва",
        buttons=[
            "▫️ Как обычно: с 21:00 до 09:00",
            "✅ С 23:05 до 01:00",
            "▫️ С 22:00 до 08:00",
            "▫️ С 20:00 до 10:00",
            "▫️ Не нужны: пишите в любое время",
            BACK,
        ],
    )
    await chat.click("▫️ С 22:00 до 08:00")
    assert (await hers(customer.id)).quiet == (22 * 60, 8 * 60)
    await chat.click("▫️ Как обычно: с 21:00 до 09:00")
    assert (await hers(customer.id)).quiet is None


async def test_the_language(chat: Chat) -> None:
    await join(chat)
    await chat.send("/settings")
    await chat.click("Язык")
    chat.sees("Choose your language", buttons=["Русский", "English", BACK])
    await chat.click("English")
    chat.sees("From now on I speak English.", buttons=MENU_EN)
    await chat.click("⚙️ Settings")
    chat.sees("Offers and discounts: Chat, SMS", "How often: as often as usual")


async def test_an_email_is_added_by_a_letter(chat: Chat, stage: Stage) -> None:
    customer = await join(chat)
    await chat.send("/settings")
    await chat.click("E-mail")
    chat.sees("E-mail: пока не указан", buttons=["Указать адрес", BACK])
    await chat.click("Указать адрес")
    chat.sees("Напишите свой e-mail", buttons=["✖️ Отмена"])
    await chat.send("что-то не то @")
    chat.sees("не похоже на e-mail", buttons=["✖️ Отмена"])
    await chat.restart()
    await chat.send("Anna@Card.example")  # looks like a question about her card
    chat.sees("Отправили письмо на anna@card.example", buttons=MENU_RU)
    await chat.send("/settings")
    chat.sees("E-mail: anna@card.example, ещё не подтверждён")
    [row] = await query(
        "SELECT address, template, context, language FROM message WHERE source = 'opt_in'"
    )
    assert (row["address"], row["language"]) == ("anna@card.example", "ru")
    context = json.loads(row["context"])
    assert context["url"] in render(row["template"], context, Reader("ru")).html
    letter = await stage.opt_ins.read(context["url"].rsplit("/", 1)[1])
    assert letter is not None
    assert await stage.opt_ins.confirm(letter) == Asked("anna@card.example", confirmed=True)
    await chat.send("/settings")
    chat.sees("Акции и скидки: Чат, E-mail, SMS", "✉️ E-mail: anna@card.example\n")
    assert (await hers(customer.id)).email == "anna@card.example"


async def test_she_may_have_something_else_in_mind(chat: Chat, stage: Stage) -> None:
    await join(chat)
    for instead, seen in (("✖️ Отмена", "всё остаётся как есть"), ("💎 Мои бонусы", "У вас 100")):
        await chat.send("/settings")
        await chat.click("E-mail")
        await chat.click("Указать адрес")
        await chat.send(instead)
        chat.sees(seen)
        await chat.send("🌧")
        chat.sees("Не совсем понял вас", buttons=MENU_RU)
    assert await query("SELECT 1 FROM opt_in") == []


async def test_too_many_letters_are_refused_with_the_wait(chat: Chat, stage: Stage) -> None:
    await join(chat)

    async def types_it() -> None:
        await chat.send("/settings")
        await chat.click("E-mail")
        await chat.click(chat.screen.buttons[0])
        await chat.send("anna@shop.example")

    for seen in ("Отправили письмо", "посмотрите и в «Спаме»"):
        await types_it()
        chat.sees(seen, buttons=MENU_RU)
    for _ in range(3):
        stage.programme.clock.advance(timedelta(minutes=5))  # type: ignore[attr-defined]
        await types_it()
    chat.sees("На сегодня писем туда достаточно", buttons=MENU_RU)


async def test_a_stranger_has_no_settings(chat: Chat) -> None:
    await chat.send("/settings")
    chat.sees("Добро пожаловать")


async def test_an_old_button_says_so(stage: Stage) -> None:
    telegram = TelegramChat(stage)
    await join(telegram)
    await telegram.send("/settings")
    number = max(telegram.chat.messages)
    for data in ("often:77", "quiet:9999:1", "channel:pigeon:1", "settings:nowhere"):
        await telegram.click_data(number, data)
        telegram.does_not_see("сломалось")


# read marks


async def status_of(attempt_id: int) -> str:
    [row] = await query("SELECT status FROM attempt WHERE id = $1", None, attempt_id)
    return str(row["status"])


async def test_the_web_chat_tells_what_stood_on_the_screen(
    web: WebChat, stage: Stage, programme: Programme
) -> None:
    customer = await join(web)
    [(_, thread)] = await programme.customers.fronts(customer.id)
    number = max(web.messages)
    attempt_id, _ = await send(
        programme.clock, Body("offer"), channel="messenger", kind="webchat", address=thread,
        customer_id=customer.id, provider_id=str(number),
    )  # type: ignore[arg-type]  # fmt: skip
    await web.frame({"kind": "seen", "upto": number - 1})
    await stage.attention.flush()
    assert await status_of(attempt_id) == ""
    await web.frame({"kind": "seen", "upto": number})
    await stage.attention.flush()
    assert await status_of(attempt_id) == "read"
    for wrong in (0, -1, "1", 1 << 60, None, True):
        await web.frame({"kind": "seen", "upto": wrong})
        assert web.refusals[0]["code"] == "bad_message"


async def test_on_telegram_whoever_answers_has_read(stage: Stage, programme: Programme) -> None:
    telegram = TelegramChat(stage)
    customer = await join(telegram)
    attempt_id, _ = await send(
        programme.clock, Body("offer"), channel="messenger", address=telegram.identity,
        customer_id=customer.id, provider_id="77",
    )  # type: ignore[arg-type]  # fmt: skip
    programme.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    await stage.attention.flush()
    assert await status_of(attempt_id) == ""
    await telegram.send("/settings")
    await stage.attention.flush()
    assert await status_of(attempt_id) == "read"
