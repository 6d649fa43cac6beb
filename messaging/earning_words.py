"""Earning in words: why a line earned what it did, and what the rules are, in plain sentences.

Used by the chat, by the till and its API, and by `kapsula rules`.
"""

from collections.abc import Iterator
from decimal import Decimal

from babel.dates import get_day_names
from babel.lists import format_list
from babel.numbers import format_decimal

from loyalty.rules.earning_rules import Combine, Multiplier, Selection, When
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.reasons import Reason
from loyalty.rules.tiers import Tier, TierStanding, WhenLess
from messaging.i18n import day, gettext, locale, money, ngettext, points, supported

SHORT_MAX = 3
"""Names of goods or shops that a sentence lists; the rest it counts."""


# --- why a line earned so much ---


def line_why(
    language: str, rules: ProgrammeRules, reasons: tuple[Reason, ...], *, earned: int
) -> str:
    """`5 % of 1,240 ₽ · ×2: vitamins at weekends`; `rules` are those of the receipt's revision."""
    said = [_reason(language, rules, reason) for reason in reasons]
    words = [each for each in said if each]
    if not earned and reasons[:1] and reasons[0].code == "flat_rate" and len(words) == 1:
        words.append(gettext(language, "less than a whole point"))
    return " · ".join(words)


def _reason(language: str, rules: ProgrammeRules, reason: Reason) -> str:
    data, currency = reason.data, rules.currency
    match reason.code:
        case "flat_rate":
            return _rate(language, rules, reason)
        case "multiplier":
            name = rules.name_of(reason, language) or str(data["code"])
            times = _hundredths(language, data["percent"])
            return gettext(language, "×{times}: {name}", times=times, name=name)
        case "more_multipliers":
            return ngettext(
                language, "and {count} more rule", "and {count} more rules", int(data["count"])
            )
        case "excluded_from_earning":
            return gettext(language, "no points for these goods")
        case "nothing_paid":
            return gettext(language, "paid with points, so nothing is earned")
        case "below_minimum":
            sum_ = money(language, int(data["min_minor"]), currency)
            return gettext(language, "points are given from {sum} a purchase", sum=sum_)
        case "capped_receipt" | "capped_day" | "capped_month":
            cap = points(language, int(data["points"]))
            return gettext(language, _CAPPED[reason.code], points=cap)
    return ""


_CAPPED = {
    "capped_receipt": "at most {points} a purchase",
    "capped_day": "at most {points} a day",
    "capped_month": "at most {points} a month",
}


def _rate(language: str, rules: ProgrammeRules, reason: Reason) -> str:
    data, tier = reason.data, rules.name_of(reason, language)
    said = {
        "percent": _tenths(language, data["permille"]),
        "paid": money(language, int(data["paid_minor"]), rules.currency),
    }
    if tier is None:
        return gettext(language, "{percent}% of {paid}", **said)
    return gettext(language, "{percent}% of {paid} ({tier})", **said, tier=tier)


# --- a tier as it is shown ---


def tier_words(language: str, currency: str, standing: TierStanding) -> str:
    """`Silver; 1,200 ₽ more to Gold`, or "" when she has no tier and none is above."""
    held = standing.tier.name(language) if standing.tier else ""
    if standing.next is None:
        return held
    said = {
        "sum": money(language, standing.missing_minor, currency),
        "next": standing.next.name(language),
    }
    if not held:
        return gettext(language, "{sum} more to {next}", **said)
    return gettext(language, "{tier}; {sum} more to {next}", **said, tier=held)


# --- the rules in plain language ---


def headline(language: str, rules: ProgrammeRules) -> str:
    """All that matters in one line: `5 % back, double on vitamins at weekends, not on tobacco`."""
    rate = _tenths(language, rules.earn_permille)
    parts = [gettext(language, "{percent}% back", percent=rate)]
    parts += [_multiplied(language, each) for each in rules.earning.multipliers[:SHORT_MAX]]
    if rules.earning.not_earning:
        goods = _goods(language, rules.earning.not_earning)
        parts.append(gettext(language, "not on {goods}", goods=goods))
    return ", ".join(parts)


def sentences(language: str, rules: ProgrammeRules) -> list[str]:
    """The rules of earning, spending, tiers and invitations, a sentence each."""
    return [
        *_earning(language, rules),
        *_spending(language, rules),
        *_tiers(language, rules),
        *_referral(language, rules),
    ]


def _earning(language: str, rules: ProgrammeRules) -> Iterator[str]:
    earning, rate = rules.earning, _tenths(language, rules.earn_permille)
    yield gettext(language, "{percent}% of what is paid comes back as points.", percent=rate)
    for multiplier in earning.multipliers:
        said = _multiplied(language, multiplier)
        name = multiplier.name(language)
        yield gettext(language, "“{name}”: {what}.", name=name, what=said)
    if len(earning.multipliers) > 1:
        yield gettext(language, _COMBINED[earning.combine])
    if earning.not_earning:
        goods = _goods(language, earning.not_earning)
        yield gettext(language, "No points are given for {goods}.", goods=goods)
    if earning.receipt_min_minor:
        least = money(language, earning.receipt_min_minor, rules.currency)
        yield gettext(language, "A purchase of less than {sum} earns nothing.", sum=least)
    caps = earning.caps
    for sentence, cap in zip(_CAPS, (caps.receipt, caps.day, caps.month), strict=True):
        if cap is not None:
            yield gettext(language, sentence, points=points(language, cap))


_COMBINED = {
    Combine.BEST: "If several of them fit, the best one counts.",
    Combine.ADD: "If several of them fit, what each gives on top is added.",
    Combine.MULTIPLY: "If several of them fit, they multiply each other.",
}
_CAPS = (
    "One purchase earns at most {points}.",
    "One day earns at most {points}.",
    "One month earns at most {points}.",
)


