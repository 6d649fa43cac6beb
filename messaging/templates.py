"""What a message says: a template's name, its declared variables and the sentences they go into.

The sentences are gettext messages in `locales/*.po`. Whatever comes from outside (names of shops,
of people) is escaped here: a body's `html` is safe for Telegram's HTML subset.
"""

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from messaging.i18n import day, gettext, money, points

_TAG = re.compile(r"<[^>]+>")


class TemplateError(ValueError):
    """The template is unknown, or its context lacks a variable. Says which."""


@dataclass(frozen=True, slots=True)
class Body:
    """The words of one message. `plain` is for what knows no formatting (SMS, notifications).

    `html` is Telegram's subset for messengers and a whole document for e-mail, which alone has a
    `subject` and words of its own for readers without HTML (`text`).
    """

    html: str
    subject: str = ""
    text: str = ""

    @property
    def plain(self) -> str:
        return self.text or html.unescape(_TAG.sub("", self.html))


@dataclass(frozen=True, slots=True)
class Reader:
    """In whose words and by whose clock the message is written."""

    language: str
    timezone: str = "UTC"


Context = Mapping[str, Any]
Writer = Callable[[Context, Reader], str]


def render(template: str, context: Context, reader: Reader) -> Body:
    """Write the message. Raises TemplateError."""
    entry = TEMPLATES.get(template)
    if entry is None:
        raise TemplateError(f"unknown template {template}")
    declared, writer = entry
    missing = sorted(declared - context.keys())
    if missing:
        raise TemplateError(f"{template} lacks {', '.join(missing)}")
    try:
        return Body(writer(context, reader))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TemplateError(f"{template}: {error}") from error


def _receipt_committed(context: Context, reader: Reader) -> str:
    language, currency = reader.language, context["currency"]
    title = gettext(language, "Receipt No. {number}", number=html.escape(context["number"]))
    shop = html.escape(context["shop"])
    lines = [f"🧾 <b>{title}</b>" + (f" · {shop}" if shop else "")]
    total, paid = context["total_minor"], context["paid_minor"]
    if context["spent"]:
        sums = {"total": money(language, total, currency), "paid": money(language, paid, currency)}
        lines.append(gettext(language, "Total {total}, paid {paid}", **sums))
    else:
        lines.append(gettext(language, "Total {total}", total=money(language, total, currency)))
    lines.append("")
    if context["earned"]:
        earned = points(language, context["earned"])
        lines.append("➕ " + gettext(language, "Earned: {points}", points=f"<b>{earned}</b>"))
    if context["spent"]:
        spent = points(language, context["spent"])
        lines.append("➖ " + gettext(language, "Spent: {points}", points=f"<b>{spent}</b>"))
    return "\n".join([*lines, *_balance(context, reader)])


def _receipt_cancelled(context: Context, reader: Reader) -> str:
    language = reader.language
    number = html.escape(context["number"])
    lines = [f"↩️ <b>{gettext(language, 'Receipt No. {number} is cancelled', number=number)}</b>"]
    if context["shop"]:
        lines[0] += f" · {html.escape(context['shop'])}"
    if context["returned"]:
        returned = points(language, context["returned"])
        lines.append("➕ " + gettext(language, "Returned: {points}", points=f"<b>{returned}</b>"))
    if context["taken_back"]:
        taken = points(language, context["taken_back"])
        lines.append("➖ " + gettext(language, "Taken back: {points}", points=f"<b>{taken}</b>"))
    return "\n".join([*lines, *_balance(context, reader)])


def _balance(context: Context, reader: Reader) -> list[str]:
    language = reader.language
    now = points(language, context["balance"])
    lines = ["💳 " + gettext(language, "Balance: {points}", points=f"<b>{now}</b>")]
    expiring, at = context.get("expiring_points"), context.get("expiring_at")
    if expiring and at:
        when = day(language, datetime.fromisoformat(at), reader.timezone)
        left = points(language, expiring)
        lines.append(
            "⏳ "
            + gettext(language, "Soonest to expire: {points}, on {day}", points=left, day=when)
        )
    return lines


def _sms_code(context: Context, reader: Reader) -> str:
    return gettext(
        reader.language,
        "{programme}: your code is {code}. Tell it to nobody.",
        programme=html.escape(context["programme"]),
        code=html.escape(str(context["code"])),
    )


def _welcome(context: Context, reader: Reader) -> str:
    language = reader.language
    hello = gettext(
        language, "Welcome to {programme}!", programme=html.escape(context["programme"])
    )
    lines = [f"🎉 <b>{hello}</b>"]
    if context["points"]:
        gift = points(language, context["points"])
        lines.append(gettext(language, "A gift for you: {points}", points=f"<b>{gift}</b>"))
    return "\n".join(lines)


def _email_opt_in(context: Context, reader: Reader) -> str:
    language, programme = reader.language, html.escape(context["programme"])
    sentences = (
        gettext(language, "Is this your address?"),
        gettext(
            language,
            "Somebody, we hope you, has named this address in the programme «{programme}». "
            "Confirm it, and what you have chosen will come here.",
            programme=programme,
        ),
        gettext(language, "Confirm the address"),
        gettext(
            language,
            "If it was not you, do nothing: without your word nothing will be sent here. "
            "The link is good for seven days.",
        ),
    )
    title, why, button, otherwise = sentences
    link = f'<a href="{html.escape(context["url"])}">{button}</a>'
    return f"<b>{title}</b>\n\n{why}\n\n{link}\n\n{otherwise}"


_RECEIPT = frozenset({"number", "shop", "balance"})
_SALE = _RECEIPT | {"currency", "total_minor", "paid_minor", "spent", "earned"}
TEMPLATES: Mapping[str, tuple[frozenset[str], Writer]] = {
    "receipt_committed": (_SALE, _receipt_committed),
    "email_opt_in": (frozenset({"programme", "url"}), _email_opt_in),
    "receipt_cancelled": (_RECEIPT | {"returned", "taken_back"}, _receipt_cancelled),
    "sms_code": (frozenset({"programme", "code"}), _sms_code),
    "welcome": (frozenset({"programme", "points"}), _welcome),
}
