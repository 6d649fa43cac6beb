"""Inviting friends from the chat: the link, who came by it, and what both have got."""

import re

from loyalty.programme import Programme
from loyalty.rules.promo_codes import grouped
from tests.conversations.people import join
from tests.conversations.stage import Chat, Stage, TelegramChat
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop

INVITE, INVITED = "🎁 Для друзей", "Меня пригласил друг"


async def test_she_sees_her_link_and_code(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await chat.click(INVITE)
    code = await programme.referrals.code(customer.id)
    where = "https://t.me/" if chat.front == "telegram" else "https://kapsula.test/chat/frame"
    chat.sees("200 бонусов", "100 бонусов", "от 500\xa0₽", where, f"start=ref_{code}")
    chat.sees(f"Ваш код: {grouped(code)}")
    assert INVITED in chat.screen.buttons


async def test_a_friend_by_link_and_her_first_purchase(
    telegram: TelegramChat, stage: Stage, programme: Programme
) -> None:
    anna = await join(telegram)
    await telegram.click(INVITE)
    link = re.search(r"start=(\S+)", "\n".join(telegram.screen.texts))
    assert link is not None

    friend = TelegramChat(stage, name="Борис")
    await friend.send(f"/start {link[1]}")
    await friend.click("Русский")
    await friend.click("Даю согласие")
    await friend.click("Нет, спасибо")
    await friend.share_contact("+79007654321")
    friend.sees("Вы с нами!", "Вы пришли по приглашению друга", "100 бонусов", "от 500\xa0₽")

    await telegram.click(INVITE)
    telegram.sees("Пришёл 1 друг, 0 уже совершили покупку")
    boris = await programme.customers.by_identity("phone", "+79007654321")
    assert boris is not None
    await open_shop()
    await TillHand(programme).sell(boris.card_number, "R1", "700.00")
    await programme.tidy()
    await telegram.click(INVITE)
    telegram.sees("Пришёл 1 друг, 1 уже совершил покупку", "За них вы получили 200 бонусов")
    await telegram.click("💎 Мои бонусы")
    telegram.sees("У вас 300 бонусов", "+200 · подарок за приглашение")
    await telegram.click("1")
    telegram.sees("первая покупка состоялась")
    assert anna.id != boris.id


async def test_who_invited_her_may_be_named_later(chat: Chat, programme: Programme) -> None:
    friend = await joined(programme, phone="+79005556677", front_value="5")
    code = await programme.referrals.code(friend.id)
    customer = await join(chat)
    own = await programme.referrals.code(customer.id)
    for typed, answer in (
        ("НЕТ ТАКОГО", "Такого кода нет"),
        (own, "Это ваш собственный код"),
        (grouped(code).lower(), "Вы пришли по приглашению друга"),
        (code, "Вы пришли по приглашению друга"),
    ):
        await chat.send("/friends")
        await chat.click(INVITED)
        chat.sees("Напишите код друга")
        await chat.send(typed)
        chat.sees(answer)


async def test_too_late_after_the_first_purchase(chat: Chat, programme: Programme) -> None:
    friend = await joined(programme, phone="+79005556677", front_value="5")
    code = await programme.referrals.code(friend.id)
    customer = await join(chat)
    await open_shop()
    await TillHand(programme).sell(customer.card_number, "R1", "10.00")
    await chat.send("/friends")
    await chat.click(INVITED)
    await chat.send(code)
    chat.sees("Код друга — для новых покупателей")
