"""What stands between a decided message and its provider: a breaker and the provider's limits."""

import time
from collections.abc import Iterable, Sequence

from messaging.breaker import Breaker, BreakerRules
from messaging.channels.base import Channel, Failed
from messaging.decisions import Try
from messaging.pacing import Pacer, claims_of, departures_of, spacing_s

PROBE_WAIT_S = 1.0
"""Seconds to wait while another message finds out whether the provider is back."""
PATIENCE_S = 0.25
"""Seconds that a decided try may wait for its turn: so long it may be a little out of date."""


class Gates:
    """One gate for each channel. Limits are shared by all workers, breakers are each worker's."""

    def __init__(self, channels: Iterable[Channel], pacer: Pacer, rules: BreakerRules) -> None:
        self._pacer = pacer
        self._breakers = {channel.name: Breaker(rules) for channel in channels}
        self._held_until: dict[str, float] = {}  # by provider, as it has said (monotonic seconds)

    def shut(self, at: int) -> dict[str, int]:
        """The channels that take nothing at this instant, with that of the next try (both µs)."""
        return {
            name: gate.opens_at() for name, gate in self._breakers.items() if not gate.admits(at)
        }

    async def admit(self, tries: Sequence[Try], at: int) -> list[float]:
        """The seconds until each try's turn, in their order: up to PATIENCE_S it is counted.

        Beyond that it is not, and shall be asked about again then. The more are in front of it at
        its provider, the later.
        """
        queues: dict[str, float] = {}
        waits = []
        for each in tries:
            breaker = self._breakers[each.channel.name]
            if not breaker.admits(at):
                waits.append(PROBE_WAIT_S)
            elif each.channel.limits:
                waits.append(await self._admitted(each, queues, breaker))
            else:
                breaker.started()
                waits.append(0.0)
        return waits

    async def _admitted(self, each: Try, queues: dict[str, float], breaker: Breaker) -> float:
        outgoing, channel = each.outgoing, each.channel
        units = channel.units(outgoing.body)
        claims = claims_of(channel.limits, outgoing.address_kind, outgoing.address, units)
        shared = [claim for claim in claims if not claim[1]]
        queue = _provider(each)
        if queue not in queues:
            wait = await self._pacer.take(claims, PATIENCE_S)
            if wait <= PATIENCE_S:
                breaker.started()
                return wait
            # Asked with no patience at all it takes nothing: is it the provider or the address?
            shared_wait = await self._pacer.take(shared, -1.0) if shared else 0.0
            if shared_wait > PATIENCE_S:
                queues[queue] = shared_wait
            return wait
        queues[queue] += max((spacing_s(limit, units) for limit, _, units in shared), default=0.0)
        return queues[queue]

    async def leave(self, each: Try) -> float:
        """In the very moment of sending: 0.0, or the seconds by which it would follow too soon."""
        outgoing, channel = each.outgoing, each.channel
        if not channel.limits:
            return 0.0
        units = channel.units(outgoing.body)
        return await self._pacer.take(departures_of(channel.limits, outgoing.address_kind, units))

    def held(self, each: Try) -> float:
        """Seconds for which the provider wants to be left alone, as it has said meanwhile."""
        return max(0.0, self._held_until.get(_provider(each), 0.0) - time.monotonic())

    def answered(self, each: Try) -> None:
        """The provider is there, and has nothing against us."""
        self._breakers[each.channel.name].succeeded()

    async def learn(self, each: Try, result: Failed, at: int) -> None:
        """From what the provider has against it."""
        outgoing, channel = each.outgoing, each.channel
        breaker = self._breakers[channel.name]
        if result.provider_down:
            breaker.failed(at)
        else:
            breaker.succeeded()
        if result.retry_after_s is not None and not result.permanent:
            self._held_until[_provider(each)] = time.monotonic() + result.retry_after_s
            for limit, address, _ in claims_of(
                channel.limits, outgoing.address_kind, outgoing.address, 1
            ):
                if not address:
                    await self._pacer.hold(limit, result.retry_after_s)


def _provider(each: Try) -> str:
    return f"{each.channel.name}:{each.outgoing.address_kind}"
