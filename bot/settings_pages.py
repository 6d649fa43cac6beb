"""The pages of the settings: their words and buttons."""

from collections.abc import Callable, Mapping

from aiogram.types import InlineKeyboardButton
from aiogram.utils.text_decorations import html_decoration

from bot import callbacks, keyboards
from bot.keyboards import Rows, button, inline, marked
from bot.pages import Page
from bot.turns import Turn
from bot.words import _
from messaging.i18n import LANGUAGE_NAMES
from messaging.policy.consent import OptIn
from messaging.preference_words import channel_name, often_words, quiet_words, zone_name
from messaging.preferences import WEEKLY_MAX, Preferences

QUIET_CHOICES = ((22 * 60, 8 * 60), (20 * 60, 10 * 60), (0, 0))
"""Besides the programme's own; what else she has chosen on the page stands there too."""


def page(name: str, hers: Preferences, turn: Turn) -> Page:
    """The text and the buttons of a page."""
    text, rows = _PAGES[name](hers, turn)
    if name != "main":
        rows.append([_to("main", _("« Back"))])
    return text, inline(*rows)


def _to(name: str, text: str) -> InlineKeyboardButton:
    return button(text, callbacks.SettingsPage.model_validate({"page": name}))


def _main(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    language = turn.words.language
    lines = [
        f"<b>{_('⚙️ Settings')}</b>",
        "",
        _("📣 Offers and discounts: {where}").format(where=_where(hers, language)),
        _("💬 Questions about how we did: {answer}").format(answer=_yes(hers.surveys)),
        _("⏱ How often: {often}").format(often=often_words(language, hers.weekly_max).lower()),
        _("🌙 Quiet hours: {hours}").format(hours=_quiet(hers, turn)),
        _("🌐 Language: {language}").format(language=LANGUAGE_NAMES[language]),
    ]
    if turn.desk.opt_ins is not None or hers.email:
        lines.append(_("✉️ E-mail: {address}").format(address=_email(hers)))
    lines += ["", _("Receipts, codes and answers to your questions come in any case.")]
    rows = [
        [_to("channels", _("Where")), _to("topics", _("Topics"))],
        [_to("often", _("How often")), _to("quiet", _("Quiet hours"))],
        [_to("language", _("Language"))],
    ]
    if turn.desk.opt_ins is not None:
        rows[-1].append(_to("email", _("E-mail")))
    choice = callbacks.AdvertisingChoice
    if hers.stopped:
        rows.append([button(_("🔔 Bring offers back"), choice(wanted=True))])
    else:
        rows.append([button(_("🔕 Stop all advertising"), choice(wanted=False))])
    return "\n".join(lines), rows


def _where(hers: Preferences, language: str) -> str:
    names = [channel_name(language, each.name) for each in hers.channels if each.gets]
    return ", ".join(names) or _("none")


def _yes(is_so: bool) -> str:
    return _("yes") if is_so else _("no")


def _quiet(hers: Preferences, turn: Turn) -> str:
    return quiet_words(turn.words.language, hers.quiet, turn.desk.quiet).lower()


def _email(hers: Preferences) -> str:
    if hers.pending_email:
        return _("{address}, not confirmed yet").format(
            address=html_decoration.quote(hers.pending_email)
        )
    if not hers.email:
        return _("none yet")
    address = html_decoration.quote(hers.email)
    if hers.email_opt_in is OptIn.CONFIRMED:
        return address
    return _("{address}, not confirmed yet").format(address=address)


def _channels(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    text = _("Where shall offers and discounts come? Press to switch on or off.")
    rows = [
        [
            button(
                marked(each.gets, channel_name(turn.words.language, each.name)),
                callbacks.ChannelChoice.model_validate(
                    {"channel": each.name, "wanted": not each.gets}
                ),
            )
        ]
        for each in hers.channels
    ]
    email = hers.channel("email")
    if email is not None and email.gets and hers.email_opt_in is not OptIn.CONFIRMED:
        text += "\n\n" + _("✉️ The e-mail address has to be confirmed first.")
    return text, rows


def _topics(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    rows = [
        [
            button(
                marked(not hers.stopped, _("Offers and discounts")),
                callbacks.AdvertisingChoice(wanted=hers.stopped),
            )
        ],
        [
            button(
                marked(hers.surveys, _("Questions about how we did")),
                callbacks.SurveyChoice(wanted=not hers.surveys),
            )
        ],
        [
            button(
                marked(hers.medicine_names, _("Names of medicines in SMS and notifications")),
                callbacks.MedicineNames(shown=not hers.medicine_names, page="topics"),
            )
        ],
    ]
    return _("What shall come to you? Press to switch on or off."), rows


def _often(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    rows = [
        [
            button(
                marked(most == hers.weekly_max, often_words(turn.words.language, most)),
                callbacks.OftenChoice(most=most or 0),
            )
        ]
        for most in (None, *reversed(WEEKLY_MAX))
    ]
    return _("How often may we write with offers and questions?"), rows


def _quiet_hours(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    language = turn.words.language
    choices = [None, *QUIET_CHOICES]
    if hers.quiet not in choices:
        choices.insert(1, hers.quiet)
    rows = []
    for quiet in choices:
        begin, end = quiet or (-1, -1)
        words = marked(quiet == hers.quiet, quiet_words(language, quiet, turn.desk.quiet))
        rows.append([button(words, callbacks.QuietChoice(begin=begin, end=end))])
    zone = html_decoration.quote(zone_name(language, hers.timezone))
    text = _("At these hours we do not write, by your clock: {zone}.").format(zone=zone)
    return text, rows


def _language(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    return "Выберите язык · Choose your language", list(keyboards.languages().inline_keyboard)


def _email_page(hers: Preferences, turn: Turn) -> tuple[str, Rows]:
    text = _("✉️ E-mail: {address}").format(address=_email(hers))
    if hers.pending_email or (hers.email and hers.email_opt_in is not OptIn.CONFIRMED):
        text += "\n\n" + _("Open the letter that we have sent and press the button in it.")
    known = hers.email or hers.pending_email
    label = _("Another address or letter") if known else _("Add an address")
    return text, [[_to("type_email", label)]]


_PAGES: Mapping[str, Callable[[Preferences, Turn], tuple[str, Rows]]] = {
    "main": _main,
    "channels": _channels,
    "topics": _topics,
    "often": _often,
    "quiet": _quiet_hours,
    "language": _language,
    "email": _email_page,
}
