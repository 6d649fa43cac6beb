"""Codes that prove that an address is hers: six digits, ten minutes, five attempts, hashed.

Sending them is not done here. Only the latest code of a purpose and address is worth anything.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from loyalty.clock import Clock
from loyalty.database import dialect, query, transaction
from loyalty.identities import normalise_email, normalise_phone
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.keys import derive_key
from loyalty.refusals import No, Refusal, refuse
from loyalty.sql import one_time_codes as sql

CODE_DIGITS = 6
ATTEMPTS = 5
LIFE = timedelta(minutes=10)
RESEND_AFTER = timedelta(seconds=60)
WINDOW = timedelta(minutes=15)
CODES_PER_WINDOW = 3
"""Codes for one address, whatever they are for: a message costs money and annoys."""


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """A code to send to `address`, which is spelled as it is kept."""

    code: str
    expires_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Verified:
    """Whoever gave the code has `address` in hand."""

    purpose: str
    kind: str
    address: str


class OneTimeCodes:
    def __init__(self, clock: Clock, secret: bytes, region: str = "RU") -> None:
        self._clock = clock
        self._key = derive_key(secret, "one-time codes")
        self._region = region

    async def issue(self, purpose: str, kind: str, address: str) -> IssuedCode | Refusal:
        """Make a code for a "phone" or "email" address; older ones of this purpose are void.

        Refused: invalid_phone, invalid_email, too_many_codes with `wait_s`.
        """
        proper = self._normalise(kind, address)
        if isinstance(proper, Refusal):
            return proper
        now = self._clock.now()
        code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
        async with transaction():
            await self._one_at_a_time(f"{kind}:{proper}")
            wait = await self._wait(kind, proper, now)
            if wait > timedelta(0):
                return refuse(No.TOO_MANY_CODES, wait_s=-(-wait // timedelta(seconds=1)))
            code_id = next_id()
            await query(
                sql.INSERT,
                None,
                code_id,
                purpose,
                kind,
                proper,
                self._hash(code_id, code),
                ATTEMPTS,
                to_micros(now),
                to_micros(now + LIFE),
            )
        return IssuedCode(code, now + LIFE, proper)

    async def verify(self, purpose: str, kind: str, address: str, code: str) -> Verified | Refusal:
        """Use up the latest code, once. Refused: invalid_phone, invalid_email, wrong_code with
        `attempts_left`, code_expired (also when used, or none was sent), too_many_attempts."""
        proper = self._normalise(kind, address)
        if isinstance(proper, Refusal):
            return proper
        now = to_micros(self._clock.now())
        taken = await query(sql.TAKE_ATTEMPT, None, proper, purpose, kind, now)
        if not taken:
            return await self._why_not(purpose, kind, proper, now)
        code_id, code_hash, attempts_left = tuple(taken[0])
        given = self._hash(code_id, code.strip()[: 2 * CODE_DIGITS])
        if not hmac.compare_digest(given, bytes(code_hash)):
            return refuse(No.WRONG_CODE, attempts_left=attempts_left)
        if not await query(sql.USE, None, code_id, now):
            return refuse(No.CODE_EXPIRED)
        return Verified(purpose, kind, proper)

    async def forget_old(self) -> None:
        """Remove codes that nobody can use or count any more; run it now and then."""
        await query(sql.FORGET, None, to_micros(self._clock.now() - WINDOW))

    async def _why_not(self, purpose: str, kind: str, address: str, now: int) -> Refusal:
        rows = await query(sql.LATEST, None, address, purpose, kind)
        if rows and rows[0][0] == 0 and rows[0][1] is None and rows[0][2] > now:
            return refuse(No.TOO_MANY_ATTEMPTS)
        return refuse(No.CODE_EXPIRED)

    async def _wait(self, kind: str, address: str, now: datetime) -> timedelta:
        """How long until another code may be sent to this address."""
        rows = await query(sql.RECENT, None, address, kind, to_micros(now - WINDOW))
        issued = [row[0] for row in rows]
        waits = [timedelta(0)]
        if issued:
            waits.append(timedelta(microseconds=issued[0] - to_micros(now)) + RESEND_AFTER)
        if len(issued) >= CODES_PER_WINDOW:
            oldest = issued[CODES_PER_WINDOW - 1]
            waits.append(timedelta(microseconds=oldest - to_micros(now)) + WINDOW)
        return max(waits)

    async def _one_at_a_time(self, name: str) -> None:
        """Within the transaction: nobody else issues for this address. SQLite has one writer."""
        if dialect() == "postgres":
            await query("SELECT pg_advisory_xact_lock(hashtextextended($1, 1))", None, name)

    def _normalise(self, kind: str, address: str) -> str | Refusal:
        if kind == "phone":
            return normalise_phone(address, self._region)
        if kind == "email":
            return normalise_email(address)
        raise ValueError(f"no codes are sent to a {kind!r}")

    def _hash(self, code_id: int, code: str) -> bytes:
        text = f"{code_id}:{code}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)
