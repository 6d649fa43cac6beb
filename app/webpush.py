"""The web push channel that the settings name, where browsers subscribe, and what they report."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from app.errors import SettingsError
from app.settings import PREFIX, Settings
from loyalty.clock import Clock
from loyalty.keys import derive_key
from messaging.channels.base import Outgoing, Report, SendResult
from messaging.channels.email.tokens import Tokens
from messaging.channels.webpush.channel import WebPushChannel, WebPushOptions
from messaging.channels.webpush.endpoints import Services
from messaging.channels.webpush.vapid import KeyRefusedError, Vapid, VapidKey
from messaging.pacing import Pacer, claims_of
from messaging.push_reports import add_push_reports
from messaging.push_subscriptions import ADDRESS_KIND, PushDesk
from messaging.statuses import take_reports


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRoom:
    """The channel, and the desk at which browsers subscribe to it."""

    channel: WebPushChannel
    desk: PushDesk
    tokens: Tokens
    clock: Clock

    def bell(self, pacer: Pacer) -> Callable[[Outgoing], Awaitable[SendResult]]:
        """Rings beside messages. The provider counts rings too; they do not wait for their turn."""

        async def ring(outgoing: Outgoing) -> SendResult:
            limits, units = self.channel.limits, self.channel.units(outgoing.body)
            await pacer.debit(claims_of(limits, ADDRESS_KIND, "", units))
            return await self.channel.ring(outgoing)

        return ring

    def add_reports(self, app: web.Application) -> None:
        """Listen to the notifications."""
        add_push_reports(app, tokens=self.tokens, clock=self.clock, take_reports=_keep)


def push_room(settings: Settings, clock: Clock, *, secret: bytes) -> PushRoom | None:
    """Web push with all around it, or None when it is off. Raises SettingsError."""
    push = settings.webpush
    if push.key is None:
        return None
    if not push.subject:
        raise _wrong("subject", "is needed, since there is a key")
    key, services = _key(push.key.get_secret_value()), Services(push.services)
    tokens = Tokens(derive_key(secret, "push tokens"))
    options = WebPushOptions(
        title=settings.programme.name, services=services, per_second=push.per_second
    )
    channel = WebPushChannel(Vapid(key, push.subject, clock), options, tokens=tokens, clock=clock)
    desk = PushDesk(key=key.public, services=services, clock=clock)
    return PushRoom(channel=channel, desk=desk, tokens=tokens, clock=clock)


def _key(given: str) -> VapidKey:
    """The key itself, or out of the file that has it."""
    try:
        return VapidKey.read(given)
    except KeyRefusedError as error:
        refused = error
    path = Path(given)
    try:
        text = path.read_text(encoding="ascii") if path.is_file() else None
    except (OSError, ValueError):
        text = None
    if text is None:
        raise _wrong("key", f"{refused}, nor a file that can be read")
    try:
        return VapidKey.read(text)
    except KeyRefusedError as error:
        raise _wrong("key", f"what the file has {error}") from None


def _wrong(name: str, why: str) -> SettingsError:
    return SettingsError(f"{PREFIX}WEBPUSH__{name.upper()}: {why}")


async def _keep(reports: Sequence[Report]) -> None:
    await take_reports(reports)
