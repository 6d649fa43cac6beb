"""Short ways to a customer who has joined, for conversations about something else."""

from loyalty.customers import CustomerView
from tests.conversations.stage import Chat

PHONE = "+79001234567"
MENU_RU = [
    *("💳 Моя карта", "💎 Мои бонусы"),
    *("🎟 Промокоды", "🎁 Для друзей"),
    *("⚙️ Настройки", "❓ Помощь"),
]
MENU_EN = [
    *("💳 My card", "💎 My points"),
    *("🎟 Promo codes", "🎁 For friends"),
    *("⚙️ Settings", "❓ Help"),
]


async def join(chat: Chat, phone: str = PHONE) -> CustomerView:
    await chat.send("/start")
    await chat.click("Русский")
    await chat.click("Даю согласие")
    await chat.click("Да, присылайте")
    await chat.share_contact(phone)
    customer = await chat.stage.programme.customers.by_identity("phone", phone)
    assert customer is not None
    return customer
