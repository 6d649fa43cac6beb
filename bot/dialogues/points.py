"""Points: the balance, what expires soonest, the operations page by page, and why each happened."""

from collections.abc import Sequence

from aiogram import Router
from aiogram.methods import EditMessageText, SendMessage
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from bot import keyboards
from bot.callbacks import StatementPage, Why
from bot.dialogues.explanations import explain, receipt_of, title
from bot.dialogues.members import Member
from bot.menu import Asks
from bot.refusal_texts import refusal_text
from bot.turns import Turn
from bot.words import Words, _
from loyalty.checkout import ReceiptAnswer
from loyalty.customers import CustomerView
from loyalty.ledger import Balance, Entry
from loyalty.refusals import No, Refusal

PAGE = 5


def router() -> Router:
    points = Router(name="points")
    points.message.register(show, Member(), Asks("points"))
    points.callback_query.register(turn_page, Member(), StatementPage.filter())
    points.callback_query.register(why, Member(), Why.filter())
    return points


async def show(message: Message, customer: CustomerView, turn: Turn) -> SendMessage:
    text, markup = await _page(customer, turn, before=0)
    return message.answer(text, reply_markup=markup)


async def turn_page(
    query: CallbackQuery,
    callback_data: StatementPage,
    customer: CustomerView,
    turn: Turn,
) -> EditMessageText | None:
    if not isinstance(query.message, Message):
        return None
    text, markup = await _page(customer, turn, before=callback_data.before)
    return query.message.edit_text(text, reply_markup=markup)


async def why(
    query: CallbackQuery,
    callback_data: Why,
    customer: CustomerView,
    turn: Turn,
    toast: list[str],
) -> EditMessageText | None:
    if not isinstance(query.message, Message):
        return None
    seq = callback_data.seq
    found = await turn.desk.programme.ledger.statement(customer.id, limit=1, before_seq=seq + 1)
    if not found or found[0].seq != seq:
        toast.append(refusal_text(Refusal(No.TRANSACTION_NOT_FOUND), turn.words))
        return None
    text = explain(found[0], await _receipt(found[0], turn), turn.words)
    return query.message.edit_text(
        text, reply_markup=keyboards.back_to_statement(callback_data.page)
    )


async def _receipt(entry: Entry, turn: Turn) -> ReceiptAnswer | None:
    named = receipt_of(entry)
    if named is None:
        return None
    receipt = await turn.desk.programme.checkout.receipt(*named)
    return None if isinstance(receipt, Refusal) else receipt


async def _page(
    customer: CustomerView, turn: Turn, *, before: int
) -> tuple[str, InlineKeyboardMarkup | None]:
    overview = await turn.desk.programme.ledger.overview(
        customer.id, limit=PAGE + 1, before_seq=before or None
    )
    if isinstance(overview, Refusal):
        return refusal_text(overview, turn.words), None
    balance, entries = overview.balance, overview.entries
    shown = entries[:PAGE]
    markup = keyboards.statement(
        [entry.seq for entry in shown],
        page=before,
        earlier=shown[-1].seq if len(entries) > PAGE else None,
    )
    return "\n\n".join((_balance_text(balance, turn.words), _operations(shown, turn.words))), markup


def _balance_text(balance: Balance, words: Words) -> str:
    lines = [_("💎 You have {points}.").format(points=f"<b>{words.points(balance.available)}</b>")]
    if balance.deficit:
        lines.append(
            _("The next {points} that you earn make up for a cancelled purchase.").format(
                points=words.points(balance.deficit)
            )
        )
    if balance.pending and balance.next_available_at:
        lines.append(
            _("⏳ On their way: {points}, the first on {day}.").format(
                points=words.points(balance.pending),
                day=words.day(balance.next_available_at),
            )
        )
    if balance.held:
        lines.append(
            _("🛒 Set aside at a till: {points}.").format(points=words.points(balance.held))
        )
    if balance.next_expiry:
        lines.append(
            _("🔥 Soonest to expire: {points}, on {day}.").format(
                points=words.points(balance.next_expiry.points),
                day=words.day(balance.next_expiry.at),
            )
        )
    return "\n".join(lines)


def _operations(entries: Sequence[Entry], words: Words) -> str:
    if not entries:
        return _("There are no operations yet. Show your card at the next purchase.")
    heading = _("Recent operations")
    lines = [f"<b>{heading}</b>"]
    lines += [
        f"{number}. {words.signed(entry.points)} · {title(entry)} · {words.day(entry.at)}"
        for number, entry in enumerate(entries, 1)
    ]
    lines += ["", _("Why? Press the number of an operation.")]
    return "\n".join(lines)
