"""Whether a card that was read may be used here and now. Pure; instants in microseconds.

Three steps: the digits alone make a `Reading`; the database adds `CardFacts`; `judge` decides.
"""

from dataclasses import dataclass

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.card_codes import How
from loyalty.rules.receipts import SECOND

GUESSES_PER_DEVICE = 5
GUESSES_PER_TILL = 30
GUESS_WINDOW_S = 300
"""Wrong cards that a device and a till may name in five minutes; then only static cards pass."""

MAY_SPEND: frozenset[How] = frozenset({"picture", "live", "short"})
"""Codes that only the customer's own chat can show. A number or a phone may be anybody's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the digits say by themselves. `no`: why they cannot be a card's.

    `kind` and `value` name the identity to look for, `short` a short code instead. `code_hash`
    stands for a single-use code; `expires_at` is when it dies by itself.
    """

    how: How
    kind: str = ""
    value: str = ""
    short: str = ""
    code_hash: str = ""
    expires_at: int | None = None
    no: No | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """A till that has scanned this code before."""

    till_id: int
    expires_at: int
    is_used: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What the database knows of it. For a short code, `code_hash` and `expires_at` too."""

    customer_id: int | None
    name: str
    card_number: str
    code_hash: str = ""
    expires_at: int | None = None
    claim: Claim | None = None
    guessing_until: int | None = None
    tier: str = ""
    turnover_minor: int = 0


@dataclass(frozen=True, slots=True)
class CardRead:
    """A card that may be used. `needs_claim`: a code that no till has made its own yet."""

    customer_id: int
    may_spend: bool
    code_hash: str | None
    how: How
    name: str
    card_number: str
    needs_claim: bool = False
    tier: str = ""
    turnover_minor: int = 0


def judge(reading: Reading, facts: CardFacts, *, till_id: int, at: int) -> CardRead | Refusal:
    """Refused: too_many_attempts, card_forged, card_unknown, card_code_used, card_code_expired."""
    is_code = reading.how in MAY_SPEND
    if facts.guessing_until is not None and (is_code or reading.no):
        return too_many_guesses(facts.guessing_until, at)
    if reading.no is not None:
        return refuse(reading.no)
    if facts.customer_id is None:
        return refuse(No.CARD_UNKNOWN)
    code_hash = reading.code_hash or facts.code_hash
    if is_code:
        refusal = _code_refusal(facts.claim, reading.expires_at or facts.expires_at, till_id, at)
        if refusal is not None:
            return refusal
    return CardRead(
        customer_id=facts.customer_id,
        may_spend=is_code,
        code_hash=code_hash if is_code else None,
        how=reading.how,
        name=facts.name,
        card_number=facts.card_number,
        needs_claim=is_code and facts.claim is None,
        tier=facts.tier,
        turnover_minor=facts.turnover_minor,
    )


def _code_refusal(
    claim: Claim | None, expires_at: int | None, till_id: int, at: int
) -> Refusal | None:
    if claim is None:
        expired = expires_at is None or at >= expires_at
        return refuse(No.CARD_CODE_EXPIRED) if expired else None
    if claim.till_id != till_id or claim.is_used:
        return refuse(No.CARD_CODE_USED)
    return refuse(No.CARD_CODE_EXPIRED) if at >= claim.expires_at else None


def too_many_guesses(until: int, at: int) -> Refusal:
    return refuse(No.TOO_MANY_ATTEMPTS, wait_s=max(1, -(-(until - at) // SECOND)))


def counts_as_guess(reading: Reading, refusal: Refusal) -> bool:
    """Whether this "no" looks like guessing. A phone of no customer of ours is everyday."""
    return refusal.code in (No.CARD_FORGED, No.CARD_UNKNOWN) and reading.how != "phone"
