"""Joining, as the customer lives it, on both fronts."""

from datetime import timedelta

from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from tests.conversations.people import MENU_EN, MENU_RU, PHONE, join
from tests.conversations.stage import Chat, Stage, TelegramChat, WebChat


async def test_a_new_customer_joins_in_four_taps(chat: Chat, programme: Programme) -> None:
    await chat.send("/start")
    chat.sees("Добро пожаловать в «Капсула»", "100 бонусов", buttons=["Русский", "English"])
    await chat.click("Русский")
    chat.sees("согласие на обработку персональных данных", buttons=["Даю согласие", "Не сейчас"])
    await chat.click("Даю согласие")
    chat.sees("акции и скидки", buttons=["Да, присылайте", "Нет, спасибо"])
    await chat.click("Нет, спасибо")
    chat.sees("Последний шаг")
    await chat.share_contact(PHONE)
    chat.sees("Вы с нами!", "100 бонусов", buttons=MENU_RU)
    customer = await programme.customers.by_identity("phone", PHONE)
    assert customer is not None
    consents = await programme.customers.consents(customer.id)
    assert consents[("processing", "")] is True
    assert consents[("marketing", "")] is False
    assert [kind for kind, _ in await programme.customers.fronts(customer.id)] == [chat.front]


async def test_joining_in_english(chat: Chat) -> None:
    await chat.send("/start")
    await chat.click("English")
    chat.sees("needs your consent", buttons=["I agree", "Not now"])
    await chat.click("I agree")
    await chat.click("Yes, please")
    await chat.share_contact(PHONE)
    chat.sees("You are in!", "100 points", buttons=MENU_EN)


async def test_without_consent_there_is_no_card_and_no_row(
    chat: Chat, programme: Programme
) -> None:
    await chat.send("/start")
    await chat.click("Русский")
    await chat.click("Не сейчас")
    chat.sees("Без согласия")
    await chat.send("Моя карта")
    chat.sees("согласие на обработку", buttons=["Даю согласие", "Не сейчас"])
    assert await programme.customers.by_identity("phone", PHONE) is None


async def test_words_instead_of_a_button_bring_the_question_back(chat: Chat) -> None:
    await chat.send("Здравствуйте")
    chat.sees("Добро пожаловать", buttons=["Русский", "English"])
    await chat.click("Русский")
    await chat.send("а зачем?")
    chat.sees("согласие на обработку", buttons=["Даю согласие", "Не сейчас"])


async def test_a_restart_in_the_middle_goes_on_where_it_was(chat: Chat) -> None:
    await chat.send("/start")
    await chat.click("English")
    await chat.click("I agree")
    await chat.restart()
    await chat.click("No, thanks")
    await chat.share_contact(PHONE)
    chat.sees("You are in!")


async def test_the_same_phone_in_another_chat_is_the_same_customer(
    stage: Stage, programme: Programme
) -> None:
    web, telegram = await WebChat(stage).open(), TelegramChat(stage)
    await join(telegram)
    await join(web)
    web.sees("С возвращением!")
    customer = await programme.customers.by_identity("phone", PHONE)
    assert customer is not None
    fronts = await programme.customers.fronts(customer.id)
    assert [kind for kind, _ in fronts] == ["telegram", "webchat"]
    balance = await programme.ledger.balance(customer.id)
    assert balance
    assert balance.available == 100  # the gift for joining is given once
    await web.close()


async def test_who_has_joined_is_greeted(chat: Chat) -> None:
    await join(chat)
    await chat.send("/start")
    chat.sees("С возвращением", "Что показать?", buttons=MENU_RU)


async def test_a_second_press_of_an_answered_button_changes_nothing(stage: Stage) -> None:
    telegram = TelegramChat(stage)
    await telegram.send("/start")
    await telegram.click("Русский")
    asked = max(telegram.chat.messages)
    data = telegram.chat.messages[asked]["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    await telegram.click_data(asked, data)
    telegram.sees("акции и скидки")
    await telegram.click_data(asked, data)
    telegram.sees("Эта кнопка больше не действует")
    await telegram.click("Нет, спасибо")
    telegram.sees("Последний шаг")


async def test_a_contact_of_somebody_else_is_not_taken(
    telegram: TelegramChat, programme: Programme
) -> None:
    await telegram.send("/start")
    await telegram.click("Русский")
    await telegram.click("Даю согласие")
    await telegram.click("Нет, спасибо")
    for owner in (None, telegram.user_id + 77):
        await telegram.share_contact_of("+79007654321", owner)
        telegram.sees("Это чужой номер", buttons=["📱 Отправить мой номер"])
    await telegram.send("+79007654321")
    telegram.sees("кнопка внизу")
    assert await programme.customers.by_identity("phone", "+79007654321") is None
    await telegram.share_contact_of("79001234567", telegram.user_id)  # Telegram without its plus
    telegram.sees("Вы с нами!")


async def test_a_typed_number_proves_nothing_until_its_code_is_typed(
    web: WebChat, programme: Programme
) -> None:
    await web.send("/start")
    await web.click("Русский")
    await web.click("Даю согласие")
    await web.click("Нет, спасибо")
    await web.send("12345678")
    web.sees("не похоже на номер телефона")
    await web.send("8 (900) 123-45-67")
    web.sees("Отправили код на +79001234567", buttons=["Отправить ещё раз", "Другой номер"])
    right = web.stage.codes[PHONE]
    wrong = "000000" if right != "000000" else "111111"
    for left in ("остались 4 попытки", "остались 3 попытки", "остались 2 попытки",
                 "осталась 1 попытка", "осталось 0 попыток"):  # fmt: skip
        await web.send(wrong)
        web.sees("Код не подошёл", left)
    await web.send(right)
    web.sees("больше не действует")
    assert await programme.customers.by_identity("phone", PHONE) is None


async def test_a_code_can_be_sent_again_but_not_at_once(web: WebChat, clock: VirtualClock) -> None:
    await web.send("/start")
    await web.click("Русский")
    await web.click("Даю согласие")
    await web.click("Нет, спасибо")
    await web.send(PHONE)
    await web.click("Отправить ещё раз")
    web.sees("Новый можно запросить через 1 минуту")
    clock.advance(timedelta(seconds=61))
    await web.click("Отправить ещё раз")
    web.sees("Отправили код")
    await web.send(f" {web.stage.codes[PHONE][:3]} {web.stage.codes[PHONE][3:]} ")
    web.sees("Вы с нами!")


async def test_another_number_can_be_given(web: WebChat) -> None:
    await web.send("/start")
    await web.click("Русский")
    await web.click("Даю согласие")
    await web.click("Нет, спасибо")
    await web.send("+79005550101")
    await web.click("Другой номер")
    web.sees("напишите номер телефона")
    await web.send("+79005550102")
    await web.send(web.stage.codes["+79005550102"])
    web.sees("Вы с нами!")


async def test_a_name_with_markup_is_shown_as_it_is_written(
    stage: Stage, programme: Programme
) -> None:
    telegram = TelegramChat(stage, name="<b>Ann</b> & <i>Co")
    await join(telegram)
    await telegram.send("/start")
    telegram.sees("С возвращением, <b>Ann</b> & <i>Co!")


async def test_a_nickname_that_is_no_name_is_no_obstacle(stage: Stage) -> None:
    telegram = TelegramChat(stage, name="\u202eanna")
    await join(telegram)
    telegram.sees("Вы с нами!")
