"""The card: what the chat shows, and what a till may do with what it read.

The forms of the codes are `rules.card_codes`, the verdict on a read card `rules.card_reading`.
"""

import base64
import hashlib
import hmac
import itertools
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from loyalty.clock import Clock
from loyalty.database import query
from loyalty.identities import normalise_phone
from loyalty.instants import from_micros, to_micros
from loyalty.keys import derive_key
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import RuleBook
from loyalty.rules import card_codes
from loyalty.rules.card_reading import (
    GUESS_WINDOW_S,
    GUESSES_PER_DEVICE,
    GUESSES_PER_TILL,
    CardFacts,
    CardRead,
    Claim,
    Reading,
    counts_as_guess,
    judge,
    too_many_guesses,
)
from loyalty.rules.receipts import SECOND
from loyalty.sql import cards as sql

SHORT_CODE_TRIES = 20
LIVE_REMEMBERED_S = 3600
"""How long an old live code is told from a forged one; longer than any till keeps a claim."""
TOKEN_MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class CardPicture:
    """What the chat draws: digits for the QR, and six of them for a cashier without a scanner."""

    card_number: str
    payload: str
    short_code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class LiveCode:
    payload: str
    seconds_left: int


class Cards:
    def __init__(self, clock: Clock, secret: bytes, book: RuleBook) -> None:
        self._clock = clock
        self._book = book
        self._picture_key = derive_key(secret, "card picture")
        self._live_key = derive_key(secret, "live card")
        self._link_key = derive_key(secret, "live card link")
        # Counted, not drawn: two pictures of one second must not show one code.
        self._nonces = itertools.count(secrets.randbelow(card_codes.NONCES))

    # -- what the customer shows ------------------------------------------------------------------

    async def picture(self, customer_id: int) -> CardPicture | Refusal:
        """A new single-use code; older ones live out their time. Refused: customer_not_found."""
        number = await self._card_of(customer_id)
        if number is None:
            return refuse(No.CUSTOMER_NOT_FOUND)
        now = self._clock.now()
        drawn_at_s = int(now.timestamp())
        nonce = next(self._nonces) % card_codes.NONCES
        payload = card_codes.picture_code(self._picture_key, number, drawn_at_s, nonce)
        expires_at = from_micros((drawn_at_s + self._book.rules.card_picture_s) * SECOND)
        short_code = await self._short_code(customer_id, _code_hash(payload), now, expires_at)
        return CardPicture(number, payload, short_code, expires_at)

    async def live(self, customer_id: int) -> LiveCode | Refusal:
        """The code of these thirty seconds. Refused: customer_not_found."""
        number = await self._card_of(customer_id)
        if number is None:
            return refuse(No.CUSTOMER_NOT_FOUND)
        at_s = int(self._clock.now().timestamp())
        return LiveCode(
            card_codes.live_code(self._live_key, number, at_s), card_codes.live_seconds_left(at_s)
        )

    def live_link_token(self, customer_id: int) -> str:
        """What the address of her live card carries: her id, sealed. 32 URL-safe characters."""
        body = struct.pack(">Q", customer_id)
        return base64.urlsafe_b64encode(body + self._seal(body)).decode()

    def customer_of_live_token(self, token: str) -> int | None:
        """Whose token it is, or None when we have not made it."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except ValueError:
            return None
        body, seal = raw[:8], raw[8:]
        if len(body) < 8 or not hmac.compare_digest(self._seal(body), seal):
            return None
        return int(struct.unpack(">Q", body)[0])

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._link_key, body, hashlib.sha256)[:TOKEN_MAC_BYTES]

    async def _card_of(self, customer_id: int) -> str | None:
        rows = await query(sql.CARD_OF, None, customer_id)
        return str(rows[0][0]) if rows else None

    async def _short_code(
        self, customer_id: int, code_hash: str, now: datetime, expires_at: datetime
    ) -> str:
        times = (to_micros(expires_at), to_micros(now))
        for _ in range(SHORT_CODE_TRIES):
            code = f"{secrets.randbelow(10**card_codes.SHORT_LENGTH):0{card_codes.SHORT_LENGTH}d}"
            if await query(sql.TAKE_SHORT_CODE, None, code, customer_id, code_hash, *times):
                return code
        raise RuntimeError("nearly all short codes are in use: shorten the life of card pictures")

    # -- what a till reads ------------------------------------------------------------------------

    async def read(self, text: str, *, till_id: int, device: str = "") -> CardRead | Refusal:
        """Whose card it is, and whether it may spend. A single-use code becomes this till's.

        Refused: card_unknown, card_forged, card_code_expired, card_code_used, and
        too_many_attempts with `wait_s` once this device or till has guessed too often.
        """
        at = to_micros(self._clock.now())
        reading = self.reading(text, at)
        rows = await query(sql.FACTS, None, *self.facts_arguments(reading, till_id, device, at))
        card = judge(reading, card_facts(rows[0]), till_id=till_id, at=at)
        if isinstance(card, Refusal):
            return await self.refused(reading, card, till_id=till_id, device=device)
        if card.needs_claim and not await query(
            sql.CLAIM, None, *self.claim_row(card, till_id, at)
        ):
            return refuse(No.CARD_CODE_USED)
        return card

    def reading(self, text: str, at: int) -> Reading:
        """What the digits say at `at`, before anything is looked up."""
        code = card_codes.recognise(text)
        if code is None:
            return Reading(how="static", no=No.CARD_UNKNOWN)
        match code.how:
            case "static":
                no = None if card_codes.is_card_number(code.text) else No.CARD_FORGED
                return Reading(how="static", kind="card", value=code.text, no=no)
            case "picture":
                return self._picture_reading(code)
            case "live":
                return self._live_reading(code, at)
            case "short":
                return Reading(how="short", short=code.text)
            case "phone":
                phone = normalise_phone(code.text, self._book.rules.region)
                if isinstance(phone, Refusal):
                    return Reading(how="static", no=No.CARD_UNKNOWN)
                return Reading(how="phone", kind="phone", value=phone)

    def _picture_reading(self, code: card_codes.CardText) -> Reading:
        drawn_at_s = card_codes.picture_drawn_at(self._picture_key, code.text)
        if drawn_at_s is None:
            return Reading(how="picture", no=No.CARD_FORGED)
        return Reading(
            how="picture",
            kind="card",
            value=card_codes.number_of(code),
            code_hash=_code_hash(code.text),
            expires_at=(drawn_at_s + self._book.rules.card_picture_s) * SECOND,
        )

    def _live_reading(self, code: card_codes.CardText, at: int) -> Reading:
        step = card_codes.live_step(
            self._live_key, code.text, at // SECOND, back_s=LIVE_REMEMBERED_S
        )
        if step is None:
            return Reading(how="live", no=No.CARD_FORGED)
        return Reading(
            how="live",
            kind="card",
            value=card_codes.number_of(code),
            code_hash=_code_hash(f"{code.text}:{step}"),
            expires_at=(step + 2) * card_codes.LIVE_STEP_S * SECOND,
        )

    @staticmethod
    def facts_arguments(
        reading: Reading, till_id: int, device: str, at: int
    ) -> tuple[str, str, str, str, str, str, int]:
        """The seven arguments of CARD_COLUMNS and CARD_JOINS."""
        return (
            reading.kind, reading.value, reading.short, reading.code_hash,
            *_scopes(till_id, device), at,
        )  # fmt: skip

    def claim_row(self, card: CardRead, till_id: int, at: int) -> tuple[Any, ...]:
        """The arguments of CLAIM: the code is this till's for as long as a hold lives."""
        until = at + self._book.rules.hold_minutes * 60 * SECOND
        return card.code_hash, card.customer_id, till_id, at, until

    async def refused(
        self, reading: Reading, refusal: Refusal, *, till_id: int, device: str
    ) -> Refusal:
        """Pass the refusal on, counted if it looks like guessing."""
        if not counts_as_guess(reading, refusal):
            return refusal
        now = to_micros(self._clock.now())
        scopes = _scopes(till_id, device)
        rows = await query(sql.COUNT_GUESS, None, *scopes, now + GUESS_WINDOW_S * SECOND, now)
        limits = dict(zip(scopes, (GUESSES_PER_TILL, GUESSES_PER_DEVICE), strict=True))
        over = [row["ends_at"] for row in rows if row["wrong"] > limits[row["scope"]]]
        return too_many_guesses(max(over), now) if over else refusal

    async def forget_old(self) -> None:
        """Remove codes and counts that can no longer matter; run it now and then."""
        now = self._clock.now()
        kept_since = to_micros(now - timedelta(days=self._book.rules.offline_days_max + 1))
        await query("DELETE FROM short_code WHERE expires_at < $1", None, kept_since)
        await query("DELETE FROM card_claim WHERE expires_at < $1", None, kept_since)
        await query("DELETE FROM card_guess WHERE ends_at < $1", None, to_micros(now))


def card_facts(row: Any) -> CardFacts:
    """The facts out of a row of CARD_COLUMNS."""
    has_claim = row["claim_till"] is not None
    return CardFacts(
        customer_id=row["customer_id"],
        name=row["customer_name"] or "",
        card_number=row["card_number"] or "",
        code_hash=row["short_hash"] or "",
        expires_at=row["short_expires_at"],
        claim=Claim(row["claim_till"], row["claim_expires_at"], row["claim_receipt"] is not None)
        if has_claim
        else None,
        guessing_until=row["guessing_until"],
        tier=row["held_tier"] or "",
        turnover_minor=row["tier_turnover_minor"] or 0,
    )


def _scopes(till_id: int, device: str) -> tuple[str, str]:
    """By what guesses are counted: the till, and the device that it says it is."""
    name = hashlib.blake2b(device.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return str(till_id), f"{till_id}/{name}"


def _code_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


__all__ = ["CardPicture", "CardRead", "Cards", "LiveCode"]
