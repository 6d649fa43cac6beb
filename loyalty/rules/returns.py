"""What a return of goods gives back: money, the points that paid for them, the points they earned.

Pure. A receipt is not judged anew: its minimum, its caps and its rate stay as they were at the
sale, and each line gives back its share of what it earned and of what was spent on it. The share is
that of the quantity, and cumulative: what all returns of a line have given back up to now is a
function of how much of it has come back, so that in any order they sum to the whole.

One rounding, points down (`loyalty.rules.rounding`), of what stays in the customer's hands: of a
line of `Q` units, of which `q` have come back,

- she has got back  `floor(spent × q / Q)`        of the points that she spent, and
- she keeps         `floor(earned × (Q - q) / Q)` of those that she earned; the rest is taken back;
- her money comes back as `paid × q / Q`, half up, at most what she paid.

So no sequence of returns leaves her a point that she has not earned in full, and each line is off
by less than a point until its last unit comes back, which settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import DAY, LINES_MAX, NUMBER_LENGTH_MAX, QUANTITY_MAX_MILLI
from loyalty.rules.rounding import money_half_up, points_down, shares
from loyalty.rules.texts import is_plain

CODE_LENGTH_MAX = 32


@dataclass(frozen=True, slots=True)
class SoldAt:
    """Where a receipt was made: by the code of its till, of its shop, or here (neither)."""

    till: str = ""
    shop: str = ""

    def is_wellformed(self) -> bool:
        return is_plain(self.till, CODE_LENGTH_MAX) and is_plain(self.shop, CODE_LENGTH_MAX)


HERE = SoldAt()


@dataclass(frozen=True, slots=True)
class Back:
    """Goods that come back: `line` counts from 1, as the receipt lists them.

    `quantity_milli` in thousandths of a unit; None: all that is left of the line.
    """

    line: int
    quantity_milli: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldLine:
    """A line as it was judged at the sale, and how much of it has come back since.

    `paid_minor` is the part of `amount_minor` that was paid in money.
    """

    quantity_milli: int
    amount_minor: int
    paid_minor: int
    spent: int
    earned: int
    returned_milli: int = 0

    @property
    def left_milli(self) -> int:
        return self.quantity_milli - self.returned_milli


@dataclass(frozen=True, slots=True, kw_only=True)
class Portion:
    """What comes back of one line: `amount_minor` are the goods at their price, `refund_minor` is
    the money of it. `give_back` and `take_back` are points, what the rules ask for."""

    line: int
    quantity_milli: int
    amount_minor: int
    refund_minor: int
    give_back: int
    take_back: int


def paid_by_line(
    amounts: Sequence[int], spent: Sequence[int], total_minor: int, paid_minor: int
) -> list[int]:
    """How much of each line was paid in money, when `total - paid` was paid otherwise.

    What points paid lies on the lines by their points; where that cannot be all of it, on all lines
    by their amounts. Sums to `paid_minor`.
    """
    otherwise = total_minor - paid_minor
    cuts = shares(otherwise, spent if any(spent) else amounts)
    if any(cut > amount for cut, amount in zip(cuts, amounts, strict=True)):
        cuts = shares(otherwise, amounts)
    return [amount - cut for amount, cut in zip(amounts, cuts, strict=True)]


def points_by_line(total: int, by_line: Sequence[int], amounts: Sequence[int]) -> list[int]:
    """A receipt's points on its lines: as the lines say it, or, where they say less or more than
    the receipt, in their proportion (by the amounts when they say nothing)."""
    if sum(by_line) == total:
        return list(by_line)
    weights = next((each for each in (by_line, amounts) if any(each)), [1] * len(amounts))
    return shares(total, weights)


def portion(number: int, line: SoldLine, quantity_milli: int) -> Portion:
    """What `quantity_milli` more of a line give back. At most `left_milli` of it."""
    whole, before = line.quantity_milli, line.returned_milli
    after = before + quantity_milli

    def kept(back_milli: int) -> int:
        return points_down(line.earned * (whole - back_milli), whole)

    def money(total_minor: int) -> int:
        return money_half_up(total_minor * after, whole) - money_half_up(
            total_minor * before, whole
        )

    return Portion(
        line=number,
        quantity_milli=quantity_milli,
        amount_minor=money(line.amount_minor),
        refund_minor=money(line.paid_minor),
        give_back=points_down(line.spent * after, whole) - points_down(line.spent * before, whole),
        take_back=kept(before) - kept(after),
    )


def judge(lines: Sequence[SoldLine], wanted: Sequence[Back] | None) -> list[Portion] | Refusal:
    """What comes back of a receipt: `wanted`, or all that is left when it is None.

    Refused: already_returned; invalid_receipt with `field` and `reason`; unknown_line;
    exceeds_quantity with `left_milli`.
    """
    if not any(line.left_milli for line in lines):
        return refuse(No.ALREADY_RETURNED)
    if wanted is None:
        wanted = [Back(n) for n, line in enumerate(lines, 1) if line.left_milli]
    if not 1 <= len(wanted) <= LINES_MAX:
        return refuse(No.INVALID_RECEIPT, field="lines", reason="count", count_max=LINES_MAX)
    portions: list[Portion] = []
    seen: set[int] = set()
    for i, back in enumerate(wanted):
        refusal = _check(i, back, lines, seen)
        if refusal is not None:
            return refusal
        seen.add(back.line)
        line = lines[back.line - 1]
        quantity = line.left_milli if back.quantity_milli is None else back.quantity_milli
        portions.append(portion(back.line, line, quantity))
    return portions


def _check(i: int, back: Back, lines: Sequence[SoldLine], seen: set[int]) -> Refusal | None:
    field = f"lines[{i}]"
    if not (type(back.line) is int and 1 <= back.line <= len(lines)):
        return refuse(No.UNKNOWN_LINE, field=f"{field}.line", lines=len(lines))
    if back.line in seen:
        return refuse(No.INVALID_RECEIPT, field=f"{field}.line", reason="repeated")
    quantity, left = back.quantity_milli, lines[back.line - 1].left_milli
    if quantity is None:
        quantity = left or 1  # "the rest" of a line that is back already is one too many
    if not (type(quantity) is int and 1 <= quantity <= QUANTITY_MAX_MILLI):
        return refuse(No.INVALID_RECEIPT, field=f"{field}.quantity_milli", reason="range")
    if quantity > left:
        return refuse(No.EXCEEDS_QUANTITY, field=f"{field}.quantity_milli", left_milli=left)
    return None


def check_return(
    *, receipt_number: str, sold_at: SoldAt, return_number: str = "-"
) -> Refusal | None:
    """Refused: invalid_receipt with the field and the reason."""
    for field, number in (("receipt_number", receipt_number), ("return_number", return_number)):
        if not number.strip() or not is_plain(number, NUMBER_LENGTH_MAX):
            return refuse(No.INVALID_RECEIPT, field=field, reason="text")
    if not sold_at.is_wellformed():
        return refuse(No.INVALID_RECEIPT, field="till" if sold_at.till else "shop", reason="text")
    return None


def too_old(sold_at: int, now: int, days_max: int) -> Refusal | None:
    """Instants in microseconds; `days_max` 0: goods may come back at any time.

    Refused: return_too_old with `days_max`.
    """
    if days_max and now - sold_at > days_max * DAY:
        return refuse(No.RETURN_TOO_OLD, days_max=days_max)
    return None
