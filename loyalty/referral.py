"""Referral: a customer's code, who was brought by it, and what both get for the first purchase.

A receipt of a friend who waits marks her as due, in its own transaction; its cancel, or a return of
any of it, marks her as undone. `settle` then looks at what is left of the purchase and gives or
takes back, for both accounts at once, under keys made of the receipt: whenever it is broken off,
the next one does what is left.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from loyalty import events
from loyalty.clock import Clock
from loyalty.conflicts import OvertakenError, until_settled
from loyalty.database import dialect, query, transaction
from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.ledger import Ledger
from loyalty.refusals import No, Refusal, refuse
from loyalty.rule_book import RuleBook
from loyalty.rules import referral as rules_of
from loyalty.rules.commands import Accrue, Clawback, Command, Posted, Reverse
from loyalty.rules.promo_codes import SHORT_PAYLOAD, code_of, spellings
from loyalty.rules.receipts import DAY
from loyalty.rules.referral import CHAIN_MAX, Invitation, ReferralRules
from loyalty.sql import referral as sql

SETTLED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Friends:
    """How a customer's invitations go: who came, who has bought, the points she has for them."""

    code: str
    came: int
    rewarded: int
    points: int


class Referrals:
    def __init__(self, clock: Clock, ledger: Ledger, book: RuleBook) -> None:
        self._clock = clock
        self._ledger = ledger
        self._book = book

    @property
    def rules(self) -> ReferralRules:
        """Those in force, by which friends are accepted; a gift goes by those of its receipt."""
        return self._book.rules.referral

    def _now(self) -> int:
        return to_micros(self._clock.now())

    async def code(self, customer_id: int) -> str:
        """Hers for ever; made when she first asks."""
        while True:
            rows = await query(sql.CODE_OF, None, customer_id)
            if rows:
                return str(rows[0][0])
            made = code_of(secrets.randbits(5 * SHORT_PAYLOAD), SHORT_PAYLOAD)
            await query(sql.INSERT_CODE, None, made, customer_id, self._now())

    async def friends(self, customer_id: int) -> Friends:
        code = await self.code(customer_id)
        [row] = await query(sql.OVERVIEW, None, customer_id)
        return Friends(code, row["came"], row["rewarded"], row["points"])

    async def accept(self, friend_id: int, text: str) -> int | Refusal:
        """A customer names the code of who brought her; the answer is who that is.

        Refused: referral_unknown, customer_not_found, and as `rules.referral.judge`.
        """
        return await until_settled(lambda: self._accept(friend_id, text))

    async def _accept(self, friend_id: int, text: str) -> int | Refusal:
        async with transaction():
            if dialect() == "postgres":
                await query(sql.ONE_AT_A_TIME)
            owner, friend = (
                await query(*sql.OWNER, list(spellings(text))),
                await query(sql.FRIEND, None, friend_id),
            )
            if not friend:
                return refuse(No.CUSTOMER_NOT_FOUND)
            if not owner:
                return refuse(No.REFERRAL_UNKNOWN)
            referrer_id, now = owner[0][0], self._now()
            if friend[0]["referrer_id"] == referrer_id:
                return int(referrer_id)
            invitation = Invitation(
                friend_id=friend_id,
                referrer_id=referrer_id,
                joined_at=friend[0]["joined_at"],
                at=now,
                has_bought=friend[0]["bought"] is not None,
                is_referred=friend[0]["referrer_id"] is not None,
                chain=[row[0] for row in await query(sql.CHAIN, None, referrer_id, CHAIN_MAX)],
                friend_identities=await _identities(friend_id),
                referrer_identities=await _identities(referrer_id),
            )
            refusal = rules_of.judge(invitation, self.rules)
            if refusal is not None:
                return refusal
            await query(sql.INSERT, None, friend_id, referrer_id, invitation.joined_at, now)
            return int(referrer_id)

    # -- rewards ----------------------------------------------------------------------------------

    async def settle(self) -> int:
        """Give and take back what receipts and cancels have made due; returns how many friends.

        Anybody may run it anytime; when there is nothing to do it is one look at an empty index.
        """
        count = 0
        while rows := await query(sql.OPEN, None, SETTLED_AT_ONCE):
            for friend_id, referrer_id in map(tuple, rows):
                await until_settled(lambda f=friend_id, r=referrer_id: self._settle(f, r))  # type: ignore[misc]
            count += len(rows)
        return count

    async def _settle(self, friend_id: int, referrer_id: int) -> None:
        async with transaction():
            if dialect() == "postgres":
                await query(sql.LOCK_CUSTOMERS, None, friend_id, referrer_id)
            [row] = await query(sql.STATE + sql.LOCKED, sql.STATE, friend_id)
            if row["state"] not in ("due", "undone"):
                return  # somebody else has just settled it
            given = (row["friend_accrual_id"], row["referrer_accrual_id"])
            rules = (await self._book.of(row["rules_revision"])).rules
            if given == (None, None):
                await self._give(friend_id, referrer_id, row, rules.referral)
            elif row["receipt_state"] == "committed" and rules_of.is_still_earned(
                row["kept_minor"], rules.referral
            ):
                await query(sql.REWARDED, None, friend_id, *given, self._now())
            else:
                await self._take_back(friend_id, referrer_id, row, rules.cancel_clawback)

    async def _give(self, friend_id: int, referrer_id: int, row: Any, rules: ReferralRules) -> None:
        is_first = row["receipt_state"] == "committed" and rules_of.is_rewarded(
            paid_minor=row["kept_minor"],
            at=row["at"],
            joined_at=row["joined_at"],
            rules=rules,
        )
        if not is_first:
            await query(sql.WAITS_AGAIN, None, friend_id, self._now())
            return
        [[rewarded]] = await query(sql.REWARDED_FRIENDS, None, referrer_id)
        gifts = {"friend": (friend_id, rules.friend_points)}
        if rules_of.is_referrer_rewarded(rewarded, rules):
            gifts["referrer"] = (referrer_id, rules.referrer_points)
        now, number = self._now(), row["receipt_id"]
        commands = {
            role: _gift(account_id, points, now, rules, key=f"referral:{number}:{role}")
            for role, (account_id, points) in gifts.items()
            if points
        }
        made = await self._post(commands)
        ids = (made.get("friend"), made.get("referrer"))
        await query(sql.REWARDED, None, friend_id, *ids, now)
        for role in commands:
            account_id, points = gifts[role]
            await self._tell("referral.rewarded", role, account_id, points)

    async def _take_back(
        self, friend_id: int, referrer_id: int, row: Any, clawback: Clawback
    ) -> None:
        now = self._now()
        given = (
            ("friend", friend_id, row["friend_accrual_id"]),
            ("referrer", referrer_id, row["referrer_accrual_id"]),
        )
        commands: dict[str, Command] = {
            role: Reverse(
                key=f"referral:{row['receipt_id']}:{role}:undone",
                account_id=account_id,
                transaction_id=accrual_id,
                at=now,
                clawback=clawback,
                reason="referral",
            )
            for role, account_id, accrual_id in given
            if accrual_id is not None
        }
        await self._post(commands)
        await query(sql.WAITS_AGAIN, None, friend_id, now)

    async def _post(self, commands: dict[str, Any]) -> dict[str, int]:
        """The transactions that commands became; one that found nothing to take back is none."""
        if not commands:
            return {}
        verdicts = await self._ledger.post_within(list(commands.values()))
        made: dict[str, int] = {}
        for role, verdict in zip(commands, verdicts, strict=True):
            if isinstance(verdict, Posted):
                made[role] = verdict.transaction_id
            elif isinstance(verdict, Refusal) and verdict.code not in _NOTHING_LEFT:
                raise OvertakenError(verdict)
        return made

    async def _tell(self, kind: str, role: str, account_id: int, points: int) -> None:
        at: datetime = from_micros(self._now())
        await events.record(kind, account_id, at, {"role": role, "points": points})


def _gift(account_id: int, points: int, now: int, rules: ReferralRules, *, key: str) -> Accrue:
    days, available_at = rules.points_live_days, now + rules.pending_days * DAY
    return Accrue(
        key=key,
        account_id=account_id,
        points=points,
        at=now,
        available_at=available_at,
        expires_at=available_at + days * DAY if days else NEVER,
        reason="referral",
    )


_NOTHING_LEFT = (No.NOTHING_TO_TAKE_BACK, No.ALREADY_REVERSED)


async def _identities(customer_id: int) -> frozenset[tuple[str, str]]:
    rows = await query(sql.IDENTITIES, None, customer_id)
    return rules_of.identities((row[0], row[1]) for row in rows)
