"""Why points came or went: the name of an operation, and its whole story."""

from dataclasses import dataclass

from aiogram.utils.text_decorations import html_decoration

from bot.words import N_, Words, _
from loyalty.checkout import QuotedLine, ReceiptAnswer, ReturnAnswer, ReturnedLine
from loyalty.customers import Operation
from loyalty.ledger import Entry
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import promised_points
from loyalty.rules.reasons import Reason, reasons_of
from messaging.earning_words import line_why

_TITLES = {
    ("accrual", "welcome"): N_("gift for joining"),
    ("accrual", "receipt"): N_("purchase"),
    ("accrual", "referral"): N_("gift for an invitation"),
    ("accrual", ""): N_("gift"),
    ("redemption", "receipt"): N_("paid with points"),
    ("redemption", ""): N_("points spent"),
    ("expiry", ""): N_("expired"),
    ("adjustment", ""): N_("correction"),
    ("reversal", "referral"): N_("gift for an invitation taken back"),
    ("reversal", "in"): N_("purchase cancelled, points are back"),
    ("reversal", "out"): N_("purchase cancelled"),
    ("reversal", "return in"): N_("goods returned, points are back"),
    ("reversal", "return out"): N_("goods returned"),
}


LINES_MAX = 15
"""Lines of a receipt that are shown; a message has an end."""


def title(entry: Entry | Operation) -> str:
    """A few words for a line of the statement."""
    reason = entry.reason
    if entry.kind == "reversal":
        returned = "return " if entry.reason == "return" else ""
        reason = returned + ("in" if entry.points > 0 else "out")
    known = _TITLES.get((entry.kind, entry.reason)) or _TITLES.get((entry.kind, reason))
    known = known or _TITLES.get((entry.kind, ""))
    return _(known) if known else _("operation")


def receipt_of(entry: Entry) -> tuple[int, str] | None:
    """Till and number of the receipt that an entry belongs to, as its business key names them."""
    return _named(entry, ("earn", "spend"))


def return_of(entry: Entry) -> tuple[int, str] | None:
    """Till and number of the return that an entry belongs to."""
    return _named(entry, ("return-give", "return-take"))


def _named(entry: Entry, whats: tuple[str, ...]) -> tuple[int, str] | None:
    what, *named = (entry.business_key or "").split(":", 2)
    if what not in whats or len(named) != 2 or not named[0].isdecimal():
        return None
    return int(named[0]), named[1]


@dataclass(frozen=True, slots=True)
class Bought:
    """A receipt, and the rules that it was made by."""

    receipt: ReceiptAnswer
    rules: ProgrammeRules


def explain(entry: Entry, of: Bought | ReturnAnswer | None, words: Words) -> str:
    """The whole story of an entry, with the lines of its receipt or return when there is one."""
    head = title(entry)
    lines = [
        f"<b>{words.signed(entry.points)} · {head[:1].upper()}{head[1:]}</b>",
        words.moment(entry.at),
        "",
        _story(entry),
        *(_receipt_lines(entry, of, words) if isinstance(of, Bought) else ()),
        *(_return_lines(entry, of, words) if isinstance(of, ReturnAnswer) else ()),
        "",
    ]
    if entry.expires_at and entry.points > 0:
        lines.append(
            _("These points are good until {day}.").format(day=words.day(entry.expires_at))
        )
    lines.append(_("Balance after it: {points}.").format(points=words.points(entry.balance)))
    return "\n".join(lines)


def _story(entry: Entry) -> str:
    match entry.kind, entry.reason:
        case "accrual", "welcome":
            return _("Our gift for joining the programme.")
        case "accrual", "referral":
            return _("A gift for an invitation: the first purchase has been made.")
        case "reversal", "referral":
            return _("The purchase that it was given for has been cancelled.")
        case "accrual", "receipt":
            return _("A part of what you paid comes back as points.")
        case "redemption", _:
            return _("You paid a part of a purchase with points.")
        case "expiry", _:
            return _("Their time was up before they were spent.")
        case "reversal", "return" if entry.points > 0:
            return _("You returned goods, so the points that paid for them came back.")
        case "reversal", "return":
            return _("You returned goods, so the points given for them were taken back.")
        case "reversal", _ if entry.points > 0:
            return _("The purchase was cancelled, so the points that paid for it came back.")
        case "reversal", _:
            return _("The purchase was cancelled, so the points given for it were taken back.")
    return _("Done by our staff. Ask in any of our shops for details.")


def _receipt_lines(entry: Entry, bought: Bought, words: Words) -> list[str]:
    receipt = bought.receipt
    head = _("Receipt No. {number}, {total}:").format(
        number=html_decoration.quote(receipt.receipt_number),
        total=words.money(receipt.total_minor),
    )
    spending = entry.points < 0
    shown = [line for line in receipt.lines if line.spent or not spending][:LINES_MAX]
    lines = [
        _("• {goods}, {sum}: {points}").format(
            goods=html_decoration.quote(line.name),
            sum=words.money(line.amount_minor),
            points=words.signed(-line.spent) if spending else _earned(line, bought.rules, words),
        )
        for line in shown
    ]
    left_out = len(receipt.lines) - len(shown)
    if left_out and not spending:
        lines.append(words.several("and {count} more line", "and {count} more lines", left_out))
    return ["", head, *lines]


def _earned(line: QuotedLine, rules: ProgrammeRules, words: Words) -> str:
    """What a line earned, and why so much; what a promo code added stands apart."""
    reasons = reasons_of(line.explanation)
    added = promised_points(line.explanation)
    usual = _usually_earned(line.earned - added, reasons, rules, words)
    if not added:
        return usual
    return _("{usual}, promo code {points}").format(usual=usual, points=words.signed(added))


def _usually_earned(
    points: int, reasons: tuple[Reason, ...], rules: ProgrammeRules, words: Words
) -> str:
    why = html_decoration.quote(line_why(words.language, rules, reasons, earned=points))
    if not points and why:
        return why
    earned = words.signed(points) if points else "0"
    return f"{earned} ({why})" if why else earned


def _return_lines(entry: Entry, back: ReturnAnswer, words: Words) -> list[str]:
    """The goods that came back, and each one's part of the points."""
    head = _("Return on receipt No. {number}, goods for {sum}:").format(
        number=html_decoration.quote(back.receipt_number),
        sum=words.money(back.moves.amount_minor),
    )
    given = entry.points > 0
    moved = [line for line in back.moves.lines if (line.give_back if given else line.take_back)]
    lines = [
        _("• {goods}, {sum}: {points}").format(
            goods=_goods(line, words),
            sum=words.money(line.amount_minor),
            points=words.signed(line.give_back if given else -line.take_back),
        )
        for line in moved[:LINES_MAX]
    ]
    if back.moves.forgiven and not given:
        let_go = words.points(back.moves.forgiven)
        lines.append(
            _("Of these, {points} had been used up already: we let them go.").format(points=let_go)
        )
    return ["", head, *lines]


def _goods(line: ReturnedLine, words: Words) -> str:
    name = html_decoration.quote(line.name)
    count = words.decimal(line.quantity_milli, 3)
    return name if line.quantity_milli == 1000 else f"{name} × {count}"
