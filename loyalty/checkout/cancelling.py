"""The cancel: spent points go back to the very lots, earned points are taken back by the policy."""

from dataclasses import dataclass, replace
from typing import Any

from loyalty import events
from loyalty.checkout.answers import ReceiptAnswer, decode_receipt, encode, replayed_receipt
from loyalty.checkout.desk import Desk, look_ahead, scoped_key
from loyalty.checkout.promising import undo
from loyalty.checkout.settling import event_row
from loyalty.checkout.turns import in_turn
from loyalty.conflicts import DeclinedError, OvertakenError
from loyalty.database import after_commit, query, transaction
from loyalty.instants import from_micros
from loyalty.ledger.companion import Companion, joined
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.commands import Posted, Reverse, Verdict
from loyalty.rules.months import month_of
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.receipts import fingerprint
from loyalty.rules.tiers import window
from loyalty.sql import checkout as sql
from loyalty.sql import refills as refills_sql
from loyalty.turnover import Turnover, TurnoverRows, sum_up, turnover_of, undone

NOTHING_LEFT = (No.NOTHING_TO_TAKE_BACK, No.ALREADY_REVERSED)
"""A cancel goes through even when there are no points left to move."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """A receipt that can be cancelled, and its customer's turnover."""

    row: Any
    turnover: Turnover


@dataclass(frozen=True, slots=True)
class _Besides:
    """What goes with the receipt itself: its turnover, and the medicines that came with it."""

    turned: TurnoverRows
    receipt_id: int
    at: int

    def companion(self) -> Companion:
        courses = refills_sql.cancelled_companion(self.receipt_id, self.at)
        return joined(self.turned.companion(), courses)

    async def write(self) -> None:
        await self.turned.write()
        await refills_sql.cancel(self.receipt_id, self.at)


async def cancel(
    desk: Desk, *, till_id: int, key: str, receipt_number: str, staff_id: int | None, at: int
) -> ReceiptAnswer | Refusal:
    """See `Checkout.cancel`.

    Round trips on Postgres: 7 (facts, begin, ledger, ledger, state with answer and event, promo
    codes and referral, commit).
    """
    own_key, mark = scoped_key(till_id, key), fingerprint("cancel", receipt_number)

    async def ready() -> _Seen | ReceiptAnswer | Refusal:
        now, rules = desk.now(), desk.rules
        months = window(month_of(now, rules.timezone))
        [row] = await query(sql.CANCEL_FACTS, None, till_id, receipt_number, own_key, *months)
        if row["own_answer"] is not None:
            if bytes(row["own_fingerprint"]) != mark:
                return refuse(No.KEY_REUSED)
            return replayed_receipt(row["own_answer"])
        if row["id"] is None:
            return refuse(No.RECEIPT_NOT_FOUND)
        if row["state"] == "cancelled":
            return refuse(No.RECEIPT_CANCELLED)
        if row["returns"]:
            return refuse(No.RECEIPT_HAS_RETURNS)
        if row["is_unsummed"]:
            await sum_up(row["customer_id"], rules, now)
            return await ready()
        return _Seen(row, turnover_of(row, row["customer_id"]))

    async def settle(seen: _Seen) -> ReceiptAnswer:
        # A till's clock may say that it was cancelled before it was bought.
        return await _undo(desk, seen, (max(at, seen.row["at"]), staff_id, own_key, mark))

    return await in_turn(desk.turns, _Seen, ready, settle, writing=transaction)


async def _undo(desk: Desk, seen: _Seen, how: tuple[int, int | None, str, bytes]) -> ReceiptAnswer:
    """Everything or nothing, within the caller's transaction and the customer's turn."""
    row, at = seen.row, how[0]
    receipt_id = row["id"]
    first = decode_receipt(row["answer"])
    own_rules = (await desk.book.of(row["rules_revision"])).rules
    commands = _reversals(own_rules, row, first.receipt_number, at)
    turned = undone(
        seen.turnover,
        desk.rules,
        paid_minor=row["paid_minor"],
        whole=True,
        month=month_of(row["at"], own_rules.timezone),
        recorded_at=row["recorded_at"],
        now=desk.now(),
    )
    outlook = await look_ahead(desk, row["customer_id"], list(commands.values()))
    moved = dict(zip(commands, map(_points, outlook.verdicts), strict=True))
    answer = replace(
        first,
        state="cancelled",
        cancelled_at=from_micros(at),
        balance=outlook.balance.available,
        next_expiry=outlook.balance.next_expiry,
        returned=moved.get("spent", 0),
        taken_back=-moved.get("earned", 0),
    )
    event = event_row("receipt.cancelled", answer, row["shop_name"])
    await outlook.write()  # the account before its receipt, as a return locks them
    besides = _Besides(turned, receipt_id, at)
    if not await sql.write_cancel((receipt_id, *how, encode(answer)), event, besides):
        raise OvertakenError
    has_codes = any(outcome.is_applied for outcome in first.promos)
    await undo(receipt_id, desk.now(), frees_codes=has_codes)
    after_commit(events.announce)
    return answer


def _reversals(rules: ProgrammeRules, row: Any, number: str, at: int) -> dict[str, Reverse]:
    """First what she spent comes back, so that what she earned can be taken out of it."""
    return {
        what: Reverse(
            key=f"receipt:{row['id']}:{what}:cancel",
            account_id=row["customer_id"],
            transaction_id=transaction_id,
            at=at,
            clawback=rules.cancel_clawback,
            grace_days=rules.cancel_grace_days,
            reference=number,
        )
        for what, transaction_id in (("spent", row["redemption_id"]), ("earned", row["accrual_id"]))
        if transaction_id is not None
    }


def _points(verdict: Verdict) -> int:
    if isinstance(verdict, Refusal):
        if verdict.code in NOTHING_LEFT:
            return 0
        raise DeclinedError(verdict)
    assert isinstance(verdict, Posted)
    return verdict.points
