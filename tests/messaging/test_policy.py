"""Pure decisions of the outbox: which conversation, when again, what a messenger means."""

from datetime import UTC, datetime

import aiohttp
import pytest
from aiogram.exceptions import (
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)
from aiogram.methods import SendMessage
from msgspec.structs import replace

from messaging.channels.base import Failed, SendResult, Unknown
from messaging.channels.messenger import verdict
from messaging.i18n import (
    clock_time,
    day,
    gettext,
    moment,
    money,
    ngettext,
    number,
    points,
    supported,
)
from messaging.policy.fronts import AWAY_S, PRESENT_S, Front, bell_of, in_order
from messaging.policy.retries import RetryRules, retry_delay_s
from messaging.templates import Reader, TemplateError, render

AT = 1_000_000 * 1_000_000
TELEGRAM = Front("telegram", "1")
HERE = Front("webchat", "2", seen_at=AT - 1_000_000)
AWAY = Front("webchat", "3", seen_at=AT - (PRESENT_S + 1) * 1_000_000)
LONG_AWAY = Front("webchat", "4", seen_at=0)


@pytest.mark.parametrize(
    ("open_fronts", "refused", "order"),
    [
        ([], [], []),
        ([TELEGRAM], [], [TELEGRAM]),
        ([TELEGRAM, HERE], [], [HERE, TELEGRAM]),  # she is looking at it
        ([AWAY, TELEGRAM], [], [TELEGRAM, AWAY]),  # Telegram rings
        ([LONG_AWAY, AWAY], [], [AWAY, LONG_AWAY]),  # seen last
        ([TELEGRAM, AWAY], [("telegram", "1")], [AWAY]),
        ([TELEGRAM], [("telegram", "1")], []),
    ],
)
def test_the_conversation_to_write_to(
    open_fronts: list[Front], refused: list[tuple[str, str]], order: list[Front]
) -> None:
    assert in_order(open_fronts, at=AT, refused=refused) == order


LEFT = Front("webchat", "2", seen_at=AT - (AWAY_S + 1) * 1_000_000)
BELL = Front("webpush", "20", thread="2")
OTHER = Front("webpush", "30", thread="3")


@pytest.mark.parametrize(
    ("front", "browsers", "bell"),
    [
        (LEFT, [OTHER, BELL], BELL),
        (LONG_AWAY, [OTHER, BELL], None),  # no browser that has this chat takes notifications
        (LEFT, [], None),
        (HERE, [BELL], None),  # she is looking at it
        (TELEGRAM, [BELL], None),  # rings by itself
    ],
)
def test_which_browser_rings_beside_a_message(
    front: Front, browsers: list[Front], bell: Front | None
) -> None:
    assert bell_of(front, browsers, at=AT) == bell


@pytest.mark.parametrize(
    ("tries", "chance", "delay_s"),
    [(1, 0.5, 5), (1, 0.0, 4), (2, 0.5, 10), (4, 0.5, 40), (8, 0.5, 600), (1000, 0.5, 600)],
)
def test_the_wait_doubles_up_to_a_bound(tries: int, chance: float, delay_s: float) -> None:
    assert retry_delay_s(RetryRules(), tries, chance) == pytest.approx(delay_s)


def _network(cause: Exception) -> TelegramNetworkError:
    error = TelegramNetworkError(CALL, "network")
    error.__cause__ = cause
    return error


CALL = SendMessage(chat_id=1, text="x")
_KEY = aiohttp.client_reqrep.ConnectionKey("x", 443, True, True, None, None, None)


def down(reason: str) -> Failed:
    return Failed(reason, False, provider_down=True)


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (TelegramForbiddenError(CALL, "bot was blocked"), Failed("blocked", True)),
        (TelegramBadRequest(CALL, "chat not found"), Failed("chat_not_found", True)),
        (TelegramBadRequest(CALL, "text is empty"), Failed("refused_by_provider", True)),
        (
            TelegramUnauthorizedError(CALL, "Unauthorized"),
            Failed("token_refused", False, provider_down=True),
        ),
        (
            TelegramServerError(CALL, "Bad Gateway"),
            Failed("provider_down", False, provider_down=True),
        ),
        (TelegramRetryAfter(CALL, "slow down", 7), Failed("rate_limited", False, 7.0)),
        (
            _network(aiohttp.ClientConnectorError(_KEY, OSError("refused"))),
            down("no_connection"),
        ),
        (_network(TimeoutError()), Unknown("no_answer")),
        (_network(aiohttp.ServerDisconnectedError()), Unknown("no_answer")),
    ],
)
def test_what_a_messengers_answer_means(error: TelegramAPIError, result: SendResult) -> None:
    found = verdict(error)
    if isinstance(found, Failed):
        found = replace(found, detail="")
    assert found == result


@pytest.mark.parametrize(
    ("tag", "language"),
    [("ru-RU", "ru"), ("en_GB", "en"), ("EN", "en"), ("de", "ru"), ("", "ru"), (None, "ru")],
)
def test_the_language_that_fits(tag: str | None, language: str) -> None:
    assert supported(tag) == language


def test_numbers_money_and_dates_read_as_people_write_them() -> None:
    at = datetime(2026, 1, 31, 22, 30, tzinfo=UTC)
    assert _plain(number("ru", 1_234_567)) == "1 234 567"
    assert _plain(money("ru", 123_450, "RUB")) == "1 234,50 ₽"
    assert _plain(money("ru", 100_000, "RUB")) == "1 000 ₽"
    assert _plain(money("en", 100_000, "RUB")) == "RUB 1,000"
    assert money("en", 5, "USD") == "$0.05"
    assert money("en", 500, "JPY") == "¥500"
    assert _plain(day("ru", at, "Europe/Moscow")) == "1 февраля 2026 г."
    assert day("en", at, "America/New_York") == "January 31, 2026"
    assert _plain(moment("ru", at, "Europe/Moscow")) == "1 февр. 2026 г., 01:30"
    assert _plain(clock_time("en", at, "Europe/Moscow")) == "1:30 AM"


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 бонусов"), (1, "1 бонус"), (2, "2 бонуса"), (5, "5 бонусов"), (11, "11 бонусов"),
     (21, "21 бонус"), (-1, "-1 бонус"), (1002, "1 002 бонуса")],
)  # fmt: skip
def test_russian_plurals(n: int, text: str) -> None:
    assert _plain(points("ru", n)) == text


def test_a_text_that_nobody_translated_is_english() -> None:
    assert gettext("ru", "Nobody said {what}", what="this") == "Nobody said this"
    assert ngettext("ru", "{count} frog", "{count} frogs", 2) == "2 frogs"


def test_what_comes_from_outside_cannot_be_markup_nor_a_format() -> None:
    context = {
        "number": "<b>{0}</b>",
        "shop": "A & {B}",
        "balance": 0,
        "returned": 0,
        "taken_back": 0,
    }
    body = render("receipt_cancelled", context, Reader("en"))
    assert "&lt;b&gt;{0}&lt;/b&gt;" in body.html
    assert "A &amp; {B}" in body.html
    assert "<b>{0}</b>" in body.plain


def test_a_context_of_wrong_types_is_the_templates_error() -> None:
    context = {"programme": "K", "points": "many"}
    with pytest.raises(TemplateError):
        render("welcome", context, Reader("ru"))


def _plain(text: str) -> str:
    return text.replace("\xa0", " ").replace("\u202f", " ").replace("\u2212", "-")
