"""Who asks by mail to be left alone is left alone, with mails of that kind."""

from collections.abc import Sequence

from loyalty.clock import Clock
from loyalty.database import query
from messaging.channels.email.mailbox import TakeLeaves
from messaging.records import as_list, listed
from messaging.suppressions import Suppressed, suppress

_LEAVERS = listed(
    """
    SELECT DISTINCT a.address, m.topic FROM attempt a JOIN message m ON m.id = a.message_id
    WHERE a.id IN {list} AND a.address_kind = 'email' AND m.topic <> 'service'
    """
)


def leaves_kept(clock: Clock) -> TakeLeaves:
    """Suppresses the topic of each try at its address."""

    async def take(attempt_ids: Sequence[int]) -> None:
        rows = await query(*_LEAVERS, as_list(attempt_ids))
        gone = [
            Suppressed(
                address_kind="email",
                address=row["address"],
                topic=row["topic"],
                reason="unsubscribed",
            )
            for row in rows
        ]
        await suppress(gone, at=clock.now())

    return take
