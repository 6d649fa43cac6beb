"""The texts of the chat's own surface and of the live card page, in one language."""

from messaging.i18n import gettext


def launcher_words(language: str) -> dict[str, str]:
    """What the widget itself says on somebody's site."""
    return {"open": gettext(language, "Open the chat"), "title": gettext(language, "Chat")}


def chat_words(language: str) -> dict[str, str]:
    """What the frame's modules show, by the names that they use."""

    def _(message: str) -> str:
        return gettext(language, message)

    return {
        "close": _("Close the chat"),
        "log": _("Conversation"),
        "write": _("Write a message"),
        "send": _("Send"),
        "typing": _("is typing…"),
        "online": _("Always here for you"),
        "connecting": _("Connecting…"),
        "offline": _("No connection. What you write is sent as soon as it is back."),
        "waiting": _("Waits for the connection"),
        "sent": _("Sent"),
        "earlier": _("Earlier messages"),
        "today": _("Today"),
        "yesterday": _("Yesterday"),
        "you": _("You"),
        "shop": _("The shop"),
        "picture": _("Picture"),
        "enlarge": _("Enlarge the picture"),
        "smaller": _("Close the picture"),
        "picture_gone": _("This picture is no longer kept."),
        "new": _("New messages"),
        "answers": _("Quick answers"),
        "no_connection": _("There is no connection right now. Please try again in a moment."),
        "slow_down": _("Not so fast, please. This goes out in a moment."),
        "failed": _("Something went wrong on our side. Please try again in a minute."),
        "button_gone": _("This button is no longer good."),
        "too_long": _("This text is too long."),
        "push": _("Notifications"),
        "push_offer": _(
            "Shall we notify you of answers and points, even while the chat is closed?"
        ),
        "push_yes": _("Turn on"),
        "push_no": _("Not now"),
        "push_is_on": _("Notifications are on."),
        "push_is_off": _("Notifications are off."),
        "push_blocked": _("Notifications of this site are blocked in the browser's settings."),
        "push_failed": _("Notifications could not be turned on. Please try again later."),
    }


def card_words(language: str) -> dict[str, str]:
    def _(message: str) -> str:
        return gettext(language, message)

    return {
        "heading": _("Your card"),
        "hint": _("Show this code at the till"),
        "code": _("QR code of your card"),
        "renews": gettext(language, "A new code in {seconds} s", seconds="{seconds}"),
        "awake": _("The screen stays on while the card is open"),
        "offline": _("No connection: the code cannot be renewed"),
        "number": _("Card number"),
    }
