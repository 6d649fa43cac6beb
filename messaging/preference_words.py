"""How preferences are put into words, for the page and for the chat alike."""

from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location

from messaging.i18n import gettext, locale, ngettext
from messaging.policy.quiet_hours import QuietHours


def channel_name(language: str, channel: str) -> str:
    """A channel as customers call it."""
    return {
        "messenger": gettext(language, "Chat"),
        "email": gettext(language, "E-mail"),
        "sms": gettext(language, "SMS"),
        "webpush": gettext(language, "Browser notifications"),
    }[channel]


def place(language: str, channel: str, kind: str, value: str) -> str:
    """Where a message comes, as it may be shown to whoever holds the link."""
    shown = {"telegram": "Telegram", "webchat": gettext(language, "The chat on the site")}
    return masked(kind, value) or shown.get(kind) or channel_name(language, channel)


def masked(kind: str, value: str) -> str:
    """An address as it may be shown to whoever holds a link: known to the owner alone."""
    if kind == "email":
        local, _, domain = value.partition("@")
        return f"{local[:2] if len(local) > 3 else local[:1]}•••@{domain}"
    if kind == "phone":
        return f"{value[:2]} ••• •••-{value[-4:-2]}-{value[-2:]}"
    return ""


def clock(minute: int) -> str:
    """Minutes since midnight as `21:30`."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def often_words(language: str, most: int | None) -> str:
    if most is None:
        return gettext(language, "As often as usual")
    return ngettext(language, "At most {count} time a week", "At most {count} times a week", most)


def quiet_words(language: str, quiet: tuple[int, int] | None, default: QuietHours) -> str:
    """Quiet hours in a few words."""
    if quiet is None:
        begin, end = clock(default.begin), clock(default.end)
        return gettext(language, "As usual: from {begin} until {end}", begin=begin, end=end)
    if quiet[0] == quiet[1]:
        return gettext(language, "None: write at any hour")
    begin, end = map(clock, quiet)
    return gettext(language, "From {begin} until {end}", begin=begin, end=end)


def zone_name(language: str, zone: str) -> str:
    """A time zone by its city: `Москва`."""
    try:
        return str(get_timezone_location(ZoneInfo(zone), locale=locale(language), return_city=True))
    except (LookupError, ValueError, OSError):
        return zone
