"""What the templates of the house say, in every channel."""

import json
from typing import Any

import pytest

from bot.webchat.markup import STYLES, parse
from messaging.channels.base import Outgoing
from messaging.channels.webpush.notification import payload
from messaging.i18n import LANGUAGES
from messaging.policy.sms_segments import segments
from messaging.templates import BOOK, CHANNELS, Reader, TemplateError, render
from messaging.templates.book import built_in
from messaging.templates.markup import TELEGRAM
from messaging.templates.samples import HOSTILE, samples, usual
from tests.messaging.templates.samples import looked_at

RU, EN = Reader("ru", "Europe/Moscow"), Reader("en", "Europe/Moscow")
RECEIPT = {
    "number": "17", "shop": "А & Б", "currency": "RUB", "total_minor": 123_450,
    "paid_minor": 100_000, "spent": 2, "earned": 21, "returned": 1, "taken_back": 5,
    "balance": 1_002, "expiring_points": 100, "expiring_at": "2026-02-28T22:30:00+00:00",
}  # fmt: skip


def shown(name: str, context: Any, reader: Reader = RU, channel: str = "messenger") -> str:
    text = render(name, context, reader, channel=channel).html
    return text.replace("\xa0", " ").replace("\u202f", " ")


def test_a_receipt_in_the_chat() -> None:
    assert shown("receipt_committed", RECEIPT) == (
        "🧾 <b>Чек № 17</b> · А &amp; Б\n"
        "Сумма 1 234,50 ₽, к оплате 1 000 ₽\n"
        "\n"
        "➕ Начислено: <b>21 бонус</b>\n"
        "➖ Списано: <b>2 бонуса</b>\n"
        "💳 Баланс: <b>1 002 бонуса</b>\n"
        "⏳ Первыми сгорят: 100 бонусов, 1 марта 2026 г."
    )
    plain = {**RECEIPT, "shop": "", "spent": 0, "expiring_points": None, "expiring_at": None}
    assert shown("receipt_committed", plain, EN) == (
        "🧾 <b>Receipt No. 17</b>\nTotal RUB 1,234.50\n\n"
        "➕ Earned: <b>21 points</b>\n💳 Balance: <b>1,002 points</b>"
    )
    assert shown("receipt_committed", {**plain, "discount_minor": 15_000}).startswith(
        "🧾 <b>Чек № 17</b>\nСумма 1 234,50 ₽\n🎟️ Скидка по промокоду: 150 ₽\n\n➕"
    )
    nothing = {**plain, "earned": 0}
    assert shown("receipt_committed", nothing) == (
        "🧾 <b>Чек № 17</b>\nСумма 1 234,50 ₽\n\n💳 Баланс: <b>1 002 бонуса</b>"
    )


def test_a_cancelled_receipt_in_the_chat() -> None:
    assert shown("receipt_cancelled", RECEIPT) == (
        "↩️ <b>Чек № 17 отменён</b> · А &amp; Б\n"
        "➕ Возвращено: <b>1 бонус</b>\n"
        "➖ Снято: <b>5 бонусов</b>\n"
        "💳 Баланс: <b>1 002 бонуса</b>\n"
        "⏳ Первыми сгорят: 100 бонусов, 1 марта 2026 г."
    )


def test_a_code_and_a_welcome() -> None:
    code = {"programme": "Капсула", "code": 1234}
    assert shown("sms_code", code) == "Капсула: ваш код 1234. Никому его не говорите."
    assert render("sms_code", code, RU, channel="email").subject == "1234 — ваш код"
    welcome = {"programme": "К", "points": 100}
    assert shown("welcome", welcome) == (
        "🎉 <b>Добро пожаловать в программу «К»!</b>\nДарим вам: <b>100 бонусов</b>"
    )
    assert shown("welcome", {**welcome, "points": 0}, EN) == "🎉 <b>Welcome to К!</b>"


