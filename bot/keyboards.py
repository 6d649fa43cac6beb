"""The keyboards, in the language of the running update."""

from functools import lru_cache

from aiogram.filters.callback_data import CallbackData
from aiogram.types import (
    ForceReply,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    ReplyKeyboardMarkup,
)

from bot import callbacks
from bot.menu import BUTTONS, TOPICS
from bot.words import N_, _
from messaging.i18n import LANGUAGE_NAMES, LANGUAGES, gettext

PHONE_HINT = "+7 900 123-45-67"  # all digits: the web chat opens the keyboard of digits for it
EMAIL_HINT = "anna@example.com"
CANCEL = N_("✖️ Cancel")


Rows = list[list[InlineKeyboardButton]]


def inline(*rows: list[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    """The rows under a message; one that has no buttons is left out."""
    return InlineKeyboardMarkup(inline_keyboard=[row for row in rows if row])


def button(text: str, data: CallbackData) -> InlineKeyboardButton:
    """An inline button that carries `data`."""
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def marked(chosen: bool, text: str) -> str:
    """The label of a choice, made or not."""
    return f"{'✅' if chosen else '▫️'} {text}"


def main_menu() -> ReplyKeyboardMarkup:
    rows = [[KeyboardButton(text=_(TOPICS[topic].label)) for topic in row] for row in BUTTONS]
    return ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, is_persistent=True)


def languages() -> InlineKeyboardMarkup:
    return inline(
        [
            button(name, callbacks.LanguageChoice.model_validate({"language": code}))
            for code, name in LANGUAGE_NAMES.items()
        ]
    )


def consent(wording: str, policy_url: str | None) -> InlineKeyboardMarkup:
    answer = callbacks.ConsentAnswer
    return inline(
        [InlineKeyboardButton(text=_("Read the full text"), url=policy_url)] if policy_url else [],
        [button(_("I agree"), answer(wording=wording, agreed=True))],
        [button(_("Not now"), answer(wording=wording, agreed=False))],
    )


def marketing(wording: str) -> InlineKeyboardMarkup:
    answer = callbacks.MarketingAnswer
    return inline(
        [
            button(_("Yes, please"), answer(wording=wording, agreed=True)),
            button(_("No, thanks"), answer(wording=wording, agreed=False)),
        ]
    )


def share_contact() -> ReplyKeyboardMarkup:
    button = KeyboardButton(text=_("📱 Share my number"), request_contact=True)
    return ReplyKeyboardMarkup(keyboard=[[button]], resize_keyboard=True, one_time_keyboard=True)


def type_phone() -> ForceReply:
    return ForceReply(input_field_placeholder=PHONE_HINT)


def type_email() -> ReplyKeyboardMarkup:
    """A way back, and a hint of what is expected."""
    return ReplyKeyboardMarkup(
        keyboard=[[KeyboardButton(text=_(CANCEL))]],
        resize_keyboard=True,
        input_field_placeholder=EMAIL_HINT,
    )


def cancel_labels() -> set[str]:
    """The way back in every language: she may have changed it meanwhile."""
    return {gettext(language, CANCEL) for language in LANGUAGES}


def type_code() -> InlineKeyboardMarkup:
    return inline(
        [button(_("Send again"), callbacks.CodeStep(action="resend"))],
        [button(_("Another number"), callbacks.CodeStep(action="other_number"))],
    )


def card(live_url: str | None) -> InlineKeyboardMarkup:
    return inline(
        [button(_("🔄 Refresh"), callbacks.CardRefresh())],
        [InlineKeyboardButton(text=_("Open the live card"), url=live_url)] if live_url else [],
    )


def statement(places: list[int], *, page: int, earlier: int | None) -> InlineKeyboardMarkup | None:
    """Numbers that explain an operation each, and the way to older and newest ones."""
    return _statement(tuple(places), page, earlier, _("« Newest"), _("Earlier »"))


@lru_cache(maxsize=8192)
def _statement(
    places: tuple[int, ...], page: int, earlier: int | None, newest_text: str, earlier_text: str
) -> InlineKeyboardMarkup | None:
    """Made once: many accounts have operations at the same places, and each is asked for often."""
    numbers = [
        button(str(number), callbacks.Why(seq=seq, page=page))
        for number, seq in enumerate(places, 1)
    ]
    paging = []
    if page:
        paging.append(_page_button(newest_text, 0))
    if earlier is not None:
        paging.append(_page_button(earlier_text, earlier))
    return inline(numbers, paging) if numbers or paging else None


def _page_button(text: str, before: int) -> InlineKeyboardButton:
    return button(text, callbacks.StatementPage(before=before))


def back_to_statement(page: int) -> InlineKeyboardMarkup:
    return inline([_page_button(_("« Back"), page)])


def enter_code() -> InlineKeyboardMarkup:
    return inline([button(_("Enter a promo code"), callbacks.EnterCode(what="promo"))])


def friends(share_url: str | None) -> InlineKeyboardMarkup:
    return inline(
        [InlineKeyboardButton(text=_("Send to a friend"), url=share_url)] if share_url else [],
        [button(_("A friend invited me"), callbacks.EnterCode(what="friend"))],
    )


def leave() -> InlineKeyboardMarkup:
    return inline(
        [
            button(_("Yes, forget me here"), callbacks.LeaveAnswer(sure=True)),
            button(_("No, stay"), callbacks.LeaveAnswer(sure=False)),
        ]
    )
