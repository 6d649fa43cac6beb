"""Friends: her code and link, how many have come by it, and naming who brought her."""

from urllib.parse import urlencode

from aiogram import Bot, F, Router
from aiogram.filters import StateFilter
from aiogram.methods import SendMessage
from aiogram.types import CallbackQuery, Message

from bot import keyboards
from bot.arrivals import REFERRAL
from bot.callbacks import EnterCode, Menu
from bot.dialogues.members import Member
from bot.fronts import TELEGRAM
from bot.menu import Asks
from bot.refusal_texts import refusal_text
from bot.states import Friends
from bot.turns import Turn
from bot.words import _
from loyalty.customers import CustomerView
from loyalty.refusals import No, Refusal
from loyalty.rules.promo_codes import grouped


def router() -> Router:
    friends = Router(name="friends")
    friends.message.register(show, Member(), Asks("friends"))
    friends.callback_query.register(show_too, Member(), Menu.filter(F.topic == "friends"))
    friends.callback_query.register(ask, Member(), EnterCode.filter(F.what == "friend"))
    return friends


def entries() -> Router:
    """What she types as a friend's code; comes after all topics."""
    typed = Router(name="friends typed")
    typed.message.register(named, Member(), StateFilter(Friends.entry), F.text)
    return typed


async def show(message: Message, customer: CustomerView, turn: Turn, bot: Bot) -> SendMessage:
    referrals = turn.desk.programme.referrals
    if not referrals.rules.is_on:
        return message.answer(refusal_text(Refusal(No.REFERRAL_OFF), turn.words))
    friends = await referrals.friends(customer.id)
    link = await _link(friends.code, turn, bot)
    lines = [_offer(turn), ""]
    if link:
        lines.append(_("Your link: {link}").format(link=link))
    lines.append(_("Your code: {code}").format(code=f"<code>{grouped(friends.code)}</code>"))
    if friends.came:
        came = turn.words.several("{count} friend came", "{count} friends came", friends.came)
        bought = turn.words.several(
            "{count} has made a purchase", "{count} have made a purchase", friends.rewarded
        )
        lines += ["", f"👭 {came}, {bought}."]
    if friends.points:
        points = f"<b>{turn.words.points(friends.points)}</b>"
        lines.append(_("You have got {points} for them.").format(points=points))
    return message.answer("\n".join(lines), reply_markup=keyboards.friends(_sharing(link, turn)))


async def show_too(
    query: CallbackQuery, customer: CustomerView, turn: Turn, bot: Bot
) -> SendMessage | None:
    """From a button under another message."""
    if not isinstance(query.message, Message):
        return None
    return await show(query.message, customer, turn, bot)


def _offer(turn: Turn) -> str:
    rules, words = turn.desk.programme.referrals.rules, turn.words
    text = _(
        "Invite a friend. After the friend's first purchase from {sum} on you get {yours}, "
        "and the friend {theirs}."
    )
    return "🎁 " + text.format(
        sum=words.money(rules.min_paid_minor),
        yours=f"<b>{words.points(rules.referrer_points)}</b>",
        theirs=f"<b>{words.points(rules.friend_points)}</b>",
    )


async def _link(code: str, turn: Turn, bot: Bot) -> str:
    """Into the same front that she uses herself; "" while the outside cannot reach us."""
    if turn.front is TELEGRAM:
        me = await bot.me()
        return f"https://t.me/{me.username}?start={REFERRAL}{code}"
    base = turn.desk.public_url
    return f"{base}/chat/frame?start={REFERRAL}{code}" if base else ""


def _sharing(link: str, turn: Turn) -> str | None:
    """Opens Telegram's list of chats with the link ready to be sent."""
    if not link or turn.front is not TELEGRAM:
        return None
    name = turn.desk.programme.rules.name
    text = _("I have a card of «{programme}». Join and we both get points!").format(programme=name)
    return "https://t.me/share/url?" + urlencode({"url": link, "text": text})


async def ask(query: CallbackQuery, turn: Turn) -> SendMessage | None:
    if not isinstance(query.message, Message):
        return None
    await turn.state.set_state(Friends.entry)
    return query.message.answer(_("Write the code of the friend who invited you."))


async def named(message: Message, customer: CustomerView, turn: Turn) -> SendMessage:
    await turn.state.clear()
    text = await accept(message.text or "", customer, turn)
    return message.answer(text, reply_markup=keyboards.main_menu())


async def accept(text: str, customer: CustomerView, turn: Turn) -> str:
    """Name who brought her; what came of it, in words."""
    referrals, words = turn.desk.programme.referrals, turn.words
    answer = await referrals.accept(customer.id, text)
    if isinstance(answer, Refusal):
        return refusal_text(answer, words)
    return _(
        "You have come by a friend's invitation. {points} are waiting for your first purchase "
        "from {sum} on."
    ).format(
        points=f"<b>{words.points(referrals.rules.friend_points)}</b>",
        sum=words.money(referrals.rules.min_paid_minor),
    )
