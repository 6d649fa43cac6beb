"""Points: the balance, what expires soonest, the operations page by page, and why each happened."""

from collections.abc import Sequence

from aiogram import Router
from aiogram.filters import BaseFilter
from aiogram.methods import EditMessageText, SendMessage
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, TelegramObject, Update
from aiogram.utils.text_decorations import html_decoration

from bot import keyboards
from bot.callbacks import StatementPage, Why
from bot.dialogues.explanations import Bought, explain, receipt_of, return_of, title
from bot.dialogues.members import Member
from bot.menu import topic_of
from bot.refusal_texts import refusal_text
from bot.turns import Turn
from bot.words import Words, _
from loyalty.checkout import ReturnAnswer
from loyalty.customers import CustomerView, Glance, Operation
from loyalty.ledger import Balance, Entry
from loyalty.refusals import No, Refusal
from loyalty.rules.tiers import tier_standing
from messaging.earning_words import tier_words

PAGE = 5


def page_asked(update: Update) -> int | None:
    """The place before which she asks for operations, 0 for the newest; None: something else."""
    if update.message is not None:
        return 0 if topic_of(update.message.text or "") == "points" else None
    click = update.callback_query
    if click is None or click.data is None or not click.data.startswith(StatementPage.__prefix__):
        return None
    try:
        return StatementPage.unpack(click.data).before
    except (TypeError, ValueError):
        return None


class Asked(BaseFilter):
    """Passes a customer's question that `page_asked` knows: what she asks for has been read."""

    async def __call__(self, event: TelegramObject, glance: Glance | None = None) -> bool:
        return glance is not None


def router() -> Router:
    points = Router(name="points")
    points.message.register(show, Asked())
    points.callback_query.register(turn_page, Asked(), StatementPage.filter())
    points.callback_query.register(why, Member(), Why.filter())
    return points


async def show(message: Message, glance: Glance, turn: Turn) -> SendMessage:
    text, markup = _page(glance, turn, before=0)
    return message.answer(text, reply_markup=markup)


async def turn_page(
    query: CallbackQuery,
    callback_data: StatementPage,
    glance: Glance,
    turn: Turn,
) -> EditMessageText | None:
    if not isinstance(query.message, Message):
        return None
    text, markup = _page(glance, turn, before=callback_data.before)
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
    text = explain(found[0], await _business_of(found[0], turn), turn.words)
    return query.message.edit_text(
        text, reply_markup=keyboards.back_to_statement(callback_data.page)
    )


async def _business_of(entry: Entry, turn: Turn) -> Bought | ReturnAnswer | None:
    """The receipt or the return that an entry belongs to."""
    programme = turn.desk.programme
    named = return_of(entry)
    if named is not None:
        return await programme.checkout.return_of_till(*named)
    named = receipt_of(entry)
    if named is None:
        return None
    receipt = await programme.checkout.receipt(*named)
    if isinstance(receipt, Refusal):
        return None
    return Bought(receipt, (await programme.book.of(receipt.revision)).rules)


def _page(glance: Glance, turn: Turn, *, before: int) -> tuple[str, InlineKeyboardMarkup | None]:
    words, shown = turn.words, glance.operations[:PAGE]
    markup = keyboards.statement(
        [operation.seq for operation in shown],
        page=before,
        earlier=shown[-1].seq if len(glance.operations) > PAGE else None,
    )
    parts = (_balance_text(glance.balance, words), _tier_text(glance, turn))
    return "\n\n".join(("\n".join(filter(None, parts)), _operations(shown, words))), markup


def _tier_text(glance: Glance, turn: Turn) -> str:
    """The tier that she holds and how far it is to the next; "" where there are no tiers."""
    rules, words = turn.desk.programme.rules, turn.words
    standing = tier_standing(glance.customer.tier, glance.customer.turnover_minor, rules.tiers)
    if standing is None:
        return ""
    told = html_decoration.quote(tier_words(words.language, words.currency, standing))
    return _("⭐ Your tier: {tier}.").format(tier=told)


def _balance_text(balance: Balance, words: Words) -> str:
    lines = [_("💎 You have {points}.").format(points=f"<b>{words.points(balance.available)}</b>")]
    if balance.deficit:
        lines.append(
            _(
                "The next {points} that you earn make up for a cancelled or returned purchase."
            ).format(points=words.points(balance.deficit))
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


def _operations(operations: Sequence[Operation], words: Words) -> str:
    if not operations:
        return _("There are no operations yet. Show your card at the next purchase.")
    heading = _("Recent operations")
    lines = [f"<b>{heading}</b>"]
    lines += [
        f"{number}. {words.signed(each.points)} · {title(each)} · {words.day(each.at)}"
        for number, each in enumerate(operations, 1)
    ]
    lines += ["", _("Why? Press the number of an operation.")]
    return "\n".join(lines)
