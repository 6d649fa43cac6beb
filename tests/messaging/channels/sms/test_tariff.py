"""Price lists as an operator writes them."""

import pytest

from app.errors import SettingsError
from app.settings import load_settings
from messaging.channels.sms.tariff import parse_tariff


@pytest.mark.parametrize(
    ("text", "address", "millionths"),
    [
        ("0", "+79001234567", 0),
        ("4.35", "+79001234567", 4_350_000),
        ("4.35", "79001234567", 4_350_000),
        ("0.000001", "+1", 1),
        ("+7=4.35 +375=9.10 12", "+79001234567", 4_350_000),
        ("+7=4.35 +375=9.10 12", "+375291234567", 9_100_000),
        ("+7=4.35 +375=9.10 12", "+4915112345678", 12_000_000),
        ("12 +7=4.35 +77=6", "+77011234567", 6_000_000),
    ],
)
def test_the_longest_prefix_counts(text: str, address: str, millionths: int) -> None:
    assert parse_tariff(text).segment_price(address) == millionths


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("free", "is no price"),
        ("4,35", "is no price"),
        ("-1", "is no price"),
        ("7=4.35 12", "is no price"),
        ("1e5", "is no price"),
        ("4.35 12", "needs one price without a prefix"),
        ("+7=4.35", "needs one price without a prefix"),
        ("+7=4.35 +7=5 12", "has two prices for +7"),
    ],
)
def test_what_is_no_price_list_stops_the_start(
    monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says.replace("+", r"\+")):
        parse_tariff(text)
    monkeypatch.setenv("KAPSULA_SMS__PRICE", text)
    with pytest.raises(SettingsError, match="^KAPSULA_SMS__PRICE: " + says.replace("+", r"\+")):
        load_settings()
