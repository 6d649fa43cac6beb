"""What the other parts put into the outbox through the composition root."""

from collections.abc import Callable
from datetime import timedelta

from loyalty.clock import Clock
from loyalty.ids import next_id
from messaging.outbox import Draft, enqueue
from messaging.wakeups import Wakeups

CODE_WORTH_SENDING = timedelta(minutes=10)
"""A code that is this late helps nobody."""


class CodeSender:
    """Puts one-time codes on their way to a telephone."""

    def __init__(self, clock: Clock, programme_name: Callable[[], str], wakeups: Wakeups) -> None:
        self._clock = clock
        self._programme_name = programme_name
        self._wakeups = wakeups

    async def __call__(self, phone: str, code: str, language: str) -> None:
        now = self._clock.now()
        draft = Draft(
            dedupe_key=f"sms_code:{next_id()}",
            topic="service",
            template="sms_code",
            context={"programme": self._programme_name(), "code": code},
            address_kind="phone",
            address=phone,
            language=language,
            priority=1,
            urgent=True,
            expires_at=now + CODE_WORTH_SENDING,
        )
        await enqueue([draft], at=now)
        self._wakeups.wake()
