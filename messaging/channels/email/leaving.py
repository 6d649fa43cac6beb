"""Who asks by mail to be left alone is left alone, with mails of that kind."""

from collections.abc import Sequence

from loyalty.clock import Clock
from messaging.channels.email.mailbox import TakeLeaves
from messaging.leaving import WORDING, leave, letter
from messaging.preferences import Said


def leaves_kept(clock: Clock) -> TakeLeaves:
    """What the link to unsubscribe does, for each of these tries."""

    async def take(attempt_ids: Sequence[int]) -> None:
        said = Said("mail", clock.now(), WORDING)
        for attempt_id in attempt_ids:
            found = await letter(attempt_id)
            if found is not None and found.address_kind == "email":
                await leave(found, said)

    return take
