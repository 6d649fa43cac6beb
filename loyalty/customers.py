"""Customers: joining, and what they change themselves; what one can ask is in `customer_reads`."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from loyalty import consents, events
from loyalty.clock import Clock
from loyalty.conflicts import until_settled
from loyalty.customer_reads import CustomerReads, CustomerView, Glance, Operation
from loyalty.database import dialect, query, transaction
from loyalty.identities import FRONTS, normalise_email, normalise_name, normalise_phone
from loyalty.ids import next_id
from loyalty.instants import to_micros
from loyalty.ledger import Ledger
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import RuleBook
from loyalty.rules.card_codes import card_number
from loyalty.rules.commands import Accrue, Posted
from loyalty.rules.consents import Consents
from loyalty.rules.texts import is_plain
from loyalty.sql import customers as sql

__all__ = ["CustomerView", "Customers", "Glance", "Joined", "Operation", "PhoneProof"]

PhoneProof = Literal["own_contact", "one_time_code"]
PHONE_PROOFS = ("own_contact", "one_time_code")
LANGUAGES = ("ru", "en")
SERIALS = 10**10


@dataclass(frozen=True, slots=True)
class Joined:
    """`is_new` is false when a new front was added to a customer who is already known."""

    customer: CustomerView
    is_new: bool
    welcome_points: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Application:
    front_kind: str
    front_value: str
    phone: str
    proof: PhoneProof
    name: str
    language: str
    wording: str
    marketing: bool
    source: str


class Customers(CustomerReads):
    """Everything about who the customer is. Points are the ledger's, the card is `cards`'."""

    def __init__(self, clock: Clock, book: RuleBook, ledger: Ledger) -> None:
        super().__init__(clock)
        self._book = book
        self._ledger = ledger

    # -- joining --------------------------------------------------------------------------------

    async def join(
        self,
        *,
        front_kind: str,
        front_value: str,
        phone: str,
        proof: PhoneProof,
        name: str,
        language: str,
        consent_wording: str,
        marketing: bool,
        source: str,
    ) -> Joined | Refusal:
        """Make a customer, or add this front to the one who owns the phone.

        The caller vouches for `proof`: that the phone is hers. The gift for joining is given once.
        Refused: invalid_phone, invalid_name, contact_not_own, consent_required, identity_taken
        (this front already speaks for another customer).
        """
        if front_kind not in FRONTS:
            raise ValueError(f"not a front: {front_kind!r}")
        if proof not in PHONE_PROOFS:
            return refuse(No.CONTACT_NOT_OWN)
        if not consent_wording:
            return refuse(No.CONSENT_REQUIRED, purpose="processing")
        e164 = normalise_phone(phone, self._book.rules.region)
        if isinstance(e164, Refusal):
            return e164
        proper_name = normalise_name(name)
        if isinstance(proper_name, Refusal):
            return proper_name
        application = _Application(
            front_kind=front_kind,
            front_value=front_value,
            phone=e164,
            proof=proof,
            name=proper_name,
            language=_language(language),
            wording=consent_wording,
            marketing=marketing,
            source=source,
        )
        return await until_settled(lambda: self._join(application))

    async def _join(self, application: _Application) -> Joined | Refusal:
        async with transaction():
            owners = {
                row[0]: row[1]
                for row in await query(
                    sql.OWNERS,
                    None,
                    application.phone,
                    application.front_kind,
                    application.front_value,
                )
            }
            known, front_owner = owners.get("phone"), owners.get(application.front_kind)
            if front_owner is not None and front_owner != known:
                return refuse(No.IDENTITY_TAKEN, kind=application.front_kind)
            if known is not None:
                return await self._join_known(application, known, is_front_new=front_owner is None)
            return await self._join_new(application)

    async def _join_known(
        self, application: _Application, customer_id: int, *, is_front_new: bool
    ) -> Joined:
        if is_front_new:
            front = (application.front_kind, application.front_value, "front")
            await self._add_identities(customer_id, front)
            told = {"front": application.front_kind}
            await events.record("customer.front_added", customer_id, self._clock.now(), told)
        await query(sql.SET_FIRST_NAME, None, customer_id, application.name)
        await self._record_consents(application, customer_id)
        customer = await self.get(customer_id)
        assert customer is not None, "an erased customer keeps no identity"
        return Joined(customer, is_new=False, welcome_points=0)

    async def _join_new(self, application: _Application) -> Joined:
        customer_id, now = next_id(), self._clock.now()
        await query(
            sql.INSERT_CUSTOMER,
            None,
            customer_id,
            application.name,
            application.language,
            self._book.rules.timezone,
            to_micros(now),
        )
        await self._add_identities(
            customer_id,
            ("phone", application.phone, application.proof),
            (application.front_kind, application.front_value, "front"),
            ("card", card_number(secrets.randbelow(SERIALS)), "issued"),
        )
        await self._record_consents(application, customer_id)
        customer = await self.get(customer_id)
        assert customer is not None
        gift = self._book.rules.welcome_points
        payload = {
            "front": application.front_kind,
            "source": application.source,
            "welcome_points": gift,
        }
        await events.record("customer.joined", customer_id, now, payload)
        await self._ledger.open_accounts([customer_id])
        if gift:
            [verdict] = await self._ledger.post_within([self._welcome(customer_id, gift, now)])
            assert isinstance(verdict, Posted), verdict
        return Joined(customer, is_new=True, welcome_points=gift)

    def _welcome(self, customer_id: int, points: int, now: datetime) -> Accrue:
        days = self._book.rules.welcome_points_live_days
        return Accrue(
            key=f"welcome:{customer_id}",
            business_key=f"welcome:{customer_id}",
            account_id=customer_id,
            points=points,
            at=to_micros(now),
            expires_at=to_micros(now + timedelta(days=days) if days else None),
            reason="welcome",
        )

    async def _add_identities(self, customer_id: int, *identities: tuple[str, str, str]) -> None:
        now = to_micros(self._clock.now())
        for kind, value, proof in identities:
            await query(sql.INSERT_IDENTITY, None, next_id(), customer_id, kind, value, proof, now)

    async def _record_consents(self, application: _Application, customer_id: int) -> None:
        said = {"processing": True, "marketing": application.marketing}
        for purpose, granted in said.items():
            await self.record_consent(
                customer_id,
                purpose=purpose,
                channel="",
                granted=granted,
                source=application.source,
                wording=application.wording,
            )

    # -- what she changes herself -----------------------------------------------------------------

    async def leave_front(self, front_kind: str, front_value: str) -> None:
        """Let a Telegram or web-chat id speak for nobody; she may join again from there."""
        now = to_micros(self._clock.now())
        await query(sql.END_IDENTITY, None, front_kind, front_value, now)

    async def set_language(self, customer_id: int, language: str) -> None:
        await query(sql.SET_LANGUAGE, None, customer_id, _language(language))

    async def rename(self, customer_id: int, name: str) -> CustomerView | Refusal:
        """Refused: invalid_name, customer_not_found."""
        proper_name = normalise_name(name)
        if isinstance(proper_name, Refusal):
            return proper_name
        await query(sql.SET_NAME, None, customer_id, proper_name)
        return await self.get(customer_id) or refuse(No.CUSTOMER_NOT_FOUND)

    async def give_email(self, customer_id: int, email: str) -> CustomerView | Refusal:
        """Make this her e-mail address in place of another; she has shown that it is hers.

        Refused: invalid_email, identity_taken (it is another customer's), customer_not_found.
        """
        proper = normalise_email(email)
        if isinstance(proper, Refusal):
            return proper
        return await until_settled(lambda: self._give_email(customer_id, proper))

    async def _give_email(self, customer_id: int, email: str) -> CustomerView | Refusal:
        async with transaction():
            if dialect() == "postgres":  # SQLite has one writer
                await query(sql.LOCK, None, customer_id)
            customer = await self.get(customer_id)
            if customer is None:
                return refuse(No.CUSTOMER_NOT_FOUND)
            owner = await self.by_identity("email", email)
            if owner is not None and owner.id != customer_id:
                return refuse(No.IDENTITY_TAKEN, kind="email")
            if owner is not None:
                await query(sql.SET_PROOF, None, "email", email, "opt_in")
                await self._email_confirmed(customer_id)
                return customer
            if customer.email is not None:
                now = to_micros(self._clock.now())
                await query(sql.END_IDENTITY, None, "email", customer.email, now)
            await self._add_identities(customer_id, ("email", email, "opt_in"))
            await self._email_confirmed(customer_id)
            return replace(customer, email=email)

    async def _email_confirmed(self, customer_id: int) -> None:
        await events.record("customer.email_confirmed", customer_id, self._clock.now(), {})

    async def record_consent(
        self,
        customer_id: int,
        *,
        purpose: str,
        channel: str,
        granted: bool,
        source: str,
        wording: str,
    ) -> None:
        """Add one "yes" or "no"; channel "" speaks of every channel."""
        await consents.record(
            customer_id,
            self._clock.now(),
            purpose=purpose,
            channel=channel,
            granted=granted,
            source=source,
            wording=wording,
        )

    async def consents(self, customer_id: int) -> Consents:
        """What she agreed to, as it stands; ask it with `rules.consents.is_granted`."""
        return await consents.consents_of(customer_id)


def _language(tag: str) -> str:
    """The language of a client's tag ("en-GB") if we speak it, else the first of ours."""
    primary = tag[:2].lower() if is_plain(tag, 35) else ""
    return primary if primary in LANGUAGES else LANGUAGES[0]
