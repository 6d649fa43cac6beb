"""Promo codes: whether a code fits a receipt, what it gives, and how several go together. Pure.

Money first, points after: discounts change what is paid, and so what may be paid with points and
what earns; bonus points and multipliers are added to what the rest has earned. Percents come off
first, each of what the one before has left, then fixed sums. Gains of multipliers add up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from loyalty.instants import NEVER
from loyalty.refusals import Datum, No, Refusal, first_of, refuse
from loyalty.rules.reasons import Reason, reasons_of
from loyalty.rules.rounding import money_half_up, points_down, shares

CODES_MAX = 10
"""Codes on one receipt."""
POINTS_MAX = 10_000_000
MONEY_MAX_MINOR = 1_000_000_000_000
GAIN_MAX_PERMILLE = 100_000
USES_MAX = 1_000_000_000


class Kind(StrEnum):
    PERCENT = "percent"
    SUM = "sum"
    POINTS = "points"
    MULTIPLIER = "multiplier"
    GIFT = "gift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a promo campaign gives, and when. Never changed: another offer is another campaign.

    `permille` is the share off (percent), or what earned points are multiplied by (2000 doubles).
    None is no limit. `categories` and `shops` (codes) empty: all of them. `segment_only`: for the
    customers that were named to the campaign. `holder_only`: only who was given the code.
    `frees_on_cancel`: cancelling the receipt makes the code good again.
    """

    kind: Kind
    permille: int = 0
    amount_minor: int = 0
    points: int = 0
    gift_sku: str = ""
    gift_name: str = ""
    discount_max_minor: int | None = None
    starts_at: int = 0
    ends_at: int = NEVER
    total_max: int | None = None
    per_customer_max: int | None = None
    min_total_minor: int = 0
    categories: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    first_purchase: bool = False
    segment_only: bool = False
    holder_only: bool = False
    stackable: bool = False
    frees_on_cancel: bool = True

    @property
    def customer_max(self) -> int | None:
        """How often one customer may use it; the first purchase happens once."""
        return 1 if self.first_purchase else self.per_customer_max


def check_terms(terms: Terms) -> Refusal | None:
    """Refused: invalid_promo with the `field`."""
    limits = {
        "permille": (terms.permille, *_PERMILLE.get(terms.kind, (0, 0))),
        "amount_minor": (terms.amount_minor, *_of(terms.kind, Kind.SUM, MONEY_MAX_MINOR)),
        "points": (terms.points, *_of(terms.kind, Kind.POINTS, POINTS_MAX)),
        "discount_max_minor": (terms.discount_max_minor, 1, MONEY_MAX_MINOR),
        "min_total_minor": (terms.min_total_minor, 0, MONEY_MAX_MINOR),
        "total_max": (terms.total_max, 1, USES_MAX),
        "per_customer_max": (terms.per_customer_max, 1, USES_MAX),
        "ends_at": (terms.ends_at, terms.starts_at + 1, NEVER),
    }
    for name, (number, least, most) in limits.items():
        if number is not None and not least <= number <= most:
            return refuse(No.INVALID_PROMO, field=name)
    if (terms.kind == Kind.GIFT) != bool(terms.gift_name or terms.gift_sku):
        return refuse(No.INVALID_PROMO, field="gift_name")
    return None


_PERMILLE = {Kind.PERCENT: (1, 1000), Kind.MULTIPLIER: (1001, GAIN_MAX_PERMILLE)}


