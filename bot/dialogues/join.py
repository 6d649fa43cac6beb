"""Joining: language, consent to process data, apart from it consent to mailings, phone.

Telegram vouches for a contact that is shared by its button. Elsewhere a typed number proves
nothing: a code is sent to it. The answers so far stand in the dialogue's data until
`customers.join` takes them all at once; whoever stops half-way leaves nothing behind.
"""

import re
from typing import Any

from aiogram import F, Router
from aiogram.filters import StateFilter
from aiogram.methods import SendMessage, TelegramMethod
from aiogram.types import CallbackQuery, Message, User
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards
from bot.callbacks import CodeStep, ConsentAnswer, MarketingAnswer
from bot.dialogues.arriving import arrive
from bot.refusal_texts import refusal_text
from bot.states import Join
from bot.turns import Turn
from bot.words import _
from loyalty.customers import Joined, PhoneProof
from loyalty.identities import normalise_phone
from loyalty.refusals import No, Refusal

CODE_PURPOSE = "join"
CONSENT_WORDING = "2026-11"
"""Version of the two texts below: consents name what was read, so new wording is a new version."""

_CODE = re.compile(r"\s*\d[\d\s-]{2,8}\d\s*")
_PHONE_DIGITS_MIN = 7


def consent_text(programme_name: str) -> str:
    return _(
        "To make you a card, «{programme}» needs your consent to process your personal data: "
        "your name, phone number and purchases. They serve to give and take points, "
        "and go to nobody else. You can withdraw your consent at any time."
    ).format(programme=html_decoration.quote(programme_name))


def marketing_text() -> str:
    return _(
        "May we write to you about offers and discounts chosen for you? "
        "Your card and points do not depend on the answer."
    )


def router() -> Router:
    """The steps. What fits none of them goes on to the other routers.

    `StateFilter` comes first everywhere: aiogram runs a bare `State` or `F` in a thread of its own,
    which would cost every update of everybody several switches of threads.
    """
    steps = Router(name="join")
    steps.message.filter(StateFilter(Join))
    steps.callback_query.filter(StateFilter(Join))
    consent, marketing, contact, code = (
        StateFilter(step) for step in (Join.consent, Join.marketing, Join.contact, Join.code)
    )
    steps.callback_query.register(consent_given, consent, ConsentAnswer.filter())
    steps.callback_query.register(marketing_answered, marketing, MarketingAnswer.filter())
    steps.message.register(contact_shared, contact, F.contact)
    steps.message.register(phone_typed, contact, F.text.func(_like_a_phone))
    steps.message.register(code_typed, code, F.text.func(_CODE.fullmatch))
    steps.message.register(phone_typed, code, F.text.func(_like_a_phone))
    resend, other = (CodeStep.filter(F.action == name) for name in ("resend", "other_number"))
    steps.callback_query.register(code_again, code, resend)
    steps.callback_query.register(other_number, code, other)
    return steps


def strangers() -> Router:
    """Whatever else a stranger says brings her back to the question that stands."""
    rest = Router(name="strangers")
    rest.message.register(ask_again)
    return rest


def _like_a_phone(text: str) -> bool:
    return sum(char.isdigit() for char in text) >= _PHONE_DIGITS_MIN


# questions


def ask_language(message: Message, turn: Turn) -> SendMessage:
    rules = turn.desk.programme.rules
    text = _(
        "Welcome to «{programme}»!\n"
        "Collect points with every purchase and pay with them. The card is right here in the chat."
    ).format(programme=html_decoration.quote(rules.name))
    if rules.welcome_points:
        gift = turn.words.points(rules.welcome_points)
        text += "\n\n" + _("🎁 A gift for joining: {points}.").format(points=f"<b>{gift}</b>")
    text += "\n\nВыберите язык · Choose your language"
    return message.answer(text, reply_markup=keyboards.languages())


async def ask_consent(message: Message, turn: Turn) -> SendMessage:
    await turn.state.set_state(Join.consent)
    return message.answer(
        consent_text(turn.desk.programme.rules.name),
        reply_markup=keyboards.consent(CONSENT_WORDING, turn.desk.policy_url),
    )


async def _ask_marketing(message: Message, turn: Turn) -> SendMessage:
    await turn.state.set_state(Join.marketing)
    return message.answer(marketing_text(), reply_markup=keyboards.marketing(CONSENT_WORDING))


async def _ask_contact(message: Message, turn: Turn) -> SendMessage:
    await turn.state.set_state(Join.contact)
    if turn.front.vouches_for_phone:
        return message.answer(
            _("One last step: share your phone number with the button below."),
            reply_markup=keyboards.share_contact(),
        )
    return message.answer(
        _("One last step: write your phone number. We will send a code to it."),
        reply_markup=keyboards.type_phone(),
    )


async def ask_again(message: Message, turn: Turn) -> TelegramMethod[Message]:
    """The question at which the conversation stands, once more."""
    match turn.step:
        case Join.consent.state:
            return await ask_consent(message, turn)
        case Join.marketing.state:
            return await _ask_marketing(message, turn)
        case Join.contact.state:
            return await _ask_contact(message, turn)
        case Join.code.state:
            phone = (await turn.state.get_data()).get("phone", "")
            return _code_sent(message, phone)
        case _:
            return ask_language(message, turn)


# answers


