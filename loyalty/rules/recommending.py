"""Which products go with what a customer has bought: item to item, by cosine. Pure.

Of two products the cosine is `together / sqrt(buyers of one × buyers of the other)`, each customer
counted once: 1 when everybody who buys one buys the other too (Sarwar et al., 2001, on purchases
that are only "yes"). A product's score is the sum over what she has bought.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt

TOGETHER_MIN = 5
"""How many customers must have bought both, at least."""
TOGETHER_OF = 10_000
"""And at least one in so many of those that were counted: of a large base five are chance."""


def support_floor(customers: int) -> int:
    """How many of `customers` must have bought both products, for the pair to mean anything."""
    return max(TOGETHER_MIN, -(-customers // TOGETHER_OF))


@dataclass(frozen=True, slots=True)
class Pair:
    """She has bought `bought`; `together` customers have bought `other` as well."""

    bought: str
    other: str
    together: int
    bought_buyers: int
    other_buyers: int

    @property
    def cosine(self) -> float:
        return self.together / sqrt(self.bought_buyers * self.other_buyers)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """`because` is that of her products which speaks for it most."""

    sku: str
    score: float
    because: str


def rank(pairs: Iterable[Pair], count: int) -> Sequence[Suggestion]:
    """The `count` best, the best first; equals by their sku, so that the answer is always one."""
    votes: defaultdict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        votes[pair.other].append(pair)
    found = [
        Suggestion(
            sku,
            sum(pair.cosine for pair in sorted(cast, key=lambda pair: pair.bought)),
            min(cast, key=lambda pair: (-pair.cosine, pair.bought)).bought,
        )
        for sku, cast in votes.items()
    ]
    return sorted(found, key=lambda each: (-each.score, each.sku))[:count]
