"""Promo codes as customers and tills meet them: entering one, having some, a receipt with codes.

What fits and what it gives is `rules.promo`; a use of a code is written with its quote and its
receipt (`loyalty.checkout.promising`). Campaigns and their codes are made in `promo_campaigns`.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from loyalty.clock import Clock
from loyalty.conflicts import OvertakenError, until_settled
from loyalty.database import query, transaction
from loyalty.instants import from_micros_or_never, to_micros
from loyalty.promo_terms import decode, known
from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.card_reading import too_many_guesses
from loyalty.rules.promo import Basket, Given, Known, PromoLine, Terms, judge, standing_refusal
from loyalty.rules.promo_codes import PAYLOAD, code_of, spellings
from loyalty.sql import promo as sql
from loyalty.sql.promo import Scopes

WALLET_MAX = 50
GUESS_WINDOW = 900_000_000
"""Microseconds in which wrong codes are counted together."""
GUESSES_PER_CUSTOMER, GUESSES_PER_DEVICE, GUESSES_PER_ADDRESS, GUESSES_PER_TILL = 5, 5, 30, 30
LAPSE_BATCH = 1_000
_FREED_BY_TIME = (No.PROMO_USED, No.PROMO_USED_UP, No.PROMO_USED_BY_CUSTOMER)
"""What may be over once a reservation's time is up."""
_HER_OWN_DOING = (No.PROMO_USED_BY_CUSTOMER,)
"""What a customer is told of a code that is not hers alone: it gives nothing away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCode:
    """A code that a customer has and can use. `is_reserved`: at a till at this moment."""

    code: str
    title: str
    terms: Terms
    ends_at: datetime | None
    is_reserved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesser:
    """Who names a code, for counting wrong ones. Empty: not known."""

    customer_id: int = 0
    till_id: int = 0
    device: str = ""
    address: str = ""

    def scopes(self) -> Scopes:
        where = f"till:{self.till_id}" if self.till_id else ""
        named = (
            (f"customer:{self.customer_id}" if self.customer_id else "", GUESSES_PER_CUSTOMER),
            (where, GUESSES_PER_TILL),
            (_hashed(f"{where}/device", self.device), GUESSES_PER_DEVICE),
            (_hashed("address", self.address), GUESSES_PER_ADDRESS),
        )
        return [(scope, most) for scope, most in named if scope]


def _hashed(kind: str, value: str) -> str:
    if not value:
        return ""
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=12)
    return f"{kind}:{digest.hexdigest()}"


class Promo:
    """The codes of customers. Each refusal is named in full unless it says otherwise."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def _now(self) -> int:
        return to_micros(self._clock.now())

    # -- in the chat ----------------------------------------------------------------------------

    async def enter(
        self, customer_id: int, text: str, *, device: str = "", address: str = ""
    ) -> OwnCode | Refusal:
        """Put a code among hers; doing so twice is fine.

        Who guesses hears the same of one unknown, expired, used or not hers: promo_not_good. A
        code that is hers is refused with its reason. Wrong ones are counted by account, device
        and address: too_many_attempts with `wait_s`. Round trips on Postgres: 2.
        """
        guesser = Guesser(customer_id=customer_id, device=device, address=address)
        return await until_settled(lambda: self._enter(customer_id, text, guesser))

    async def _enter(self, customer_id: int, text: str, guesser: Guesser) -> OwnCode | Refusal:
        now, names = self._now(), spellings(text)
        rows = await sql.facts(names, customer_id=customer_id, scopes=guesser.scopes(), now=now)
        if (until := rows[0]["guessing_until"]) is not None:
            return too_many_guesses(until, now)
        row = _first(rows, names)
        code = known(row) if row is not None else None
        if row is None or code is None:
            return await self._guessed(guesser, now)
        is_free = code.is_personal and code.terms.holder_only and code.holder_id is None
        judged = replace(code, holder_id=customer_id) if is_free else code
        refusal = standing_refusal(judged, customer_id, now)
        if refusal is not None:
            is_hers = bool(row["in_wallet"]) or code.holder_id == customer_id
            if is_hers or refusal.code in _HER_OWN_DOING:
                return refusal
            return await self._guessed(guesser, now)
        async with transaction():
            if is_free and not await query(sql.HOLD_CODE, None, code.code, customer_id):
                raise OvertakenError
            await query(sql.ADD_TO_WALLET, None, customer_id, code.code, now, None)
        return _own(code.code, code.title, code.terms)

    async def _guessed(self, guesser: Guesser, now: int, wrong: int = 1) -> Refusal:
        """Count a guess, and say what everybody is told."""
        blocked = await self.count_guesses(guesser.scopes(), now, wrong)
        return refuse(No.PROMO_NOT_GOOD) if blocked is None else blocked

    async def count_guesses(self, scopes: Scopes, now: int, wrong: int) -> Refusal | None:
        """Refused: too_many_attempts with `wait_s`, once these were more than enough."""
        rows = await query(*sql.COUNT_GUESS, _json_scopes(scopes), now + GUESS_WINDOW, now, wrong)
        most = dict(scopes)
        over = [row["ends_at"] for row in rows if row["wrong"] > most[row["scope"]]]
        return too_many_guesses(max(over), now) if over else None

    async def codes_of(self, customer_id: int) -> list[OwnCode]:
        """The codes that she can use or is just using, the soonest to end first."""
        now = self._now()
        rows = await query(sql.WALLET, None, customer_id, now, WALLET_MAX)
        return [
            _own(row["code"], row["title"], decode(row["terms"]), is_reserved=bool(row["reserved"]))
            for row in rows
            if row["reserved"] or standing_refusal(known(row), customer_id, now) is None
        ]

    async def fitting(self, customer_id: int, till_id: int) -> list[OwnCode]:
        """Those of her codes that this till's shop takes, whatever she will buy."""
        codes = [each for each in await self.codes_of(customer_id) if not each.is_reserved]
        if any(code.terms.shops for code in codes):
            [[shop]] = await query(sql.SHOP_OF_TILL, None, till_id)
            codes = [c for c in codes if not c.terms.shops or shop in c.terms.shops]
        if any(code.terms.first_purchase for code in codes):
            [[bought]] = await query(sql.HAS_BOUGHT, None, customer_id)
            codes = [c for c in codes if not (c.terms.first_purchase and bought is not None)]
        return codes

    async def give(self, campaign_id: int, customer_id: int, key: str) -> str | Refusal:
        """A personal code of this campaign for this customer, the same again for the same `key`.

        Refused: promo_campaign_not_found (also when it is over), key_reused (another's code).
        """
        return await until_settled(lambda: self._give(campaign_id, customer_id, key))

    async def _give(self, campaign_id: int, customer_id: int, key: str) -> str | Refusal:
        now = self._now()
        async with transaction():
            for owner, code in map(tuple, await query(sql.GIVEN_BY_KEY, None, key)):
                return str(code) if owner == customer_id else refuse(No.KEY_REUSED)
            live = "SELECT id FROM promo_campaign WHERE id = $1 AND ends_at > $2"
            if not await query(live + " AND revoked_at IS NULL", None, campaign_id, now):
                return refuse(No.PROMO_CAMPAIGN_NOT_FOUND)
            code = code_of(secrets.randbits(5 * PAYLOAD))
            if not await query(sql.INSERT_CODE, None, code, campaign_id, customer_id, 1):
                raise OvertakenError
            if not await query(sql.ADD_TO_WALLET, None, customer_id, code, now, key):
                raise OvertakenError
        return code

    # -- on a receipt -----------------------------------------------------------------------------

    async def judge(
        self,
        texts: Sequence[str],
        *,
        customer_id: int,
        guesser: Guesser,
        lines: tuple[PromoLine, ...],
        older: int,
    ) -> list[tuple[str, Given]]:
        """What becomes of each code on this receipt, in the order given, for staff.

        `older` is the quote of the same receipt whose reservations are hers to use, or 0. Refused:
        as `rules.promo`; promo_unknown; too_many_attempts. One round trip, and two more when a
        reservation whose time is up is in the way.
        """
        verdicts = await self._judge(texts, customer_id, guesser, lines, older)
        refusals = [verdict for _, verdict in verdicts if isinstance(verdict, Refusal)]
        if any(refusal.code in _FREED_BY_TIME for refusal in refusals) and await self.lapse_due():
            return await self._judge(texts, customer_id, guesser, lines, older)
        return verdicts

    async def _judge(
        self,
        texts: Sequence[str],
        customer_id: int,
        guesser: Guesser,
        lines: tuple[PromoLine, ...],
        older: int,
    ) -> list[tuple[str, Given]]:
        now = self._now()
        names = {text: spellings(text) for text in texts}
        rows = await sql.facts(
            [name for each in names.values() for name in each],
            customer_id=customer_id,
            quote_id=older,
            till_id=guesser.till_id,
            scopes=guesser.scopes(),
            now=now,
        )
        given = _given(names, rows, now)
        unknown = [text for text, verdict in given if _is_unknown(verdict)]
        if unknown:
            blocked = await self.count_guesses(guesser.scopes(), now, len(unknown))
            if blocked is not None:
                given = [(text, blocked if _is_unknown(v) else v) for text, v in given]
        basket = Basket(
            customer_id=customer_id,
            shop=rows[0]["shop"] or "",
            at=now,
            is_first=rows[0]["bought"] is None,
            lines=lines,
        )
        return judge(given, basket)

    # -- now and then -----------------------------------------------------------------------------

    async def lapse_due(self) -> int:
        """Let go of reservations whose time is up; returns how many. Anybody may run it anytime."""
        count = 0
        while True:
            done = await until_settled(self._lapse_some)
            assert isinstance(done, int), "nothing here refuses"
            count += done
            if done < LAPSE_BATCH:
                return count

    async def _lapse_some(self) -> int:
        async with transaction():
            return await sql.lapse(self._now(), LAPSE_BATCH)

    async def tidy(self) -> None:
        await self.lapse_due()
        await query(sql.FORGET_GUESSES, None, self._now())


