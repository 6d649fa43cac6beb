"""What stands between a decided message and its provider: a breaker and the provider's limits."""

from collections.abc import Iterable

from messaging.breaker import Breaker, BreakerRules
from messaging.channels.base import Channel, Failed, Outgoing, SendResult
from messaging.pacing import Pacer, claims_of

PROBE_WAIT_S = 1.0
"""Seconds to wait while another message finds out whether the provider is back."""


class Gates:
    """One gate for each channel. Limits are shared by all workers, breakers are each worker's."""

    def __init__(self, channels: Iterable[Channel], pacer: Pacer, rules: BreakerRules) -> None:
        self._pacer = pacer
        self._breakers = {channel.name: Breaker(rules) for channel in channels}

    def shut(self, at: int) -> dict[str, int]:
        """The channels that take nothing at this instant, with that of the next try (both µs)."""
        return {
            name: gate.opens_at() for name, gate in self._breakers.items() if not gate.admits(at)
        }

    async def admit(self, outgoing: Outgoing, channel: Channel, at: int) -> float:
        """0.0 if it may go now, and is counted; else the seconds after which to ask again."""
        breaker = self._breakers[channel.name]
        if not breaker.admits(at):
            return PROBE_WAIT_S
        units = channel.units(outgoing.body)
        claims = claims_of(channel.limits, outgoing.address_kind, outgoing.address, units)
        wait = await self._pacer.take(claims)
        if wait == 0:
            breaker.started()
        return wait

    async def learn(
        self, outgoing: Outgoing, channel: Channel, result: SendResult, at: int
    ) -> None:
        """From what the provider has answered."""
        breaker = self._breakers[channel.name]
        if not isinstance(result, Failed):
            breaker.succeeded()
            return
        if result.provider_down:
            breaker.failed(at)
        else:
            breaker.succeeded()
        if result.retry_after_s is not None and not result.permanent:
            for limit, address, _ in claims_of(
                channel.limits, outgoing.address_kind, outgoing.address, 1
            ):
                if not address:
                    await self._pacer.hold(limit, result.retry_after_s)
