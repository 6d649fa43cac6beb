"""Reads the text tables beside this file and plays them against the pure rules.

One command a line, what is expected at its end; `#` begins a comment. Rules are written as the
document that a marketer would save, so the tables test its reading too. The words are in `PLAY`.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from loyalty.instants import NEVER, from_micros, to_micros
from loyalty.programme_document import ProgrammeDocument, read_document
from loyalty.rules.earning import Goods, Priced
from loyalty.rules.months import month_of, month_starts_at
from loyalty.rules.occasions import Occasion
from loyalty.rules.tiers import Holding, assess

FOLDER = Path(__file__).parent / "tables"
TABLES = sorted(path.stem for path in FOLDER.glob("*.txt"))


class TableError(AssertionError):
    """A line whose outcome is not the one that stands beside it."""


@dataclass
class Player:
    """Plays one table: the rules so far, the receipt that is being rung up, the tier held."""

    document: dict[str, Any] = field(default_factory=dict)
    occasion: Occasion = field(default_factory=Occasion)
    lines: list[tuple[Goods, int, str]] = field(default_factory=list)
    now: int = 0
    holding: Holding = field(default_factory=Holding)

    def play(self, table: str) -> None:
        for number, line in enumerate((FOLDER / f"{table}.txt").read_text().splitlines(), 1):
            words = line.split("#")[0].split()
            if not words:
                continue
            try:
                PLAY[words[0]](self, words[1:])
            except AssertionError as error:
                raise TableError(f"{table}.txt:{number}: {line.strip()}\n  {error}") from error

    # -- the rules --

    def rules(self, words: list[str]) -> None:
        """Forget the rules before; what follows is `name value`, as in the document."""
        self.document = {"earning": {"multipliers": []}, "tiers": {"levels": []}, "referral": {}}
        self.holding = Holding()
        for name, value in zip(words[::2], words[1::2], strict=True):
            self.document[name] = int(value)

    def multiply(self, words: list[str]) -> None:
        code, percent, *rest = words
        part: dict[str, Any] = {"code": code, "times_percent": int(percent)}
        part |= {"goods": {}, "when": {}}
        for name, value in zip(rest[::2], rest[1::2], strict=True):
            _put(part, name, value)
        self.document["earning"]["multipliers"].append(part)

    def earning(self, words: list[str]) -> None:
        for name, value in zip(words[::2], words[1::2], strict=True):
            _put(self.document["earning"], name, value)

    def tier(self, words: list[str]) -> None:
        code, least, *rate = words
        part = {"code": code, "from_minor": int(least) * 100}
        part |= {"earn_permille": int(rate[0])} if rate else {}
        self.document["tiers"]["levels"].append(part)

    def tiers(self, words: list[str]) -> None:
        for name, value in zip(words[::2], words[1::2], strict=True):
            _put(self.document["tiers"], name, value)

    def _read(self) -> ProgrammeDocument:
        document = read_document(json.dumps(self.document))
        assert isinstance(document, ProgrammeDocument), document
        assert ProgrammeDocument.of(document.rules()) == document
        return document

    # -- a receipt --

    def receipt(self, words: list[str]) -> None:
        known = dict(zip(words[::2], words[1::2], strict=True))
        local = datetime.fromisoformat(known.pop("at")) if "at" in known else None
        born = known.pop("born", None)
        first = known.pop("first", "no") == "yes"
        points = {name: int(known.pop(name, 0)) for name in ("day_points", "month_points")}
        self.lines = []
        self.occasion = Occasion(
            local=local, born_on=date.fromisoformat(born) if born else None, is_first=first,
            **points, **known,  # type: ignore[arg-type]
        )  # fmt: skip

    def line(self, words: list[str]) -> None:
        """`line 100.00 category earns 5 why`: reasons as codes, joined by `+`."""
        amount, kind, _, earned, *why = words
        flags = {"prescription": kind.endswith("!")}
        goods = Goods(round(float(amount) * 100), category=kind.rstrip("!"), sku=kind, **flags)
        self.lines.append((goods, int(earned), " ".join(why)))

    def sold(self, words: list[str]) -> None:
        """`sold 15`, or `sold 15 spending 20`: the end of a receipt, and what it earns."""
        total, *spending = words
        spend = int(spending[1]) if spending else 0
        pricing = self._read().rules().pricing
        goods = [each for each, _, _ in self.lines]
        assert spend <= pricing.limit(goods), f"limit {pricing.limit(goods)}"
        priced = pricing.price(goods, spend, self.occasion)
        seen = [(line.earned, _why(priced, n)) for n, line in enumerate(priced.lines)]
        for (earned, why), (_, wanted, because) in zip(seen, self.lines, strict=True):
            assert earned == wanted, f"{seen}"
            assert why == because, f"{seen}"
        assert priced.earned == int(total), f"earned {priced.earned}"

    def limit(self, words: list[str]) -> None:
        goods = [each for each, _, _ in self.lines]
        assert self._read().rules().pricing.limit(goods) == int(words[0])

    # -- tiers --

    def at(self, words: list[str]) -> None:
        self.now = to_micros(datetime.fromisoformat(words[0]).replace(tzinfo=UTC))

    def holds(self, words: list[str]) -> None:
        code, since = words
        at = to_micros(datetime.fromisoformat(since).replace(tzinfo=UTC))
        self.holding = replace(self.holding, tier=code, rises=((code, at),))

    def turnover(self, words: list[str]) -> None:
        """`turnover 12000 silver [reached|expired|undone] [until DAY] [near CODE MISSING]`."""
        minor, *rest = int(words[0]) * 100, *words[1:]
        undone_at = None
        if rest[0] == "undoing":
            undone_at = to_micros(datetime.fromisoformat(rest[1]).replace(tzinfo=UTC))
            rest = rest[2:]
        ends = month_starts_at(month_of(self.now, "UTC") + 1, "UTC")
        told = assess(
            self.holding, minor, self._read().rules().tiers,
            now=self.now, month_ends_at=ends, undone_at=undone_at,
        )  # fmt: skip
        self.holding = told.holding
        seen = [told.holding.tier or "none"]
        if told.changed:
            seen.append(told.changed.why)
        if told.holding.falls_at != NEVER:
            seen += ["until", str(from_micros(told.holding.falls_at).date())]
        if told.near:
            seen += ["near", told.near.tier, str(told.near.missing_minor // 100)]
        assert seen == rest, f"{' '.join(seen)}"


def _why(priced: Priced, n: int) -> str:
    """Reasons without their usual beginning: `flat_rate` goes without saying."""
    said = []
    for reason in priced.lines[n].reasons:
        if reason.code == "flat_rate":
            said += [f"tier:{reason.data['tier']}"] if "tier" in reason.data else []
        elif reason.code == "multiplier":
            said.append(str(reason.data["code"]))
        else:
            said.append(reason.code)
    return " ".join(said)


LISTS = {"categories", "skus", "shops", "tiers", "weekdays"}
WHEN = {"shops", "weekdays", "hours", "since", "until", "birthday", "first_purchase", "tiers"}


def _put(part: dict[str, Any], name: str, value: str) -> None:
    """`not_earning.categories care,tea`: a value at its place in the document."""
    *path, last = name.split(".")
    if "goods" in part and not path:
        path = ["when"] if last in WHEN else ["goods"]
    for step in path:
        part = part.setdefault(step, {})
    plain: Any = value
    if last == "birthday":
        before, after = value.split("+")
        plain = {"days_before": int(before), "days_after": int(after)}
    elif last in LISTS:
        plain = [int(each) if last == "weekdays" else each for each in value.split(",")]
    elif value in ("yes", "no"):
        plain = value == "yes"
    elif value.isdecimal():
        plain = int(value)
    part[last] = plain


PLAY: dict[str, Callable[[Player, list[str]], None]] = {
    "rules": Player.rules, "multiply": Player.multiply, "earning": Player.earning,
    "tier": Player.tier, "tiers": Player.tiers, "receipt": Player.receipt, "line": Player.line,
    "sold": Player.sold, "limit": Player.limit, "at": Player.at, "holds": Player.holds,
    "turnover": Player.turnover,
}  # fmt: skip