def _json_scopes(scopes: Scopes) -> str:
    return json.dumps(list(scopes))


def _given(
    names: dict[str, tuple[str, ...]], rows: Sequence[Any], now: int
) -> list[tuple[str, Given]]:
    """Each code once, as known or as refused. Who guesses too much still may use what is hers."""
    given: list[tuple[str, Given]] = []
    until = rows[0]["guessing_until"]
    seen: set[str] = set()
    for text, spelled in names.items():
        row = _first(rows, spelled)
        if row is not None and row["code"] in seen:
            continue
        if until is not None and (row is None or not row["in_wallet"]):
            given.append((text, too_many_guesses(until, now)))
        elif row is None:
            given.append((text, refuse(No.PROMO_UNKNOWN)))
        else:
            seen.add(row["code"])
            given.append((text, known(row)))
    return given


def _is_unknown(verdict: Given) -> bool:
    return isinstance(verdict, Refusal) and verdict.code == No.PROMO_UNKNOWN


def _first(rows: Sequence[Any], names: Sequence[str]) -> Any | None:
    """The row of the likeliest spelling that is known."""
    by_code = {row["code"]: row for row in rows}
    return next((by_code[name] for name in names if name in by_code), None)


def _own(code: str, title: str, terms: Terms, *, is_reserved: bool = False) -> OwnCode:
    return OwnCode(
        code=code,
        title=title,
        terms=terms,
        ends_at=from_micros_or_never(terms.ends_at),
        is_reserved=is_reserved,
    )


__all__ = ["Guesser", "Known", "OwnCode", "Promo"]
