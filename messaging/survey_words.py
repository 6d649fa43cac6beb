"""The words of surveys, for the chat and for the page alike."""

from loyalty.rules.surveys import Survey, group_of
from messaging.i18n import gettext


def question_words(language: str, survey: Survey, question: str, score: int | None = None) -> str:
    """A question as she reads it; after a score it knows how she felt."""
    group = None if score is None else group_of(score)
    return {
        "score": gettext(
            language, "How likely are you to recommend us to friends or family, from 0 to 10?"
        ),
        "why": _why(language, group),
        "words": gettext(language, "Would you like to add a few words?")
        if group == "promoter"
        else gettext(language, "What happened, and what should we change? A few words help a lot."),
        "topics": gettext(language, "What are you interested in?"),
        "family": gettext(language, "Whom do you usually buy for?"),
        "wish": gettext(language, "What would you most like to get from us?"),
    }[question]


def _why(language: str, group: str | None) -> str:
    if group == "promoter":
        return gettext(language, "What did you like best?")
    if group == "passive":
        return gettext(language, "What could we do better?")
    return gettext(language, "We are sorry to hear that. What went wrong?")


def option_words(language: str, option: str) -> str:
    return {
        "staff": gettext(language, "Staff and advice"),
        "price": gettext(language, "Prices"),
        "stock": gettext(language, "Choice of goods"),
        "queue": gettext(language, "Speed of service"),
        "place": gettext(language, "Place and hours"),
        "order": gettext(language, "Order on the site"),
        "vitamins": gettext(language, "Vitamins"),
        "beauty": gettext(language, "Skin and hair care"),
        "baby": gettext(language, "Mother and baby"),
        "sport": gettext(language, "Sport and nutrition"),
        "herbs": gettext(language, "Herbs and teas"),
        "devices": gettext(language, "Health devices"),
        "myself": gettext(language, "Myself"),
        "partner": gettext(language, "Husband or wife"),
        "children": gettext(language, "Children"),
        "parents": gettext(language, "Parents"),
        "discounts": gettext(language, "Discounts"),
        "advice": gettext(language, "Advice of pharmacists"),
        "reminders": gettext(language, "Reminders"),
    }[option]


def thanks_words(language: str, survey: Survey, score: int | None) -> str:
    if survey.name == "interests":
        return gettext(language, "Thank you! We will write about what interests you.")
    group = None if score is None else group_of(score)
    if group == "promoter":
        return gettext(language, "Thank you! We are glad that you like it here.")
    if group == "detractor":
        return gettext(
            language, "Thank you for being frank. We will look into it and come back to you."
        )
    return gettext(language, "Thank you! This helps us to get better.")
