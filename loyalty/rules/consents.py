"""What the facts of consent add up to. Pure."""

from collections.abc import Iterable, Mapping

PURPOSES = ("processing", "marketing")

Consents = Mapping[tuple[str, str], bool]
"""(purpose, channel) -> granted; channel "" speaks of every channel that is not named."""


def standing(facts: Iterable[tuple[str, str, bool]]) -> dict[tuple[str, str], bool]:
    """What holds after facts (purpose, channel, granted) in their order: the latest wins.

    A word about every channel also takes the place of what was said of single ones before.
    """
    holds: dict[tuple[str, str], bool] = {}
    for purpose, channel, granted in facts:
        if channel == "" and holds:
            holds = {key: value for key, value in holds.items() if key[0] != purpose}
        holds[purpose, channel] = granted
    return holds


def is_granted(consents: Consents, purpose: str, channel: str = "") -> bool:
    """Whether the customer agreed to `purpose` in `channel`. Silence is a no."""
    return consents.get((purpose, channel), consents.get((purpose, ""), False))
