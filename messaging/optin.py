"""Double opt-in: the owner of an e-mail address confirms it before advertising goes there.

A letter with a link is sent to the address; whoever presses the button on the page behind it has
the mailbox in hand. Only then the address becomes the customer's identity. An address is one
customer's: who confirms another's has most likely two cards, which staff are to put together.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from loyalty.clock import Clock
from loyalty.customers import Customers
from loyalty.database import dialect, query, transaction
from loyalty.identities import normalise_email
from loyalty.ids import next_id
from loyalty.instants import from_micros, to_micros
from loyalty.refusals import No, Refusal, refuse
from loyalty.sql.lists import looked_up
from messaging.i18n import LANGUAGES, gettext
from messaging.links import Links
from messaging.outbox import Draft, enqueue
from messaging.policy.consent import CONFIRMING_PROOFS, OptIn
from messaging.records import rowset
from messaging.tasks import NewTask, open_tasks
from messaging.wakeups import Wakeups

LIFE = timedelta(days=7)
"""How long a letter may be answered."""
LETTER_WORTH_SENDING = timedelta(days=1)
AGAIN_AFTER = timedelta(seconds=60)
WINDOW = timedelta(days=1)
LETTERS_PER_ADDRESS = 3
"""In a window, whoever asks: nobody's mailbox is to be filled by strangers."""
LETTERS_PER_CUSTOMER = 5
TEMPLATE = "email_opt_in"
LOOKED_INTO = timedelta(days=3)
"""How soon staff look into two cards with one address."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A letter is on its way, unless the address is `confirmed` already."""

    address: str
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class OnAnotherCard:
    """She has confirmed an address that another customer has: a task for staff, and she is told."""

    address: str


@dataclass(frozen=True, slots=True)
class OptInLetter:
    """What a link of such a letter stands for."""

    id: int
    customer_id: int
    address: str
    language: str
    confirmed: bool
    expired: bool


_RECENT = """
    SELECT customer_id, address, asked_at FROM opt_in
    WHERE asked_at > $3 AND (customer_id = $1 OR address = $2) ORDER BY asked_at DESC
"""
_ASK = "INSERT INTO opt_in (id, customer_id, address, asked_at) VALUES ($1, $2, $3, $4)"
_LETTER = """
    SELECT o.customer_id, o.address, o.asked_at, o.confirmed_at, c.language
    FROM opt_in o JOIN customer c ON c.id = o.customer_id
    WHERE o.id = $1 AND c.erased_at IS NULL
"""
_CONFIRM = "UPDATE opt_in SET confirmed_at = $2 WHERE id = $1 AND confirmed_at IS NULL"
_PROOF = """
    SELECT proof FROM identity
    WHERE customer_id = $1 AND kind = 'email' AND value = $2 AND ended_at IS NULL
"""
_STATES = rowset(
    *looked_up(
        """
        SELECT r.customer_id, r.address, MAX(o.confirmed_at) AS confirmed_at
        FROM {rows} JOIN {o} GROUP BY r.customer_id, r.address
        """,
        o=("opt_in", "o.customer_id = r.customer_id AND o.address = r.address"),
    ),
    customer_id="bigint",
    address="text",
)


async def opt_ins_of(pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], OptIn]:
    """How far each (customer, address) has come, in one query; those not named are `MISSING`."""
    if not pairs:
        return {}
    rows = [{"customer_id": c, "address": address} for c, address in sorted(set(pairs))]
    return {
        (row["customer_id"], row["address"]): (
            OptIn.PENDING if row["confirmed_at"] is None else OptIn.CONFIRMED
        )
        for row in await _STATES.query(rows)
    }


