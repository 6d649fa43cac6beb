"""A wrong setting is one line that names it."""

from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import load_settings, setting_rows
from loyalty.rules.programme import ProgrammeRules


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for row in setting_rows():
        monkeypatch.delenv(row.name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("KAPSULA_WEB__PORT", "eighty", "valid integer"),
        ("KAPSULA_WEB__PORT", "70000", "less than or equal to 65535"),
        ("KAPSULA_WEB__PROT", "8080", "there is no such setting"),
        ("KAPSULA_PORT", "8080", "there is no such setting"),
        ("KAPSULA_SECRET", "short", "at least 32 characters"),
        ("KAPSULA_LOG_LEVEL", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("KAPSULA_DATABASE_URL", "mysql://x", "postgres://USER:PASSWORD@HOST/NAME"),
        ("KAPSULA_WEB__PUBLIC_URL", "https://x.example/", "without a slash at the end"),
        ("KAPSULA_WEB__CHAT_SITES", "example.com", "Origins"),
        ("KAPSULA_PROGRAMME__TIMEZONE", "Mars/Olympus", "not a time zone"),
        ("KAPSULA_PROGRAMME__SPEND_PERCENT_MAX", "130", "less than or equal to 100"),
        ("KAPSULA_PROGRAMME__CANCEL_CLAWBACK", "maybe", "only_pending"),
        ("KAPSULA_TELEGRAM", "x", "KAPSULA_TELEGRAM"),
    ],
)
def test_a_wrong_one_is_one_line_with_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert text.startswith(name)
    assert says in text
    assert "\n" not in text


def test_the_value_itself_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a secret."""
    monkeypatch.setenv("KAPSULA_SECRET", "hunter2")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hunter2" not in str(caught.value)


def test_a_dotenv_file_may_hold_other_programs_names(tmp_path: Path) -> None:
    Path(".env").write_text("POSTGRES_PASSWORD=x\nKAPSULA_WEB__PORT=9001\nKAPSULA_SECRET=\n")
    settings = load_settings()
    assert settings.web.port == 9001
    assert settings.secret is None


def test_a_misspelt_name_in_the_dotenv_file_is_told(tmp_path: Path) -> None:
    Path(".env").write_text("KAPSULA_WEBB__PORT=9001\n")
    with pytest.raises(SettingsError, match="KAPSULA_WEBB__PORT: there is no such setting"):
        load_settings()


def test_the_defaults_are_the_programmes_own() -> None:
    assert load_settings().programme.rules() == ProgrammeRules()
