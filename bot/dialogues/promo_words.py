"""What a promo code gives, on what and until when, in words."""

from datetime import datetime

from aiogram.utils.text_decorations import html_decoration

from bot.words import Words, _
from loyalty.promo import OwnCode
from loyalty.rules.promo import Kind, Terms
from loyalty.rules.promo_codes import grouped

DAYS_COUNTED_MAX = 30
"""Beyond this a date says more than a number of days."""


def described(code: OwnCode, words: Words, now: datetime) -> str:
    """Three short lines: what it gives, the code itself, until when."""
    lines = [
        f"🎟️ <b>{gives(code.terms, words)}</b> · {html_decoration.quote(code.title)}",
        f"<code>{grouped(code.code)}</code>",
    ]
    conditions = [*_conditions(code.terms, words), *_until(code, words, now)]
    if conditions:
        lines.append(", ".join(conditions))
    if code.is_reserved:
        lines.append(_("🛒 A till is using it right now."))
    return "\n".join(lines)


def gives(terms: Terms, words: Words) -> str:
    match terms.kind:
        case Kind.PERCENT:
            return _("{percent}% off").format(percent=words.decimal(terms.permille, 1))
        case Kind.SUM:
            return _("{sum} off").format(sum=words.money(terms.amount_minor))
        case Kind.POINTS:
            return f"+{words.points(terms.points)}"
        case Kind.MULTIPLIER:
            return _("points × {times}").format(times=words.decimal(terms.permille, 3))
        case Kind.GIFT:
            gift = html_decoration.quote(terms.gift_name or terms.gift_sku)
            return _("gift: {gift}").format(gift=gift)


def _conditions(terms: Terms, words: Words) -> list[str]:
    conditions = []
    if terms.first_purchase:
        conditions.append(_("on the first purchase"))
    if terms.min_total_minor:
        conditions.append(_("from {sum} on").format(sum=words.money(terms.min_total_minor)))
    if terms.categories:
        goods = html_decoration.quote(", ".join(terms.categories))
        conditions.append(_("for goods: {goods}").format(goods=goods))
    return conditions


def _until(code: OwnCode, words: Words, now: datetime) -> list[str]:
    if code.ends_at is None:
        return []
    until = _("until {moment}").format(moment=words.moment(code.ends_at))
    left = code.ends_at - now
    if left.days > DAYS_COUNTED_MAX:
        return [until]
    if left.days:
        return [until, words.several("{count} day left", "{count} days left", left.days)]
    hours = max(1, round(left.total_seconds() / 3600))
    return [until, words.several("{count} hour left", "{count} hours left", hours)]
