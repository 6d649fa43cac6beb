"""What a customer has chosen of advertising, read out of her facts of consent. Pure."""

from collections.abc import Sequence

from msgspec import Struct, field

PURPOSE = "marketing"
ALL = ""

Fact = tuple[str, bool]
"""(channel, granted) of marketing; channel "" speaks of all."""


class Choice(Struct, frozen=True):
    """`everywhere` holds for the channels that `single` does not name.

    `stopped`: she gets none at all, by her word or by her silence; the choice is then the one from
    before she stopped it, to come back to.
    """

    everywhere: bool = False
    single: dict[str, bool] = field(default_factory=dict)
    stopped: bool = False

    def wants(self, channel: str) -> bool:
        """Whether advertising in this channel is chosen, be it stopped just now or not."""
        return self.single.get(channel, self.everywhere)

    def gets(self, channel: str) -> bool:
        return not self.stopped and self.wants(channel)


def choice_of(facts: Sequence[Fact]) -> Choice:
    """What the facts of marketing, in their order, add up to."""
    holds = _standing(facts)
    if any(holds.values()):
        return _choice(holds, stopped=False)
    stops = [i for i, fact in enumerate(facts) if fact == (ALL, False)]
    before = _before_the_stops(facts, stops)
    return _choice(before or holds, stopped=True)


def _before_the_stops(facts: Sequence[Fact], stops: Sequence[int]) -> dict[str, bool]:
    """What held before she stopped everything; a stop that is said twice stops once."""
    for i in reversed(stops):
        holds = _standing(facts[:i])
        if any(holds.values()):
            return holds
    return {}


def _standing(facts: Sequence[Fact]) -> dict[str, bool]:
    holds: dict[str, bool] = {}
    for channel, granted in facts:
        if channel == ALL:
            holds = {}
        holds[channel] = granted
    return holds


def _choice(holds: dict[str, bool], *, stopped: bool) -> Choice:
    single = {channel: granted for channel, granted in holds.items() if channel != ALL}
    return Choice(holds.get(ALL, False), single, stopped)


def resumed(choice: Choice) -> list[Fact]:
    """The facts that bring a stopped choice back; all channels, when none had ever been chosen."""
    if choice.everywhere or not any(choice.single.values()):
        return [(ALL, True), *((c, False) for c, granted in choice.single.items() if not granted)]
    return [(channel, True) for channel, granted in choice.single.items() if granted]
