"""Every setting, in one tree, from the environment (`KAPSULA_…`) or a `.env` file.

A wrong value stops the start with one clear line. Secrets come from the environment only; the
embedded demo makes its own and keeps them beside its database.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import SettingsError
from loyalty.programme_basics import ProgrammeBasics, ReferralBasics
from loyalty.rules.programme import ProgrammeRules
from messaging.channels.sms.tariff import parse_tariff
from messaging.channels.webpush.endpoints import KNOWN, Services

PREFIX = "KAPSULA_"
ENV_FILE = ".env"
_UNKNOWN = "there is no such setting; `kapsula settings` lists them all"
_NO_SETTINGS = ("KAPSULA_TEST_", "KAPSULA_BENCH_", "KAPSULA_NEW_PASSWORD")
Kind = Literal["web", "bot", "worker", "all"]
"""What a process does (see `app.processes`)."""


Port = Annotated[int, Field(ge=0, le=65535)]


class Branch(BaseModel):
    """A part of the tree. An unknown name in it is a misspelt one."""

    model_config = ConfigDict(extra="forbid")


class WebSettings(Branch):
    host: str = Field("127.0.0.1", description="Address to listen on")
    port: Port = Field(8080, description="Port of the web chat, the till, the API and the panel")
    public_url: str = Field(
        "",
        pattern=r"^(https?://\S+[^/\s])?$",
        description="How the outside reaches this server, without a slash at the end; "
        "empty: from host and port",
    )
    chat_sites: str = Field(
        "",
        pattern=r"^(\*|(https?://[^\s/]+( +|$))*)$",
        description="Origins whose pages may show the chat, separated by spaces; *: any site",
    )


class TelegramSettings(Branch):
    token: SecretStr | None = Field(None, description="Bot token; without one Telegram is off")
    api_url: str = Field(
        "https://api.telegram.org", pattern=r"^https?://\S+$", description="Bot API server"
    )
    webhook_secret: SecretStr | None = Field(
        None,
        min_length=16,
        description="At least 16 characters; set to receive updates by webhook instead of polling",
    )


class SmsSettings(Branch):
    gateway: Literal["none", "smpp", "twilio", "smsc", "folder"] = Field(
        "none", description="Who sends SMS: none, smpp, twilio, smsc or folder (files, no SMS)"
    )
    folder: str = Field("", description="Where the gateway `folder` puts each SMS as a text file")
    sender: str = Field(
        "",
        pattern=r"^(\+?[0-9]{3,15}|[A-Za-z0-9 ._&-]{1,11})?$",
        description="Name (up to 11 Latin letters) or number that SMS come from",
    )
    login: str = Field("", description="System id (SMPP), account SID (Twilio) or login (SMSC.ru)")
    password: SecretStr | None = Field(
        None, description="Password (SMPP, SMSC.ru) or auth token (Twilio)"
    )
    webhook_secret: SecretStr | None = Field(
        None, min_length=8, description="Signs reports of SMSC.ru; the one set in its cabinet"
    )
    price: str = Field(
        "0", description="Price of a segment: 4.35, or by prefix +7=4.35 +375=9.10 12"
    )
    segments_per_s: int = Field(
        10, ge=1, le=10_000, description="Segments a second that the provider allows"
    )
    api_url: str = Field(
        "",
        pattern=r"^(https?://\S+[^/\s])?$",
        description="Another address of the HTTP gateway, without a slash at the end",
    )
    smpp_host: str = Field("", description="Host of the message centre")
    smpp_port: Port = Field(2775, description="Port of the message centre")
    smpp_tls: bool = Field(False, description="Whether the message centre is spoken to under TLS")
    smpp_system_type: str = Field(
        "", max_length=12, description="System type, if the provider wants one"
    )
    smpp_window: int = Field(
        10, ge=1, le=1_000, description="Requests under way at once that the provider allows"
    )
    smpp_hexadecimal_ids: bool = Field(
        False, description="Whether ids are given in hexadecimal and reported in decimal"
    )

    @field_validator("price")
    @classmethod
    def _known_price(cls, value: str) -> str:
        parse_tariff(value)
        return value


class EmailSettings(Branch):
    host: str = Field("", description="Mail server to hand mail in at; without one e-mail is off")
    folder: str = Field(
        "", description="Instead of a mail server: where each mail is put as an .eml file"
    )
    port: Port = Field(587, description="Its port: 587 (starttls), 465 (tls) or 25 (none)")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="starttls, tls (from the first byte) or none"
    )
    user: str = Field("", description="Name to sign in with, if the server asks for one")
    password: SecretStr | None = Field(None, description="Password to sign in with")
    sender: str = Field("", description="Address that mail comes from")
    sender_name: str = Field(
        "", max_length=60, description="Name beside it; empty: the programme's"
    )
    bounce_domain: str = Field(
        "",
        description="Bounces come to bounce+…@ this domain, so that each is known by its address; "
        "empty: to the sender",
    )
    bounce_mailbox: SecretStr | None = Field(
        None,
        description="Where they are read: maildir:///FOLDER or imaps://USER:PASSWORD@HOST/FOLDER",
    )
    dkim_selector: str = Field(
        "", pattern=r"^([A-Za-z0-9][A-Za-z0-9.-]*)?$", description="Selector of the DKIM key"
    )
    dkim_key: SecretStr | None = Field(
        None, description="RSA key in PEM, or the file that has it; without one nothing is signed"
    )
    dkim_domain: str = Field("", description="Domain that signs; empty: the sender's")
    pool: int = Field(4, ge=1, le=100, description="Connections to the mail server per process")
    per_second: int = Field(
        0, ge=0, le=100_000, description="Mails a second that the provider allows; 0: any number"
    )
    price: Decimal = Field(
        Decimal("0.01"), ge=0, le=1_000, description="Price of a mail, in the currency"
    )
    webhook_provider: Literal["none", "ses", "postmark", "mailgun"] = Field(
        "none", description="Who posts bounces to /webhooks/email/…: ses, postmark or mailgun"
    )
    webhook_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="Last part of that address, at least 16 characters, told to the provider alone",
    )
    webhook_key: SecretStr | None = Field(None, description="Key that Mailgun signs with")


class WebPushSettings(Branch):
    key: SecretStr | None = Field(
        None,
        description="Private key that `kapsula webpush keys` makes, in base64url or PEM, or the "
        "file that has it; without one web push is off",
    )
    subject: str = Field(
        "",
        pattern=r"^(mailto:[^\s<>@]+@[^\s<>@]+\.[^\s<>@]+|https://\S+)?$",
        description="Where push services may write to: mailto:ADDRESS or https://…",
    )
    services: str = Field(
        KNOWN,
        description="Push services that browsers may subscribe at, separated by spaces: hosts, "
        "*.domains or whole origins",
    )
    per_second: int = Field(
        0, ge=0, le=100_000, description="Notifications a second at most; 0: any number"
    )

    @field_validator("services")
    @classmethod
    def _known_services(cls, value: str) -> str:
        Services(value)
        return value


class ProgrammeSettings(Branch, ProgrammeBasics):
    """What the rules of the programme begin with (see `loyalty.rule_book`)."""


class ReferralSettings(Branch, ReferralBasics):
    """What bringing a friend begins with, as the rest of the programme's rules."""


