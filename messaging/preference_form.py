"""The form of the preference page: what it shows, what comes back, and saving that."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from loyalty.customers import Customers
from loyalty.database import transaction
from messaging.i18n import LANGUAGES, gettext
from messaging.policy.quiet_hours import QuietHours
from messaging.preference_words import clock, often_words, quiet_words, zone_name
from messaging.preferences import (
    SURVEY,
    WEEKLY_MAX,
    Preferences,
    Said,
    resume_advertising,
    set_channel,
    set_medicine_names,
    set_quiet,
    set_surveys,
    set_weekly_max,
    stop_advertising,
)

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?")


class FormError(ValueError):
    """What was filled in cannot be. `name` says what; `sentence` says it to her."""

    def __init__(self, name: Literal["times", "form"]) -> None:
        super().__init__(name)
        self.name = name

    def sentence(self, language: str) -> str:
        if self.name == "times":
            return gettext(language, "Please fill in two different times for your quiet hours.")
        return gettext(language, "That could not be read. Please try once more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What she has filled in. `channels`: those ticked of those shown."""

    advertising: bool
    channels: Mapping[str, bool]
    surveys: bool
    medicine_names: bool
    weekly_max: int | None
    quiet: tuple[int, int] | None
    language: str


Form = Mapping[str, Sequence[str]]
"""The values of each field, as they came."""


def last(form: Form, name: str) -> str:
    """The value of a field that has one."""
    values = form.get(name)
    return values[-1] if values else ""


def read_form(form: Form, hers: Preferences) -> Wanted:
    """Raises FormError. The button that stops all advertising leaves the rest as it is ticked."""
    action, often, language = (last(form, name) for name in ("action", "often", "language"))
    if (
        action not in ("save", "stop")
        or often not in ("", *map(str, WEEKLY_MAX))
        or language not in LANGUAGES
    ):
        raise FormError("form")
    topics, ticked = form.get("topic", ()), form.get("channel", ())
    return Wanted(
        advertising="marketing" in topics and action != "stop",
        channels={each.name: each.name in ticked for each in hers.channels},
        surveys=SURVEY in topics,
        medicine_names=last(form, "medicines") == "named",
        weekly_max=int(often) if often else None,
        quiet=_quiet(form),
        language=language,
    )


def _quiet(form: Form) -> tuple[int, int] | None:
    match last(form, "quiet"):
        case "default":
            return None
        case "never":
            return (0, 0)
        case "own":
            begin, end = (minutes(last(form, name)) for name in ("from", "until"))
            if begin is None or end is None or begin == end:
                raise FormError("times")
            return (begin, end)
    raise FormError("form")


def minutes(text: str) -> int | None:
    """`21:30` as minutes since midnight."""
    found = _TIME.fullmatch(text.strip())
    return int(found[1]) * 60 + int(found[2]) if found else None


async def save(hers: Preferences, wanted: Wanted, said: Said, customers: Customers) -> None:
    """All of it or nothing."""
    mine = hers.customer_id
    async with transaction():
        if wanted.advertising:
            if hers.stopped:
                await resume_advertising(mine, said)
            for channel, is_wanted in wanted.channels.items():
                await set_channel(mine, channel, is_wanted, said)
        else:
            await stop_advertising(mine, said)
        await set_surveys(mine, wanted.surveys, said.at)
        if wanted.medicine_names != hers.medicine_names:
            await set_medicine_names(mine, wanted.medicine_names, said.at)
        await set_weekly_max(mine, wanted.weekly_max, said.at)
        await set_quiet(mine, wanted.quiet, said.at)
        if wanted.language != hers.language:
            await customers.set_language(mine, wanted.language)


def choices(hers: Preferences, default: QuietHours, language: str) -> dict[str, Any]:
    """What the page shows besides the channels."""
    quiet = "default" if hers.quiet is None else "own"
    if hers.quiet is not None and hers.quiet[0] == hers.quiet[1]:
        quiet = "never"
    begin, end = hers.quiet if hers.quiet and quiet == "own" else (default.begin, default.end)
    return {
        "stopped": hers.stopped,
        "surveys": hers.surveys,
        "medicine_names": hers.medicine_names,
        "often": [("", often_words(language, None))]
        + [(str(most), often_words(language, most)) for most in reversed(WEEKLY_MAX)],
        "chosen_often": str(hers.weekly_max or ""),
        "quiet": quiet,
        "quiet_default": quiet_words(language, None, default),
        "quiet_from": clock(begin),
        "quiet_until": clock(end),
        "zone": zone_name(language, hers.timezone),
    }
