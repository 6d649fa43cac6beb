"""Referral: who may be whose friend, and which purchase is rewarded. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loyalty.refusals import No, Refusal, refuse
from loyalty.rules.receipts import DAY

CHAIN_MAX = 1000
"""How far a chain of friends is followed; a longer one is refused like a ring."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralRules:
    """What the owner sets. Points 0 for both: there is no referral.

    `min_paid_minor`: what the friend's first purchase has to cost her in money at least.
    `within_days`: after joining; 0: any time. `friends_max`: how many friends of one customer are
    rewarded in all; 0: any number. `points_live_days` as everywhere, 0: for ever.
    `pending_days`: the reward waits so long before it can be spent.
    """

    friend_points: int = 100
    referrer_points: int = 200
    min_paid_minor: int = 500_00
    within_days: int = 60
    friends_max: int = 20
    points_live_days: int = 90
    pending_days: int = 0

    @property
    def is_on(self) -> bool:
        return bool(self.friend_points or self.referrer_points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """A friend is about to name who brought her. `chain` is who brought that one, and so on up."""

    friend_id: int
    referrer_id: int
    joined_at: int
    at: int
    has_bought: bool
    is_referred: bool
    chain: Sequence[int] = ()
    friend_identities: frozenset[tuple[str, str]] = frozenset()
    referrer_identities: frozenset[tuple[str, str]] = frozenset()


def judge(invitation: Invitation, rules: ReferralRules) -> Refusal | None:
    """Refused: referral_off, referral_self, referral_ring, referral_already, referral_too_late."""
    if not rules.is_on:
        return refuse(No.REFERRAL_OFF)
    if invitation.friend_id == invitation.referrer_id or _same_person(invitation):
        return refuse(No.REFERRAL_SELF)
    if invitation.is_referred:
        return refuse(No.REFERRAL_ALREADY)
    if invitation.friend_id in invitation.chain or len(invitation.chain) >= CHAIN_MAX:
        return refuse(No.REFERRAL_RING)
    late = rules.within_days and invitation.at >= invitation.joined_at + rules.within_days * DAY
    if invitation.has_bought or late:
        return refuse(No.REFERRAL_TOO_LATE)
    return None


def _same_person(invitation: Invitation) -> bool:
    """One phone, mailbox, messenger or browser that both have used, now or before."""
    ours, theirs = (
        {(kind, _mailbox(value) if kind == "email" else value) for kind, value in identities}
        for identities in (invitation.friend_identities, invitation.referrer_identities)
    )
    return not ours.isdisjoint(theirs)


def _mailbox(address: str) -> str:
    """`anna+shop@x.ru` is the mailbox of `anna@x.ru`."""
    name, at, domain = address.rpartition("@")
    return name.split("+")[0] + at + domain


def is_rewarded(*, paid_minor: int, at: int, joined_at: int, rules: ReferralRules) -> bool:
    """Whether a purchase of a friend is her first real one; a smaller one leaves her waiting."""
    if not rules.is_on or not is_still_earned(paid_minor, rules):
        return False
    return not rules.within_days or at < joined_at + rules.within_days * DAY


def is_referrer_rewarded(friends_rewarded: int, rules: ReferralRules) -> bool:
    """The friend has her gift in any case; who brought her, up to so many friends."""
    return not rules.friends_max or friends_rewarded < rules.friends_max


def is_still_earned(paid_minor: int, rules: ReferralRules) -> bool:
    """Whether what is left of the purchase after a return is worth the reward."""
    return paid_minor >= max(rules.min_paid_minor, 1)


def identities(rows: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """What tells people apart; a card number is given by us and tells nothing."""
    return frozenset((kind, value) for kind, value in rows if kind != "card")
