"""What a till can ask about returns. As in `operations`: body in, one call, body out."""

from dataclasses import asdict
from typing import Any

from admin.api import return_models as models
from admin.api.answers import expiring_out
from admin.api.operation import Ask, Caller, Done, Operation
from loyalty.checkout import Back, Movement, ReturnAnswer, ReturnQuote, SoldAt
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal


async def _quote(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.ReturnQuoteIn = ask.body
    answer = await programme.checkout.quote_return(
        till_id=ask.caller.till_id,
        receipt_number=ask.path["number"],
        sold_at=SoldAt(body.till, body.shop),
        lines=_lines(body),
    )
    return answer if isinstance(answer, Refusal) else Done(_quote_out(answer))


async def _return(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    body: models.ReturnIn = ask.body
    answer = await programme.checkout.return_(
        till_id=ask.caller.till_id,
        key=ask.key,
        receipt_number=ask.path["number"],
        return_number=body.return_number,
        sold_at=SoldAt(body.till, body.shop),
        lines=_lines(body),
        staff_id=ask.caller.staff_id,
    )
    return answer if isinstance(answer, Refusal) else Done(_return_out(answer), answer.replayed)


async def _returns(programme: Programme, ask: Ask[Caller]) -> Done | Refusal:
    where: models.SoldAtQuery = ask.query
    answer = await programme.checkout.returns(
        ask.caller.till_id, ask.path["number"], SoldAt(where.till, where.shop)
    )
    if isinstance(answer, Refusal):
        return answer
    return Done(models.ReturnsOut(returns=[_return_out(each) for each in answer]))


def _lines(body: models.ReturnQuoteIn) -> list[Back] | None:
    if body.lines is None:
        return None
    return [Back(line.line, line.quantity_milli) for line in body.lines]


def _quote_out(quote: ReturnQuote) -> models.ReturnQuoteOut:
    return models.ReturnQuoteOut(
        receipt_id=str(quote.receipt_id),
        receipt_number=quote.receipt_number,
        name=quote.name,
        till=quote.till,
        shop=quote.shop,
        sold_at=quote.sold_at,
        returns=quote.returns,
        sold=[models.ReturnableLineOut(**asdict(line)) for line in quote.sold],
        **_moves(quote.moves),
    )


def _return_out(answer: ReturnAnswer) -> models.ReturnOut:
    return models.ReturnOut(
        return_id=str(answer.return_id),
        return_number=answer.return_number,
        receipt_id=str(answer.receipt_id),
        receipt_number=answer.receipt_number,
        customer_id=str(answer.customer_id),
        name=answer.name,
        till=answer.till,
        shop=answer.shop,
        at=answer.at,
        **_moves(answer.moves),
    )


def _moves(moves: Movement) -> dict[str, Any]:
    """The members of MovementOut."""
    lines = [models.ReturnedLineOut(**asdict(line)) for line in moves.lines]
    expiry = expiring_out(moves.next_expiry)
    return {name: getattr(moves, name) for name in models.MovementOut.model_fields} | {
        "next_expiry": expiry,
        "lines": lines,
    }


_RECEIPT = (No.RECEIPT_NOT_FOUND, No.RECEIPT_AMBIGUOUS)
_JUDGED = (
    *_RECEIPT,
    No.RECEIPT_CANCELLED,
    No.ALREADY_RETURNED,
    No.RETURN_TOO_OLD,
    No.UNKNOWN_LINE,
    No.EXCEEDS_QUANTITY,
    No.INVALID_RECEIPT,
)

RETURN_OPERATIONS: tuple[Operation[Caller], ...] = (
    Operation(
        name="quote_return",
        method="POST",
        path="/receipts/{number}/returns/quote",
        summary="What may come back of a receipt, and what a return would move",
        description="Writes nothing. Without `lines`, for all that is left. A receipt of another "
        "till of the chain is found by its number and `till` or `shop`.",
        request=models.ReturnQuoteIn,
        response=models.ReturnQuoteOut,
        keyed=False,
        refusals=_JUDGED,
        run=_quote,
    ),
    Operation(
        name="return",
        method="POST",
        path="/receipts/{number}/returns",
        summary="Take goods back",
        description="By line and quantity, in any number of returns, at any till of the chain. "
        "Money and points are the lines' shares, and the shares of all returns sum to the whole.",
        request=models.ReturnIn,
        response=models.ReturnOut,
        keyed=True,
        refusals=(*_JUDGED, No.RETURN_EXISTS, No.KEY_REUSED),
        run=_return,
    ),
    Operation(
        name="returns",
        method="GET",
        path="/receipts/{number}/returns",
        summary="The returns of a receipt",
        description="In order, with what each has moved.",
        request=None,
        response=models.ReturnsOut,
        keyed=False,
        refusals=_RECEIPT,
        run=_returns,
        query=models.SoldAtQuery,
    ),
)
