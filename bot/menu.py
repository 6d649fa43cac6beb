"""The topics of the bot and how one asks for each: command, menu button, or her own words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache

from aiogram.filters import BaseFilter
from aiogram.types import Message

from bot.words import N_
from loyalty.rules.promo_codes import is_own_code
from messaging.i18n import LANGUAGES, gettext


@dataclass(frozen=True, slots=True)
class Topic:
    """`label` is the menu button, `hint` the line in the list of commands.

    `stems` are beginnings of words, in every language at once: people mix them.
    """

    name: str
    label: str
    hint: str
    stems: tuple[str, ...]


TOPICS: Mapping[str, Topic] = {
    topic.name: topic
    for topic in (
        Topic(
            "card",
            N_("💳 My card"),
            N_("Show my card at the till"),
            ("карт", "qr", "куар", "штрих", "касс", "card", "barcode", "till", "scan"),
        ),
        Topic(
            "points",
            N_("💎 My points"),
            N_("Points and recent operations"),
            (
                *("бонус", "балл", "баланс", "накоп", "начисл", "списа", "сгор", "истори"),
                *("выписк", "point", "balance", "bonus", "histor", "statement", "expir"),
            ),
        ),
        Topic(
            "codes",
            N_("🎟️ Promo codes"),
            N_("Promo codes and discounts"),
            ("промок", "купон", "скидк", "promo", "coupon", "voucher", "discount"),
        ),
        Topic(
            "friends",
            N_("🎁 For friends"),
            N_("A gift for you and a friend"),
            ("друз", "друг", "подруг", "пригла", "рефера", "friend", "invit", "referral"),
        ),
        Topic(
            "medicines",
            N_("💊 Medicines"),
            N_("What I take and when it runs out"),
            (
                *("лекарств", "таблет", "препарат", "пилюл", "напомин", "напомни", "дозиров"),
                *("medicin", "tablet", "pill", "drug", "refill", "remind", "dose", "dosage"),
            ),
        ),
        Topic(
            "settings",
            N_("⚙️ Settings"),
            N_("What comes to you, where and how often"),
            (
                *("настро", "уведомл", "оповещ", "рассыл", "реклам", "отписа", "отпиш", "подпис"),
                *("тихи", "почт", "имейл", "setting", "notif", "advert", "mailing", "unsubscri"),
                *("quiet", "email", "spam", "спам"),
            ),
        ),
        Topic(
            "language",
            N_("🌐 Language"),
            N_("Choose the language"),
            ("язык", "английск", "русск", "languag", "english", "russian"),
        ),
        Topic(
            "help",
            N_("❓ Help"),
            N_("What I can do"),
            ("помощ", "помог", "подскаж", "справк", "умее", "help", "assist", "menu", "меню"),
        ),
        Topic(
            "leave",
            N_("Leave the programme's chat"),
            N_("Forget me in this chat"),
            (
                "отвяз",
                "выйти",
                "выход",
                "забуд",
                "leave",
                "logout",
                "forget",
            ),
        ),
    )
}
BUTTONS = (("card", "points"), ("codes", "friends"), ("medicines", "settings"))
"""The reply keyboard, row by row: as many as the smallest phones show beside the conversation."""

_WORD = re.compile(r"\b[^\W\d_]+\b")
_TYPO_RATIO = 0.8
_STEM_LETTERS_MIN = 4  # shorter words are not guessed at: one wrong letter makes another word


def label(topic: str, language: str) -> str:
    return gettext(language, TOPICS[topic].label)


@lru_cache(maxsize=1)
def _labels() -> dict[str, str]:
    return {label(topic, language).casefold(): topic for topic in TOPICS for language in LANGUAGES}


def is_button(text: str) -> bool:
    """Whether a text is a button of the menu or a command: nobody writes that by chance."""
    asked = text.strip().casefold()
    return asked.startswith("/") or asked in _labels()


@lru_cache(maxsize=4096)
def topic_of(text: str) -> str | None:
    """The topic that a text asks for by button, command or its words; None when none fits."""
    asked = text.strip().casefold()
    if asked.startswith("/"):
        command = asked[1:].split(maxsplit=1)[0].split("@")[0] if len(asked) > 1 else ""
        return command if command in TOPICS else None
    if asked in _labels():
        return _labels()[asked]
    if re.search(r"\d", asked) and is_own_code(asked):
        return None  # whatever word its letters begin like
    words = _WORD.findall(asked.replace("ё", "е"))[:40]
    return _by_stem(words) or _by_likeness(words)


def _by_stem(words: list[str]) -> str | None:
    """The topic that most of the words begin like; the first of equals."""
    hits = {
        name: sum(word.startswith(topic.stems) for word in words) for name, topic in TOPICS.items()
    }
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] else None


def _by_likeness(words: list[str]) -> str | None:
    """For typos: a word whose beginning is nearly a stem."""
    best: tuple[float, str | None] = (_TYPO_RATIO, None)
    for word in words:
        for name, topic in TOPICS.items():
            for stem in topic.stems:
                if min(len(stem), len(word)) < _STEM_LETTERS_MIN:
                    continue
                ratio = SequenceMatcher(None, stem, word[: len(stem)]).ratio()
                if ratio >= best[0]:
                    best = (ratio + 1e-9, name)
    return best[1]


class Asks(BaseFilter):
    """Passes a message that asks for this topic."""

    def __init__(self, topic: str) -> None:
        self.topic = topic

    async def __call__(self, message: Message) -> bool:
        return message.text is not None and topic_of(message.text) == self.topic
