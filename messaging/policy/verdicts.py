"""What a policy answers about a message, and the names of all that can stop one. Pure.

A reason is kept with the message as text: a name, and after a colon whose it is, such as
`capped:marketing_day` or `suppressed:bounced`. Words for people are made at the edge.
"""

from enum import StrEnum

from msgspec import Struct


class Why(StrEnum):
    """Why a message waits or is not sent."""

    EXPIRED = "expired"
    """It is too late for it."""
    GOAL_REACHED = "goal_reached"
    """What it was to bring about has happened already."""
    CAPPED = "capped"
    """She has been written to often enough; the frequency cap is named after the colon."""
    CAPPED_UNTIL_EXPIRY = "capped_until_expiry"
    """The same, and it will be too late for the message when the cap lets it pass."""
    QUIET_HOURS = "quiet_hours"
    """It is night where she lives."""
    QUIET_UNTIL_EXPIRY = "quiet_until_expiry"
    """The same, and it will be too late for the message in the morning."""
    NO_CONSENT = "no_consent"
    """She has never agreed to it."""
    CONSENT_WITHDRAWN = "consent_withdrawn"
    """She has said no."""
    OPT_IN_MISSING = "opt_in_missing"
    """Nobody has asked the owner of the e-mail address to confirm it."""
    OPT_IN_PENDING = "opt_in_pending"
    """The owner of the e-mail address was asked to confirm it and has not done so."""
    SUPPRESSED = "suppressed"
    """The address is not written to; what happened there is named after the colon."""
    ADDRESS_TAKEN = "address_taken"
    """Somebody who shares the address has got this mailing there."""
    NO_CHANNEL = "no_channel"
    """There is no way to reach her."""
    TOO_DEAR = "too_dear"
    """The cheapest way to reach her costs more than the message may."""
    REACH_NOT_POSSIBLE = "reach_not_possible"
    """No way within the cost is as sure as was asked for. Stops nothing: the surest is taken."""

    def of(self, whose: str) -> str:
        """The reason with its subject, as it is kept."""
        return f"{self.value}:{whose}"


class Send(Struct, frozen=True):
    """Nothing is in its way."""


class Wait(Struct, frozen=True):
    """Not now; to be asked again at `until`, microseconds since 1970."""

    reason: str
    until: int


class Skip(Struct, frozen=True):
    """Rightly not sent, ever."""

    reason: str


Verdict = Send | Wait | Skip
