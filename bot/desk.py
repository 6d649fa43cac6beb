"""What the conversations need of the rest of the house, as one value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from loyalty.programme import Programme
from messaging.attention import Attention
from messaging.optin import OptIns
from messaging.policy.quiet_hours import QuietHours

SendCode = Callable[[str, str, str], Awaitable[None]]
"""Takes phone (E.164), code and language; returns when the code is on its way."""


@dataclass(frozen=True, slots=True)
class Desk:
    """`public_url` is how the outside reaches this server, "" when it cannot.

    `policy_url` is the full text of the consent to process personal data, when there is one.
    `opt_ins` asks for e-mail addresses, where mail can be sent; `attention` hears who is there.
    `quiet` are the quiet hours of who has chosen none.
    """

    programme: Programme
    send_code: SendCode
    public_url: str = ""
    policy_url: str | None = None
    opt_ins: OptIns | None = None
    attention: Attention | None = None
    quiet: QuietHours = field(default_factory=QuietHours)

    def live_card_url(self, customer_id: int) -> str | None:
        """The customer's live card page, which rotates its code by itself."""
        if not self.public_url:
            return None
        return f"{self.public_url}/card/{self.programme.cards.live_link_token(customer_id)}"