def test_each_channel_has_words_of_its_own() -> None:
    mail = render("receipt_committed", RECEIPT, RU, channel="email")
    assert mail.subject.replace("\xa0", " ") == "Чек № 17 на 1 234,50 ₽"
    assert "<h2>Спасибо за покупку!</h2>" in mail.html
    assert "Начислено 21 бонус\nБаланс 1 002 бонуса" in mail.text.replace("\xa0", " ")
    sms = render("receipt_committed", RECEIPT, RU, channel="sms")
    assert sms.plain == "Чек 17: 1 234,50 ₽, +21, -2. Баланс: 1 002 бонуса"
    push = render("receipt_committed", RECEIPT, RU, channel="webpush")
    assert (push.subject, push.text) == (
        "Чек № 17",
        "Начислено 21 бонус, списано 2 бонуса.\nБаланс: 1\xa0002 бонуса",
    )


def test_an_english_sms_has_nothing_that_would_double_its_price() -> None:
    sms = render("receipt_committed", RECEIPT, EN, channel="sms").plain
    assert sms == "Receipt 17: RUB 1,234.50, +21, -2. Balance: 1,002 points"
    assert segments(sms).encoding == "gsm7"


def test_a_channel_without_words_borrows_the_messengers() -> None:
    code = {"programme": "A & B", "code": "1234"}
    push = render("sms_code", code, EN, channel="webpush")
    assert push.plain == "A & B: your code is 1234. Tell it to nobody."
    assert render("sms_code", code, EN, channel="pigeon").html.startswith("A &amp; B:")


def test_an_offer_in_a_mail_has_a_button_and_its_text_the_address() -> None:
    context = {"programme": "К", "title": "Т", "text": "x", "link": "https://a.example/?a=1&b=2"}
    mail = render("offer", context, RU, channel="email")
    assert '<a class="button" href="https://a.example/?a=1&amp;b=2">Посмотреть</a>' in mail.html
    assert "Посмотреть (https://a.example/?a=1&b=2)" in mail.text


def test_a_notification_leads_where_its_template_says() -> None:
    link = "https://a.example/?a=1&b=2"
    context = {"programme": "К", "title": "Т", "text": "x", "link": link}
    for told, leads in ((context, link), ({**context, "link": None}, "")):
        body = render("offer", told, RU, channel="webpush")
        outgoing = Outgoing(
            message_id=1, attempt_id=1, address_kind="webpush", address="", body=body
        )
        shown = json.loads(payload(outgoing, title="K", token=""))
        assert (shown["title"], shown["text"], shown["link"]) == ("Т", "x", leads)


def test_an_unknown_template_is_an_error() -> None:
    with pytest.raises(TemplateError, match="unknown template nothing"):
        render("nothing", {}, RU)


def test_whoever_makes_drafts_can_ask_what_they_lack() -> None:
    assert BOOK.lacking("welcome", {"points": 0}) == ["programme"]
    assert BOOK.lacking("receipt_committed", RECEIPT) == []
    assert BOOK.unfit("welcome", {"programme": "K", "points": 5}) is None
    assert BOOK.unfit("welcome", {"programme": "K", "points": "5"}) == (
        "welcome: points is no whole number"
    )


@pytest.mark.parametrize("name", sorted(built_in()))
def test_nothing_is_wrong_with_any_of_them(name: str) -> None:
    assert looked_at(built_in()[name].source).problems == ()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(built_in()))
def test_the_web_chat_understands_all_that_they_write(name: str, language: str) -> None:
    writer = built_in()[name]
    for sample in samples(writer.template, language):
        try:
            body = writer.write(sample.context, Reader(language))
        except TemplateError:
            assert sample.name in ("long texts", "a script for a link"), sample
            continue
        marked = parse(body.html)
        assert {entity["type"] for entity in marked.entities} <= {
            "bold",
            "code",
            "spoiler",
            "text_link",
        }


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_template_says_more_on_a_lock_screen_than_fits(language: str) -> None:
    for writer in built_in().values():
        body = writer.write(usual(writer.template, language), Reader(language), "webpush")
        assert len(body.subject) <= 60
        assert len(body.plain) <= 200


def test_the_web_chat_and_telegram_agree_on_the_tags() -> None:
    assert set(TELEGRAM.tags) == {*STYLES, "a", "span"}


def test_hostile_values_stay_words() -> None:
    context = {**RECEIPT, "number": HOSTILE, "shop": HOSTILE}
    for channel in CHANNELS:
        body = render("receipt_committed", context, RU, channel=channel)
        assert "<script" not in body.html
        assert "\n" not in body.subject
        assert "\r" not in body.subject
