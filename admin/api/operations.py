"""What a till can ask: one table. Addresses, validation, the OpenAPI document, and the till page's
own addresses all come from it.

An operation translates: body in, one call of the programme, body out. It decides nothing.
"""

from admin.api import models
from admin.api.answers import line_of, lookup_out, quote_out, receipt_out
from admin.api.operation import Ask, Caller, Done, Operation
from admin.api.returns import RETURN_OPERATIONS
from loyalty.checkout import QuoteAnswer, ReceiptAnswer
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal, refuse

_INT64_MAX = (1 << 63) - 1


async def _lookup(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.LookupIn = ask.body
    answer = await programme.checkout.lookup(
        till_id=ask.caller.till_id, card=body.card, device=ask.caller.device
    )
    if isinstance(answer, Refusal):
        return answer
    return Done(lookup_out(answer, ask.language))


async def _quote(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.QuoteIn = ask.body
    answer = await programme.checkout.quote(
        till_id=ask.caller.till_id,
        key=ask.key,
        card=body.card,
        receipt_number=body.receipt_number,
        lines=[line_of(line) for line in body.lines],
        spend=body.spend,
        promo_codes=body.promo_codes,
        staff_id=ask.caller.staff_id,
        device=ask.caller.device,
        address=ask.caller.address,
    )
    return answer if isinstance(answer, Refusal) else await _quoted(programme, ask, answer)


async def _release(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    quote_id = int(ask.path["id"])
    if quote_id > _INT64_MAX:
        return refuse(No.QUOTE_NOT_FOUND)
    refusal = await programme.checkout.release(till_id=ask.caller.till_id, quote_id=quote_id)
    return refusal if isinstance(refusal, Refusal) else Done(models.ReleaseOut(released=True))


async def _commit(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.CommitQuoteIn | models.CommitSaleIn = ask.body.root
    if isinstance(body, models.CommitQuoteIn):
        return await _commit_quote(programme, ask, body)
    answer = await programme.checkout.commit(
        till_id=ask.caller.till_id,
        key=ask.key,
        card=body.card,
        receipt_number=body.receipt_number,
        lines=[line_of(line) for line in body.lines],
        at=body.at,
        staff_id=ask.caller.staff_id,
        device=ask.caller.device,
    )
    return answer if isinstance(answer, Refusal) else await _done(programme, ask, answer)


async def _commit_quote(
    programme: Programme, ask: Ask[Caller], body: models.CommitQuoteIn
) -> Done | Refusal:
    quote_id = int(body.quote_id)
    if quote_id > _INT64_MAX:
        return refuse(No.QUOTE_NOT_FOUND)
    answer = await programme.checkout.commit(
        till_id=ask.caller.till_id,
        key=ask.key,
        quote_id=quote_id,
        receipt_number=body.receipt_number,
        staff_id=ask.caller.staff_id,
    )
    return answer if isinstance(answer, Refusal) else await _done(programme, ask, answer)


async def _cancel(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.CancelIn = ask.body
    answer = await programme.checkout.cancel(
        till_id=ask.caller.till_id,
        key=ask.key,
        receipt_number=ask.path["number"],
        at=body.at,
        staff_id=ask.caller.staff_id,
    )
    return answer if isinstance(answer, Refusal) else await _done(programme, ask, answer)


async def _receipt(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    answer = await programme.checkout.receipt(ask.caller.till_id, ask.path["number"])
    return answer if isinstance(answer, Refusal) else await _done(programme, ask, answer)


async def _quoted(programme: Programme, ask: Ask[Caller], quote: QuoteAnswer) -> Done:
    rules = (await programme.book.of(quote.revision)).rules
    return Done(quote_out(quote, rules, ask.language), quote.replayed)


async def _done(programme: Programme, ask: Ask[Caller], receipt: ReceiptAnswer) -> Done:
    rules = (await programme.book.of(receipt.revision)).rules
    return Done(receipt_out(receipt, rules, ask.language), receipt.replayed)


_CARD = (
    No.CARD_UNKNOWN,
    No.CARD_FORGED,
    No.CARD_CODE_EXPIRED,
    No.CARD_CODE_USED,
    No.TOO_MANY_ATTEMPTS,
)
_COMMAND = (No.KEY_REUSED, No.INVALID_RECEIPT)

OPERATIONS: tuple[Operation[Caller], ...] = (
    Operation(
        name="lookup",
        method="POST",
        path="/lookup",
        summary="Who is it, and what has she got",
        description="Reads a card without selling anything. A rotating or short code becomes this "
        "till's alone for the time of a sale.",
        request=models.LookupIn,
        response=models.LookupOut,
        keyed=False,
        refusals=_CARD,
        run=_lookup,
    ),
    Operation(
        name="quote",
        method="POST",
        path="/quotes",
        summary="What this receipt earns, and what it may be paid with",
        description="With `spend` the points, and with `promo_codes` those of them that fit, are "
        "set aside until `expires_at`. `promos` says of each code what it does or why not: a code "
        "that does not fit stops nothing. A newer quote for the same receipt number takes the "
        "older one's place.",
        request=models.QuoteIn,
        response=models.QuoteOut,
        keyed=True,
        refusals=(
            *_CARD,
            *_COMMAND,
            No.CARD_CANNOT_SPEND,
            No.EXCEEDS_SPENDING_LIMIT,
            No.INSUFFICIENT_POINTS,
            No.RECEIPT_EXISTS,
        ),
        run=_quote,
    ),
    Operation(
        name="release",
        method="POST",
        path="/quotes/{id}/release",
        summary="Give up a quote",
        description="The points and promo codes set aside are free again. Repeating it changes "
        "nothing.",
        request=models.ReleaseIn,
        response=models.ReleaseOut,
        keyed=True,
        refusals=(No.QUOTE_NOT_FOUND, No.HOLD_CLOSED),
        run=_release,
    ),
    Operation(
        name="commit",
        method="POST",
        path="/receipts",
        summary="Record the sale: spend and earn",
        description="By `quote_id`, as quoted; or by `card` and `lines`, which earns and spends "
        "nothing (an offline till sends `at`, the time of the sale).",
        request=models.CommitIn,
        response=models.ReceiptOut,
        keyed=True,
        refusals=(
            *_CARD,
            *_COMMAND,
            No.QUOTE_NOT_FOUND,
            No.QUOTE_EXPIRED,
            No.HOLD_EXPIRED,
            No.HOLD_CLOSED,
            No.INSUFFICIENT_POINTS,
            No.RECEIPT_EXISTS,
            No.EVENT_TIME_REFUSED,
        ),
        run=_commit,
    ),
    Operation(
        name="cancel",
        method="POST",
        path="/receipts/{number}/cancel",
        summary="Cancel a receipt",
        description="Earned points are taken back, spent points return to the lots they came "
        "from, and promo codes are good again where their campaign says so. Once goods of it have "
        "come back, return the rest instead.",
        request=models.CancelIn,
        response=models.ReceiptOut,
        keyed=True,
        refusals=(
            No.RECEIPT_NOT_FOUND,
            No.RECEIPT_CANCELLED,
            No.RECEIPT_HAS_RETURNS,
            No.KEY_REUSED,
            No.EVENT_TIME_REFUSED,
        ),
        run=_cancel,
    ),
    Operation(
        name="receipt",
        method="GET",
        path="/receipts/{number}",
        summary="One receipt of this till",
        description="As it stands now: committed, cancelled, or returned, all of it.",
        request=None,
        response=models.ReceiptOut,
        keyed=False,
        refusals=(No.RECEIPT_NOT_FOUND,),
        run=_receipt,
    ),
    *RETURN_OPERATIONS,
)
