"""The e-mail channel: what becomes of one try, in the words of the dispatcher."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from loyalty.clock import Clock
from messaging.channels.base import (
    Failed,
    Limit,
    Outgoing,
    SendResult,
    Sent,
    Status,
    Unknown,
    Words,
)
from messaging.channels.email.connection import (
    LostAfterDotError,
    LostError,
    NoConnectionError,
    RefusedError,
    Server,
)
from messaging.channels.email.headers import UnfitAddressError
from messaging.channels.email.mime import Composer, Mail, Sender
from messaging.channels.email.pool import BusyError, Pool, PoolRules, Utf8NotTakenError
from messaging.channels.email.replies import one_detail
from messaging.channels.email.signing import Signer
from messaging.channels.email.tokens import Tokens
from messaging.templates import Body

# Postfix and its kin, then Exim, then Amazon SES, which names its own id in the last word.
_QUEUE_ID = re.compile(r"queued as <?([!-;=?-~]{1,100})|\bid=([!-~]{1,100})|\bOk ([!-~]{20,100})$")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmailOptions:
    """`price` is of one mail, in millionths of the currency; `per_second` 0 knows no limit."""

    price: int = 0
    per_second: int = 0
    pool: PoolRules = field(default_factory=PoolRules)


class EmailChannel:
    """Sends to `email` addresses through one mail server."""

    name = "email"
    address_kinds: Sequence[str] = ("email",)
    keeps_body = False
    reports: Sequence[Status] = (
        Status.READ,  # told by `messaging.tracking`
        Status.UNDELIVERED,
        Status.BOUNCED,
        Status.COMPLAINED,
    )

    def __init__(
        self,
        server: Server,
        sender: Sender,
        *,
        tokens: Tokens,
        clock: Clock,
        signer: Signer | None = None,
        options: EmailOptions | None = None,
    ) -> None:
        """Raises UnfitAddressError when the sender is no address."""
        self._options = options or EmailOptions()
        self._composer = Composer(sender, tokens, clock=clock, signer=signer)
        self._pool = Pool(server, self._options.pool)
        per_second = self._options.per_second
        self.limits: Sequence[Limit] = (
            (Limit(name="email", amount=per_second),) if per_second else ()
        )

    def units(self, body: Body) -> int:
        return 1

    def price(self, words: Words, address: str) -> int:
        return self._options.price

    def compose(self, outgoing: Outgoing) -> Mail:
        """The mail as it would go out, for a preview. Raises UnfitAddressError."""
        return self._composer.compose(outgoing)

    async def send(self, outgoing: Outgoing) -> SendResult:
        """Written on the loop: it takes a fraction of what a hop to a thread would cost."""
        try:
            mail = self._composer.compose(outgoing)
        except UnfitAddressError as error:
            return Failed("bad_address", True, detail=str(error))
        try:
            reply = await self._pool.send(mail)
        except RefusedError as refused:
            return refused.means.failed(str(refused))
        except LostAfterDotError:
            return Unknown("no_answer")
        except LostError as error:
            return Failed("connection_lost", False, detail=str(error))
        except NoConnectionError as error:
            log.warning("mail_server_out_of_reach", reason=error.reason, error=str(error))
            return Failed(error.reason, False, detail=one_detail(str(error)), provider_down=True)
        except Utf8NotTakenError:
            return Failed("bad_address", True, detail="the mail server takes no such letters")
        except BusyError:
            return Failed("busy", False, retry_after_s=1.0, unasked=True)
        return Sent(_queue_id(reply.text))

    async def close(self) -> None:
        await self._pool.close()


def _queue_id(text: str) -> str:
    """The server's own number of the mail, which its log and its webhooks name."""
    found = _QUEUE_ID.search(text)
    return next(filter(None, found.groups()), "") if found else ""