def _of(kind: Kind, wanted: Kind, most: int) -> tuple[int, int]:
    """The figure of this kind is wanted, and of no other."""
    return (1, most) if kind == wanted else (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database knows of a code that was given. Counts leave out what this very receipt
    has reserved."""

    code: str
    campaign_id: int
    title: str
    terms: Terms
    is_revoked: bool = False
    is_personal: bool = False
    """Good for one use, whoever's it is."""
    holder_id: int | None = None
    taken: int = 0
    total_taken: int = 0
    customer_taken: int = 0
    is_in_segment: bool = False
    is_held_here: bool = False
    """Reserved by the older quote of the same receipt."""


@dataclass(frozen=True, slots=True)
class PromoLine:
    amount_minor: int
    quantity_milli: int = 1000
    category: str = ""
    sku: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basket:
    """The receipt as the promo codes see it, before any of them. `shop` is the shop's code."""

    customer_id: int
    shop: str
    at: int
    is_first: bool
    lines: tuple[PromoLine, ...]


def refusal_of(known: Known, basket: Basket) -> Refusal | None:
    """Why the code does not fit this receipt, taken by itself; in full, for staff."""
    standing = standing_refusal(known, basket.customer_id, basket.at)
    return first_of(standing, _receipt_refusal(known, basket))


def standing_refusal(known: Known, customer_id: int, at: int) -> Refusal | None:
    """Why the code is of no use to this customer now, whatever she buys.

    Refused: promo_revoked, promo_not_yet with `starts_at`, promo_expired with `ended_at`,
    promo_used, promo_used_up, promo_used_by_customer, promo_not_holder, promo_not_in_segment.
    """
    terms, most = known.terms, known.terms.customer_max
    checks: tuple[tuple[bool, Refusal], ...] = (
        (known.is_revoked, refuse(No.PROMO_REVOKED)),
        (at < terms.starts_at, refuse(No.PROMO_NOT_YET, starts_at=terms.starts_at)),
        (at >= terms.ends_at, refuse(No.PROMO_EXPIRED, ended_at=terms.ends_at)),
        (known.is_personal and known.taken > 0, refuse(No.PROMO_USED)),
        (most is not None and known.customer_taken >= most, refuse(No.PROMO_USED_BY_CUSTOMER)),
        (
            terms.total_max is not None and known.total_taken >= terms.total_max,
            refuse(No.PROMO_USED_UP),
        ),
        (
            terms.holder_only and known.holder_id != customer_id,
            refuse(No.PROMO_NOT_HOLDER),
        ),
        (terms.segment_only and not known.is_in_segment, refuse(No.PROMO_NOT_IN_SEGMENT)),
    )
    return next((refusal for applies, refusal in checks if applies), None)


def _receipt_refusal(known: Known, basket: Basket) -> Refusal | None:
    """Refused: promo_not_first_purchase, promo_other_shop, promo_other_goods,
    promo_below_minimum with `min_total_minor`."""
    terms = known.terms
    if terms.first_purchase and not basket.is_first:
        return refuse(No.PROMO_NOT_FIRST_PURCHASE)
    if terms.shops and basket.shop not in terms.shops:
        return refuse(No.PROMO_OTHER_SHOP)
    if not any(_covers(terms, line) for line in basket.lines):
        return refuse(No.PROMO_OTHER_GOODS)
    if sum(line.amount_minor for line in basket.lines) < terms.min_total_minor:
        return refuse(No.PROMO_BELOW_MINIMUM, min_total_minor=terms.min_total_minor)
    return None


def _covers(terms: Terms, line: PromoLine) -> bool:
    return not terms.categories or line.category in terms.categories


Given = Known | Refusal
"""A code that was given: known, or why it is not even looked at."""


def judge(given: Sequence[tuple[str, Given]], basket: Basket) -> list[tuple[str, Given]]:
    """Which of the codes apply, in the order given: the first comes first.

    A later one joins only if it and all before it may stand together, and it is of a campaign of
    its own; else promo_not_stackable with the `other` in its way.
    """
    verdicts: list[tuple[str, Given]] = []
    taken: list[Known] = []
    for text, known in given:
        verdict = known if isinstance(known, Refusal) else _join(known, taken, basket)
        if isinstance(verdict, Known):
            taken.append(verdict)
        verdicts.append((text, verdict))
    return verdicts


def _join(known: Known, taken: Sequence[Known], basket: Basket) -> Given:
    refusal = refusal_of(known, basket)
    if refusal is not None:
        return refusal
    for other in taken:
        both = known.terms.stackable and other.terms.stackable
        if not both or known.campaign_id == other.campaign_id:
            return refuse(No.PROMO_NOT_STACKABLE, other=other.code)
    return known


def discounts(lines: Sequence[PromoLine], applied: Sequence[Known]) -> list[list[int]]:
    """What each code takes off each line, in minor units. Never more than the line costs."""
    left = [line.amount_minor for line in lines]
    off = {known.code: [0] * len(lines) for known in applied}
    for kind in (Kind.PERCENT, Kind.SUM, Kind.GIFT):
        for known in applied:
            if known.terms.kind == kind:
                cut = _discount(known.terms, lines, left)
                off[known.code] = cut
                left = [money - less for money, less in zip(left, cut, strict=True)]
    return [off[known.code] for known in applied]


def _discount(terms: Terms, lines: Sequence[PromoLine], left: Sequence[int]) -> list[int]:
    if terms.kind == Kind.GIFT:
        return _gift(terms, lines, left)
    base = [money if _covers(terms, line) else 0 for line, money in zip(lines, left, strict=True)]
    total = sum(base)
    if terms.kind == Kind.PERCENT:
        total = money_half_up(total * terms.permille, 1000)
    else:
        total = min(total, terms.amount_minor)
    if terms.discount_max_minor is not None:
        total = min(total, terms.discount_max_minor)
    return shares(total, base, base)


def _gift(terms: Terms, lines: Sequence[PromoLine], left: Sequence[int]) -> list[int]:
    """One unit of the gift costs nothing where it is on the receipt; else it is only handed out."""
    off = [0] * len(lines)
    for i, line in enumerate(lines):
        if terms.gift_sku and line.sku == terms.gift_sku:
            unit = money_half_up(left[i] * 1000, line.quantity_milli)
            off[i] = min(unit, left[i])
            break
    return off


def bonuses(
    lines: Sequence[PromoLine], earned: Sequence[int], applied: Sequence[Known]
) -> list[list[int]]:
    """What each code adds to the points that each line has earned without any."""
    return [_bonus(known.terms, lines, earned) for known in applied]


def _bonus(terms: Terms, lines: Sequence[PromoLine], earned: Sequence[int]) -> list[int]:
    covered = [_covers(terms, line) for line in lines]
    if terms.kind == Kind.MULTIPLIER:
        base = [points if yes else 0 for points, yes in zip(earned, covered, strict=True)]
        return shares(points_down(sum(base) * (terms.permille - 1000), 1000), base)
    if terms.kind == Kind.POINTS:
        costs = [line.amount_minor if yes else 0 for line, yes in zip(lines, covered, strict=True)]
        return shares(terms.points, costs if any(costs) else [int(yes) for yes in covered])
    return [0] * len(lines)


def promised_reasons(cut_minor: int, points: int) -> tuple[Reason, ...]:
    """What promo codes did to a line, as its explanation keeps it: a code and numbers."""
    off = (Reason(_DISCOUNT, {"minor": cut_minor}),) if cut_minor else ()
    more = (Reason(_POINTS, {"points": points}),) if points else ()
    return off + more


def promised_in(explanation: str) -> tuple[Reason, ...]:
    """The same, out of the explanation."""
    return tuple(why for why in reasons_of(explanation) if why.code in (_DISCOUNT, _POINTS))


def promised_points(explanation: str) -> int:
    """Points of a line that promo codes have added to what the rules give."""
    if _POINTS not in explanation:
        return 0
    reasons = promised_in(explanation)
    return sum(int(why.data["points"]) for why in reasons if why.code == _POINTS)


_DISCOUNT, _POINTS = "promo_discount", "promo_points"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one code did on a receipt, or (`refusal`, `data`) why not. It is kept with the answer.

    `asked` is the code as it was given, `gift` names what the cashier hands out.
    """

    asked: str
    code: str
    title: str = ""
    kind: str = ""
    discount_minor: int = 0
    points: int = 0
    gift: str = ""
    refusal: str = ""
    data: Mapping[str, Datum] = field(default_factory=dict)

    @property
    def is_applied(self) -> bool:
        return not self.refusal
