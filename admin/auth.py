"""Who the person at the screen is: staff accounts, passwords, sessions, the till she works at.

Passwords are argon2 hashes, made and checked in threads; of a session only the SHA-256 of its token
is kept. The keys of till programs are in `admin.api_keys`.
"""

import asyncio
import hashlib
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from tortoise.exceptions import IntegrityError

from admin.limits import Meter, Rate
from loyalty.clock import Clock
from loyalty.database import query
from loyalty.instants import to_micros
from loyalty.models import StaffMember, StaffSession, Till
from loyalty.refusals import No, Refusal, refuse
from messaging.i18n import DEFAULT_LANGUAGE

SESSION_LIFE = timedelta(hours=12)
"""A working day. After it the cashier signs in again, whatever she did meanwhile."""
TILL_ROLES = frozenset({"cashier", "owner"})
ROLES = frozenset({"owner", "marketer", "operator", "cashier"})
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 8, 128
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")

# Failures only: a right password gives its token back.
_LOGIN_AT_ADDRESS = Rate(burst=5, per_minute=1)
_ADDRESS = Rate(burst=40, per_minute=10)

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)  # OWASP's second choice
# 19 MiB each: a storm of sign-ins must not eat the memory.
_hashing = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """`token` goes into the cookie and is kept nowhere else."""

    token: str
    csrf_token: str
    staff_id: int
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A member of staff in a signed-in browser, perhaps at a till."""

    token_hash: str
    csrf_token: str
    staff_id: int
    login: str
    name: str
    role: str
    language: str
    shop_id: int | None
    till_id: int | None
    till_name: str
    shop_name: str


def token_hash(token: str) -> str:
    """SHA-256 in hex. Enough for tokens of 256 random bits, which nobody can guess."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def hash_password(password: str) -> str:
    return await asyncio.get_running_loop().run_in_executor(_hashing, _hasher.hash, password)