class OptIns:
    """Asks and takes the answers."""

    def __init__(
        self,
        clock: Clock,
        customers: Customers,
        links: Links,
        wakeups: Wakeups,
        *,
        programme_name: str,
    ) -> None:
        self._clock = clock
        self._customers = customers
        self._links = links
        self._wakeups = wakeups
        self._programme_name = programme_name

    async def ask(self, customer_id: int, address: str, language: str) -> Asked | Refusal:
        """Send the letter. Refused: invalid_email, too_many_requests with `wait_s`.

        Whether the address is somebody else's is told to nobody but its owner, by `confirm`.
        """
        proper = normalise_email(address)
        if isinstance(proper, Refusal):
            return proper
        async with transaction():
            await self._one_at_a_time(proper)
            proofs = await query(_PROOF, None, customer_id, proper)
            if any(row["proof"] in CONFIRMING_PROOFS for row in proofs):
                return Asked(proper, confirmed=True)
            if wait := await self._wait(customer_id, proper):
                return refuse(No.TOO_MANY_REQUESTS, wait_s=-(-wait // timedelta(seconds=1)))
            await self._send(customer_id, proper, language)
        self._wakeups.wake()
        return Asked(proper)

    async def _send(self, customer_id: int, address: str, language: str) -> None:
        now, request_id = self._clock.now(), next_id()
        await query(_ASK, None, request_id, customer_id, address, to_micros(now))
        draft = Draft(
            dedupe_key=f"opt_in:{request_id}",
            topic="service",
            template=TEMPLATE,
            context={"programme": self._programme_name, "url": self._links.opt_in(request_id)},
            address_kind="email",
            address=address,
            language=language,
            source="opt_in",
            priority=2,
            urgent=True,
            expires_at=now + LETTER_WORTH_SENDING,
        )
        await enqueue([draft], at=now)

    async def _wait(self, customer_id: int, address: str) -> timedelta:
        """How long until another letter may go to this address, or for this customer."""
        now = self._clock.now()
        recent = await query(_RECENT, None, customer_id, address, to_micros(now - WINDOW))
        waits = [timedelta(0)]
        for name, wanted, most in (
            ("address", address, LETTERS_PER_ADDRESS),
            ("customer_id", customer_id, LETTERS_PER_CUSTOMER),
        ):
            asked = [from_micros(row["asked_at"]) for row in recent if row[name] == wanted]
            if asked:
                waits.append(asked[0] + AGAIN_AFTER - now)
            if len(asked) >= most:
                waits.append(asked[most - 1] + WINDOW - now)
        return max(waits)

    async def _one_at_a_time(self, address: str) -> None:
        """Within the transaction: nobody else asks for this address. SQLite has one writer."""
        if dialect() == "postgres":
            lock = "SELECT pg_advisory_xact_lock(hashtextextended($1, 2))"
            await query(lock, None, f"opt_in:{address}")

    async def read(self, token: str) -> OptInLetter | None:
        """The letter whose link this is; None for a forged one, and when she is gone."""
        request_id = self._links.confirming.read(token)
        rows = await query(_LETTER, None, request_id) if request_id is not None else []
        return self._letter(request_id, rows[0]) if request_id is not None and rows else None

    def _letter(self, request_id: int, row: Any) -> OptInLetter:
        return OptInLetter(
            id=request_id,
            customer_id=row["customer_id"],
            address=row["address"],
            language=row["language"],
            confirmed=row["confirmed_at"] is not None,
            expired=self._clock.now() > from_micros(row["asked_at"]) + LIFE,
        )

    async def confirm(self, letter: OptInLetter) -> Asked | OnAnotherCard | Refusal:
        """The owner has pressed the button. Safe to repeat.

        Refused: code_expired, and what `Customers.give_email` refuses.
        """
        if letter.confirmed:
            return Asked(letter.address, confirmed=True)
        if letter.expired:
            return refuse(No.CODE_EXPIRED)
        given = await self._customers.give_email(letter.customer_id, letter.address)
        if isinstance(given, Refusal) and given.code == No.IDENTITY_TAKEN:
            return await self._propose(letter)
        if isinstance(given, Refusal):
            return given
        await query(_CONFIRM, None, letter.id, to_micros(self._clock.now()))
        return Asked(letter.address, confirmed=True)

    async def _propose(self, letter: OptInLetter) -> OnAnotherCard | Asked | Refusal:
        """Two cards of one person, most likely: staff look into it, once for the two of them."""
        other = await self._customers.by_identity("email", letter.address)
        if other is None:  # let go of this very moment
            return await self.confirm(letter)
        now, both = self._clock.now(), sorted((letter.customer_id, other.id))
        key = f"same_email:{both[0]}:{both[1]}"
        task = NewTask(
            key=key,
            kind="same_email",
            customer_id=letter.customer_id,
            why=gettext(
                LANGUAGES[0],
                "{address} is also on card {card}. Are they one person?",
                address=letter.address,
                card=other.card_number,
            ),
            due_at=now + LOOKED_INTO,
        )
        draft = Draft(
            dedupe_key=f"{key}:told",
            topic="service",
            template="email_on_another_card",
            context={"address": letter.address},
            customer_id=letter.customer_id,
            source="opt_in",
            channels=("messenger", "webpush"),
            expires_at=now + LOOKED_INTO,
        )
        async with transaction():
            await open_tasks([task], at=now)
            await enqueue([draft], at=now)
        self._wakeups.wake()
        return OnAnotherCard(letter.address)