def _spending(language: str, rules: ProgrammeRules) -> Iterator[str]:
    worth = money(language, rules.points_minor, rules.currency)
    yield gettext(language, "One point pays {sum}.", sum=worth)
    share = _tenths(language, rules.spend_percent_max * 10)
    if rules.spend_percent_max:
        yield gettext(language, "Points pay at most {percent}% of a purchase.", percent=share)
    else:
        yield gettext(language, "Points cannot be spent.")
    if rules.cash_min_minor:
        cash = money(language, rules.cash_min_minor, rules.currency)
        yield gettext(language, "At least {sum} of it is paid in money.", sum=cash)
    if rules.earning.not_payable:
        goods = _goods(language, rules.earning.not_payable)
        yield gettext(language, "Points do not pay for {goods}.", goods=goods)


def _tiers(language: str, rules: ProgrammeRules) -> Iterator[str]:
    tiers = rules.tiers
    for tier in tiers.levels:
        yield _tier(language, rules, tier)
    if not tiers.levels:
        return
    yield gettext(language, _WHEN_LESS[tiers.when_less])
    if tiers.when_less is not WhenLess.KEEP and tiers.grace_days:
        yield ngettext(
            language,
            "That happens {count} day after the turnover has become too small.",
            "That happens {count} days after the turnover has become too small.",
            tiers.grace_days,
        )


_WHEN_LESS = {
    WhenLess.KEEP: "A tier once reached is kept.",
    WhenLess.STEP_DOWN: "With less turnover a customer goes one tier down.",
    WhenLess.REASSESS: "With less turnover a customer goes down to the tier that it gives.",
}


def _tier(language: str, rules: ProgrammeRules, tier: Tier) -> str:
    permille = rules.earn_permille if tier.earn_permille is None else tier.earn_permille
    said = {"name": tier.name(language), "percent": _tenths(language, permille)}
    if not tier.from_minor:
        return gettext(language, "Tier “{name}”: for everybody, {percent}% back.", **said)
    least = money(language, tier.from_minor, rules.currency)
    return gettext(
        language, "Tier “{name}”: from {sum} in twelve months, {percent}% back.", **said, sum=least
    )


def _referral(language: str, rules: ProgrammeRules) -> Iterator[str]:
    referral = rules.referral
    if not referral.is_on:
        yield gettext(language, "Nothing is given for bringing a friend.")
        return
    yield gettext(
        language,
        "Who brings a friend gets {hers}, the friend {friends}, "
        "for a first purchase of {sum} or more.",
        hers=points(language, referral.referrer_points),
        friends=points(language, referral.friend_points),
        sum=money(language, referral.min_paid_minor, rules.currency),
    )


def _multiplied(language: str, multiplier: Multiplier) -> str:
    """`double on vitamins at weekends`."""
    parts = [_times(language, multiplier.times_percent)]
    if multiplier.goods:
        goods = _goods(language, multiplier.goods)
        parts.append(gettext(language, "on {goods}", goods=goods))
    return " ".join([*parts, *_conditions(language, multiplier.when)])


def _times(language: str, percent: int) -> str:
    named = {0: "no points", 50: "half", 200: "double", 300: "triple"}.get(percent)
    if named is not None:
        return gettext(language, named)
    return gettext(language, "{times} times", times=_hundredths(language, percent))


def _goods(language: str, goods: Selection) -> str:
    names = [gettext(language, "“{name}”", name=name) for name in sorted(goods.categories)]
    if goods.prescription:
        names.append(gettext(language, "prescription medicines"))
    if goods.skus:
        names.append(ngettext(language, "{count} product", "{count} products", len(goods.skus)))
    return _listed(language, names)


def _conditions(language: str, when: When) -> Iterator[str]:
    if when.weekdays:
        yield _weekdays(language, when.weekdays)
    if when.hours is not None:
        first, last = (f"{minute // 60}:{minute % 60:02}" for minute in when.hours)
        yield gettext(language, "from {start} to {end}", start=first, end=last)
    if when.since is not None:
        yield gettext(language, "since {day}", day=day(language, when.since))
    if when.until is not None:
        yield gettext(language, "until {day}", day=day(language, when.until))
    if when.shops:
        yield gettext(language, "in {shops}", shops=_listed(language, sorted(when.shops)))
    if when.birthday is not None:
        yield gettext(language, "around the birthday")
    if when.first_purchase:
        yield gettext(language, "at the first purchase")
    if when.tiers:
        yield gettext(language, "for {tiers}", tiers=_listed(language, sorted(when.tiers)))


def _weekdays(language: str, weekdays: frozenset[int]) -> str:
    known = {frozenset((6, 7)): "at weekends", frozenset(range(1, 6)): "on working days"}
    if weekdays in known:
        return gettext(language, known[weekdays])
    names = get_day_names("abbreviated", locale=locale(supported(language)))
    listed = ", ".join(names[weekday - 1] for weekday in sorted(weekdays))
    return gettext(language, "on {days}", days=listed)


def _listed(language: str, names: list[str]) -> str:
    """A few of the names and how many more, with the language's own "and"."""
    shown, left = names[:SHORT_MAX], len(names) - SHORT_MAX
    if left > 0:
        shown.append(gettext(language, "{number} more", number=left))
    return str(format_list(shown, locale=locale(supported(language))))


def _tenths(language: str, value: int | str) -> str:
    return _decimal(language, int(value), 1)


def _hundredths(language: str, value: int | str) -> str:
    return _decimal(language, int(value), 2)


def _decimal(language: str, value: int, places: int) -> str:
    exact = Decimal(value).scaleb(-places)
    return str(format_decimal(exact, locale=locale(supported(language))))