async def consent_given(
    query: CallbackQuery, callback_data: ConsentAnswer, turn: Turn
) -> TelegramMethod[Any] | None:
    if not isinstance(query.message, Message):
        return None
    if not callback_data.agreed:
        return query.message.answer(refusal_text(Refusal(No.CONSENT_REQUIRED), turn.words))
    if callback_data.wording != CONSENT_WORDING:  # an old text: she has to read the new one
        return await ask_consent(query.message, turn)
    await query.message.edit_reply_markup(reply_markup=None)
    await turn.state.update_data(consent=callback_data.wording)
    return await _ask_marketing(query.message, turn)


async def marketing_answered(
    query: CallbackQuery, callback_data: MarketingAnswer, turn: Turn
) -> TelegramMethod[Any] | None:
    if not isinstance(query.message, Message):
        return None
    await query.message.edit_reply_markup(reply_markup=None)
    await turn.state.update_data(marketing=callback_data.agreed)
    return await _ask_contact(query.message, turn)


async def contact_shared(message: Message, turn: Turn) -> TelegramMethod[Message]:
    """Takes the sender's own contact only: anybody's can be forwarded."""
    contact, sender = message.contact, message.from_user
    if contact is None or sender is None or contact.user_id != sender.id:
        return message.answer(
            refusal_text(Refusal(No.CONTACT_NOT_OWN), turn.words),
            reply_markup=keyboards.share_contact(),
        )
    if not turn.front.vouches_for_phone:
        return await _ask_contact(message, turn)
    phone = contact.phone_number
    phone = phone if phone.startswith("+") else f"+{phone}"  # Telegram leaves the plus out at times
    return await _join(message, sender, turn, phone, "own_contact")


async def phone_typed(message: Message, turn: Turn) -> TelegramMethod[Message]:
    if turn.front.vouches_for_phone:
        return await _ask_contact(message, turn)
    phone = normalise_phone(message.text or "", turn.desk.programme.rules.region)
    if isinstance(phone, Refusal):
        text = refusal_text(phone, turn.words)
        return message.answer(text, reply_markup=keyboards.type_phone())
    return await _send_code(message, turn, phone)


async def code_again(query: CallbackQuery, turn: Turn) -> TelegramMethod[Message] | None:
    phone = (await turn.state.get_data()).get("phone")
    if not isinstance(query.message, Message) or phone is None:
        return None
    return await _send_code(query.message, turn, phone)


async def other_number(query: CallbackQuery, turn: Turn) -> TelegramMethod[Message] | None:
    return await _ask_contact(query.message, turn) if isinstance(query.message, Message) else None


async def code_typed(message: Message, turn: Turn) -> TelegramMethod[Message] | None:
    if message.from_user is None or message.text is None:
        return None
    phone = (await turn.state.get_data()).get("phone", "")
    code = "".join(char for char in message.text if char.isdigit())
    verdict = await turn.desk.programme.codes.verify(CODE_PURPOSE, "phone", phone, code)
    if isinstance(verdict, Refusal):
        text = refusal_text(verdict, turn.words)
        return message.answer(text, reply_markup=keyboards.type_code())
    return await _join(message, message.from_user, turn, phone, "one_time_code")


async def _send_code(message: Message, turn: Turn, phone: str) -> SendMessage:
    issued = await turn.desk.programme.codes.issue(CODE_PURPOSE, "phone", phone)
    if isinstance(issued, Refusal):
        return message.answer(refusal_text(issued, turn.words))
    await turn.state.update_data(phone=phone)
    await turn.state.set_state(Join.code)
    await turn.desk.send_code(phone, issued.code, turn.words.language)
    return _code_sent(message, phone)


def _code_sent(message: Message, phone: str) -> SendMessage:
    text = _("We have sent a code to {phone}. Write it here.").format(phone=f"<b>{phone}</b>")
    return message.answer(text, reply_markup=keyboards.type_code())


async def _join(
    message: Message, sender: User, turn: Turn, phone: str, proof: PhoneProof
) -> TelegramMethod[Message]:
    joined = await _joined(sender, turn, phone, proof, name=sender.full_name.strip())
    if isinstance(joined, Refusal) and joined.code == No.INVALID_NAME:
        joined = await _joined(sender, turn, phone, proof, name="")  # a nickname is no obstacle
    if isinstance(joined, Refusal):
        return message.answer(refusal_text(joined, turn.words))
    payload = str((await turn.state.get_data()).get("start", ""))
    await turn.state.clear()
    brought = await arrive(payload, joined.customer, turn)
    text = "\n\n".join(filter(None, (_welcome(joined, turn), brought)))
    return message.answer(text, reply_markup=keyboards.main_menu())


async def _joined(
    sender: User, turn: Turn, phone: str, proof: PhoneProof, *, name: str
) -> Joined | Refusal:
    answers = await turn.state.get_data()
    return await turn.desk.programme.customers.join(
        front_kind=turn.front.kind,
        front_value=str(sender.id),
        phone=phone,
        proof=proof,
        name=name,
        language=turn.words.language,
        consent_wording=answers.get("consent", ""),
        marketing=bool(answers.get("marketing", False)),
        source=turn.front.kind,
    )


def _welcome(joined: Joined, turn: Turn) -> str:
    if not joined.is_new:
        return _("Welcome back! Your card and points are in this chat now, too.")
    text = _("You are in! Your card is always at hand in this chat.")
    if joined.welcome_points:
        gift = turn.words.points(joined.welcome_points)
        text += "\n" + _("🎁 A gift for you: {points}.").format(points=f"<b>{gift}</b>")
    return text