class Settings(BaseSettings):
    """The tree. `KAPSULA_WEB__PORT=9000` sets `web.port`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_file=ENV_FILE,
        env_ignore_empty=True,
        extra="ignore",  # other programs' names in .env; ours are checked by `load_settings`
    )

    database_url: str = Field(
        "sqlite://var/kapsula.sqlite3",
        pattern=r"^(sqlite://.+|postgres(ql)?://.+)$",
        description="sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
    )
    database_pool_max: int = Field(10, ge=2, le=200, description="Postgres connections per process")
    redis_url: str | None = Field(
        None,
        pattern=r"^(rediss?|unix)://.+$",
        description="redis://…; needed as soon as there are several web or bot processes",
    )
    secret: SecretStr | None = Field(
        None, min_length=32, description="Signs card codes and links; at least 32 characters"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR"
    )
    policy_url: str | None = Field(
        None,
        pattern=r"^https?://\S+$",
        description="Full text of the consent to process personal data, linked in the chat",
    )
    web: WebSettings = WebSettings()
    telegram: TelegramSettings = TelegramSettings()
    sms: SmsSettings = SmsSettings()
    email: EmailSettings = EmailSettings()
    webpush: WebPushSettings = WebPushSettings()
    programme: ProgrammeSettings = ProgrammeSettings()
    referral: ReferralSettings = ReferralSettings()

    def rules(self) -> ProgrammeRules:
        """The rules that the programme begins with."""
        return replace(self.programme.rules(), referral=self.referral.rules())

    @property
    def public_url(self) -> str:
        """How the outside reaches this server."""
        return self.web.public_url or f"http://{self.web.host}:{self.web.port}"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raises SettingsError naming the first wrong one.

    `overrides` come before the environment: the demo says where its database is.
    """
    _refuse_unknown_names()
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = PREFIX + "__".join(str(part).upper() for part in first["loc"])
        raise SettingsError(f"{name}: {_reason(first)}") from None


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return _UNKNOWN
    if error["type"] in ("string_pattern_mismatch", "too_short"):
        name = PREFIX + "__".join(str(part).upper() for part in error["loc"])
        meaning = next((row.meaning for row in setting_rows() if row.name == name), "")
        return f"wrong form or length ({meaning})"
    return error["msg"].removeprefix("Value error, ").replace("\n", " ")


def _refuse_unknown_names() -> None:
    """A misspelt name would otherwise be a setting that silently does nothing."""
    fields = {name.upper(): info.annotation for name, info in Settings.model_fields.items()}
    for name in sorted({*os.environ, *dotenv_values(ENV_FILE)}):
        if not name.startswith(PREFIX) or name.startswith(_NO_SETTINGS):
            continue
        first, *deeper = name.removeprefix(PREFIX).split("__")
        if first not in fields:
            raise SettingsError(f"{name}: {_UNKNOWN}")
        kind = fields[first]
        if not deeper and isinstance(kind, type) and issubclass(kind, Branch):
            raise SettingsError(f"{name}: is a group of settings; set {name}__NAME")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as the documentation shows it: environment variable, default, meaning."""

    name: str
    default: str
    meaning: str


def setting_rows() -> list[SettingRow]:
    """Every setting of the tree, in its order."""
    return list(_rows(Settings, PREFIX))


def _rows(branch: type[BaseModel], prefix: str) -> Iterator[SettingRow]:
    for name, info in branch.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _rows(kind, f"{prefix}{name.upper()}__")
        else:
            default = "" if info.default is None else str(info.default)
            yield SettingRow(f"{prefix}{name.upper()}", default, info.description or "")