async def _password_fits(stored: str, password: str) -> bool:
    def verify() -> bool:
        try:
            return _hasher.verify(stored, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False

    return await asyncio.get_running_loop().run_in_executor(_hashing, verify)


async def create_staff(
    *,
    clock: Clock,
    login: str,
    password: str,
    name: str,
    role: str,
    shop_id: int | None = None,
    language: str = DEFAULT_LANGUAGE,
) -> StaffMember | Refusal:
    """Open an account. Refused: invalid_login, weak_password, role_not_allowed, login_taken."""
    login = login.strip().lower()
    if not _LOGIN.fullmatch(login):
        return refuse(No.INVALID_LOGIN)
    if not PASSWORD_LENGTH_MIN <= len(password) <= PASSWORD_LENGTH_MAX:
        return refuse(No.WEAK_PASSWORD, length_min=PASSWORD_LENGTH_MIN)
    if role not in ROLES:
        return refuse(No.ROLE_NOT_ALLOWED)
    if await StaffMember.exists(login=login):
        return refuse(No.LOGIN_TAKEN)
    try:
        return await StaffMember.create(
            login=login,
            name=name.strip(),
            role=role,
            password_hash=await hash_password(password),
            shop_id=shop_id,
            language=language,
            created_at=clock.now(),
        )
    except IntegrityError:  # somebody was quicker
        return refuse(No.LOGIN_TAKEN)


class StaffDoor:
    """Lets staff in and out."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = Meter(_LOGIN_AT_ADDRESS)
        self._address_failures = Meter(_ADDRESS)
        self._decoy = _hasher.hash(secrets.token_hex())

    async def sign_in(self, login: str, password: str, *, address: str) -> SignedIn | Refusal:
        """Check the password and open a session.

        Refused: wrong_password (an unknown login too, in the same time), staff_disabled (said only
        to who knows the password), too_many_attempts(wait_s).
        """
        login = login.strip().lower()[:64]
        wait_s = self._count_try(login, address)
        if wait_s:
            return refuse(No.TOO_MANY_ATTEMPTS, wait_s=wait_s)
        staff = await StaffMember.get_or_none(login=login) if _LOGIN.fullmatch(login) else None
        stored = staff.password_hash if staff else self._decoy
        fits = len(password) <= PASSWORD_LENGTH_MAX and await _password_fits(stored, password)
        if staff is None or not fits:
            return refuse(No.WRONG_PASSWORD)
        self._forgive_try(login, address)
        if staff.disabled_at is not None:
            return refuse(No.STAFF_DISABLED)
        return await self._open_session(staff)

    def _count_try(self, login: str, address: str) -> int:
        now = self._clock.now()
        wait_s = self._failures.take(f"{login} {address}", now)
        return wait_s or self._address_failures.take(address, now)

    def _forgive_try(self, login: str, address: str) -> None:
        now = self._clock.now()
        self._failures.give_back(f"{login} {address}", now)
        self._address_failures.give_back(address, now)

    async def _open_session(self, staff: StaffMember) -> SignedIn:
        token, csrf_token = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        now = self._clock.now()
        await StaffSession.create(
            token_hash=token_hash(token),
            staff_id=staff.id,
            till_id=await self._only_till(staff),
            csrf_token=csrf_token,
            created_at=now,
            expires_at=now + SESSION_LIFE,
        )
        return SignedIn(token, csrf_token, staff.id, staff.role)

    async def _only_till(self, staff: StaffMember) -> int | None:
        """The till of a shop with just one: there is nothing to choose."""
        tills = await self._tills(staff.role, _shop_id(staff))
        return tills[0].id if len(tills) == 1 else None

    async def seat(self, token: str) -> Seat | Refusal:
        """Who sits in this browser. Refused: session_ended (never begun, staff disabled: too)."""
        if not 20 <= len(token) <= 64:
            return refuse(No.SESSION_ENDED)
        hashed = token_hash(token)
        rows = await query(_SEAT, None, hashed, to_micros(self._clock.now()))
        return _seat(hashed, rows[0]) if rows else refuse(No.SESSION_ENDED)

    async def sign_out(self, seat: Seat) -> None:
        await StaffSession.filter(token_hash=seat.token_hash).update(ended_at=self._clock.now())

    async def end_sessions(self, staff_id: int) -> int:
        """End every session of a member of staff: a lost phone, a dismissal. Returns how many."""
        return await StaffSession.filter(staff_id=staff_id, ended_at=None).update(
            ended_at=self._clock.now()
        )

    async def tills(self, seat: Seat) -> list[Till]:
        """The open tills that she may work at: of her shop, or all for who belongs to none."""
        return await self._tills(seat.role, seat.shop_id)

    async def _tills(self, role: str, shop_id: int | None) -> list[Till]:
        if role not in TILL_ROLES or (shop_id is None and role != "owner"):
            return []
        tills = Till.filter(closed_at=None).order_by("shop__name", "name", "id")
        if shop_id is not None:
            tills = tills.filter(shop_id=shop_id)
        return await tills.prefetch_related("shop")

    async def choose_till(self, seat: Seat, till_id: int) -> Refusal | None:
        """Sit down at a till. Refused: role_not_allowed, till_not_found (also another shop's)."""
        if seat.role not in TILL_ROLES:
            return refuse(No.ROLE_NOT_ALLOWED)
        if all(till.id != till_id for till in await self.tills(seat)):
            return refuse(No.TILL_NOT_FOUND)
        await StaffSession.filter(token_hash=seat.token_hash).update(till_id=till_id)
        return None


def _shop_id(staff: StaffMember) -> int | None:
    value: int | None = staff.shop_id  # type: ignore[attr-defined]  # Tortoise makes it at run time
    return value


def _seat(hashed: str, row: Any) -> Seat:
    return Seat(
        token_hash=hashed,
        csrf_token=row["csrf_token"],
        staff_id=row["staff_id"],
        login=row["login"],
        name=row["name"],
        role=row["role"],
        language=row["language"],
        shop_id=row["shop_id"],
        till_id=row["till_id"],
        till_name=row["till_name"] or "",
        shop_name=row["shop_name"] or "",
    )


# A till that was closed meanwhile is as good as none: the cashier is asked to choose again.
_SEAT = """
SELECT session.csrf_token, staff.id AS staff_id, staff.login, staff.name, staff.role,
       staff.language, staff.shop_id, till.id AS till_id, till.name AS till_name,
       shop.name AS shop_name
FROM staff_session AS session
JOIN staff_member AS staff ON staff.id = session.staff_id
LEFT JOIN till ON till.id = session.till_id AND till.closed_at IS NULL
LEFT JOIN shop ON shop.id = till.shop_id
WHERE session.token_hash = $1 AND session.ended_at IS NULL AND session.expires_at > $2
  AND staff.disabled_at IS NULL
"""
