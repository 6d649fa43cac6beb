"""An auditor who knows nothing of the code under test.

He counts single points, like coins in envelopes: each has a date from which and until which it is
good, and lies somewhere (in the purse, in a till's tray, spent, expired, taken back). No sums are
kept; every figure is a count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

PURSE, TRAY, SPENT, EXPIRED, TAKEN = "purse", "tray", "spent", "expired", "taken"
DAY = 86_400_000_000


@dataclass(eq=False)
class Coin:
    envelope: int  # order of giving: breaks ties of expiry
    given_by: str
    good_from: int
    good_until: float  # infinity: for ever
    place: str = PURSE
    by: str = ""  # the hold that keeps it, or the spending that took it
    graced: bool = False


@dataclass
class Purse:
    """One customer."""

    coins: list[Coin] = field(default_factory=list)
    owed: int = 0
    trays: dict[str, float] = field(default_factory=dict)  # hold -> until
    spendings: dict[str, int] = field(default_factory=dict)  # name -> points
    gifts: dict[str, int] = field(default_factory=dict)
    undone: dict[str, int] = field(default_factory=dict)
    envelopes: int = 0

    # -- the figures ----------------------------------------------------------------------------

    def usable(self, now: float) -> list[Coin]:
        """Coins that may be spent at `now`, in the order in which they are."""
        good = [
            c for c in self.coins if self._in_purse(c, now) and c.good_from <= now < c.good_until
        ]
        return sorted(good, key=lambda c: (c.good_until, c.envelope))

    def _in_purse(self, coin: Coin, now: float) -> bool:
        lapsed_tray = coin.place == TRAY and self.trays[coin.by] <= now
        return coin.place == PURSE or lapsed_tray

    def available(self, now: float) -> int:
        return len(self.usable(now)) - self.owed

    def posted(self) -> int:
        return sum(c.place in (PURSE, TRAY) for c in self.coins) - self.owed

    def held(self, now: float) -> int:
        return sum(c.place == TRAY and self.trays[c.by] > now for c in self.coins)

    def pending(self, now: float) -> int:
        return sum(
            c.place == PURSE and c.good_from > now and c.good_until > now for c in self.coins
        )

    def lapsed(self, now: float) -> int:
        return sum(self._in_purse(c, now) and c.good_until <= now for c in self.coins)

    def next_expiry(self, now: float) -> tuple[int, float] | None:
        left = [
            c.good_until
            for c in self.coins
            if c.place in (PURSE, TRAY) and now < c.good_until < float("inf")
        ]
        return (left.count(min(left)), min(left)) if left else None

    # -- what happens ---------------------------------------------------------------------------

    def give(self, name: str, points: int, good_from: int, good_until: float) -> None:
        self.envelopes += 1
        coins = [Coin(self.envelopes, name, good_from, good_until) for _ in range(points)]
        for coin in coins[: self.owed]:
            coin.place = SPENT
        self.owed -= min(self.owed, points)
        self.coins += coins
        self.gifts[name] = points

    def spend(self, name: str, points: int, now: int) -> bool:
        if points > self.available(now):
            return False
        self._take(self.usable(now)[:points], name)
        self.spendings[name] = points
        return True

    def set_aside(self, hold: str, points: int, now: int, until: int) -> bool:
        if points > self.available(now):
            return False
        for coin in self.usable(now)[:points]:
            coin.place, coin.by = TRAY, hold
        self.trays[hold] = until
        return True

    def in_tray(self, hold: str) -> list[Coin]:
        coins = [c for c in self.coins if c.place == TRAY and c.by == hold]
        return sorted(coins, key=lambda c: (c.good_until, c.envelope))

    def tray_open(self, hold: str, now: int) -> bool:
        return self.trays.get(hold, 0) > now and bool(self.in_tray(hold))

    def take_from_tray(self, hold: str, name: str, points: int) -> None:
        self._take(self.in_tray(hold)[:points], name)
        self.spendings[name] = points
        self.empty_tray(hold)

    def empty_tray(self, hold: str) -> None:
        for coin in self.in_tray(hold):
            coin.place, coin.by = PURSE, ""

    def expire(self, now: int) -> int:
        """Returns how many points went out."""
        gone = [c for c in self.coins if self._in_purse(c, now) and c.good_until <= now]
        for coin in gone:
            coin.place = EXPIRED
        return len(gone)

    def undo_spending(self, name: str, points: int, now: int, grace: int) -> None:
        spent = [c for c in self.coins if c.place == SPENT and c.by == name]
        spent.sort(key=lambda c: (c.good_until, c.envelope), reverse=True)
        fresh: dict[int, int] = {}
        for coin in spent[:points]:
            if coin.good_until <= now and grace and not coin.graced:
                coin.by = f"{name} (came back)"
                if coin.envelope not in fresh:
                    self.envelopes += 1
                    fresh[coin.envelope] = self.envelopes
                self.coins.append(
                    Coin(fresh[coin.envelope], "", now, now + grace * DAY, graced=True)
                )
            else:
                coin.place, coin.by = PURSE, ""
        self.undone[name] = self.undone.get(name, 0) + points

    def undo_gift(self, name: str, points: int, now: int, policy: str) -> int:
        """Returns how many points went back."""
        own = [c for c in self.coins if c.given_by == name]
        at_hand = [c for c in own if self._in_purse(c, now)]
        elsewhere = [c for c in self.usable(now) if c.given_by != name]
        gone = sum(not self._in_purse(c, now) for c in own)
        spent_net = gone - sum(c.place == EXPIRED for c in own) - self.undone.get(name, 0)
        if policy == "only_pending":
            at_hand = [c for c in at_hand if c.good_from > now]
            spent_net = 0
        back = at_hand[:points]
        rest = min(points - len(back), max(0, spent_net))
        back += elsewhere[:rest]
        owed = rest - len(elsewhere[:rest]) if policy == "allow_deficit" else 0
        if not back and not owed:
            return 0
        for coin in back:
            coin.place = TAKEN if coin.given_by == name else SPENT
            coin.by = f"taken back for {name}"
        self.owed += owed
        self.undone[name] = self.undone.get(name, 0) + len(back) + owed
        return len(back) + owed

    @staticmethod
    def _take(coins: Iterable[Coin], name: str) -> None:
        for coin in coins:
            coin.place, coin.by = SPENT, name


__all__ = ["DAY", "Purse"]
