"""The SMS channel that the settings name, and where its provider's word arrives."""

import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web

from app.errors import SettingsError
from app.settings import PREFIX, Settings, SmsSettings
from loyalty.clock import Clock
from messaging.channels.base import Report
from messaging.channels.folder import FolderSms
from messaging.channels.sms.channel import SmsChannel, SmsTerms
from messaging.channels.sms.gateways import GATEWAYS
from messaging.channels.sms.http_gateway import HttpAccount, HttpSmsChannel
from messaging.channels.sms.session import SmppServer
from messaging.channels.sms.smpp import SmppChannel, SmppOptions
from messaging.channels.sms.tariff import parse_tariff
from messaging.inquiries import Inquiries
from messaging.sms_webhooks import add_sms_webhook
from messaging.statuses import take_reports

_SYSTEM_ID_LENGTH_MAX = 15
_SMPP_PASSWORD_LENGTH_MAX = 8


def sms_channel(settings: Settings, clock: Clock) -> SmsChannel | None:
    """The channel, or None when SMS are off. Raises SettingsError for what it lacks."""
    sms = settings.sms
    if sms.gateway == "none":
        return None
    terms = SmsTerms(
        sender=sms.sender, tariff=parse_tariff(sms.price), segments_per_s=sms.segments_per_s
    )
    if sms.gateway == "folder":
        return FolderSms(terms, Path(_needed(sms, "folder", sms.folder)), clock=clock)
    password = _needed(sms, "password", sms.password.get_secret_value() if sms.password else "")
    login = _needed(sms, "login", sms.login)
    if sms.gateway == "smpp":
        return SmppChannel(
            _smpp_server(sms, login, password),
            terms,
            clock=clock,
            take_reports=_keep,
            options=SmppOptions(window=sms.smpp_window, hexadecimal_ids=sms.smpp_hexadecimal_ids),
        )
    gateway = GATEWAYS[sms.gateway]
    if gateway.sender_needed:
        _needed(sms, "sender", sms.sender)
    if gateway.auth == "basic" and ":" in login:
        raise SettingsError(f"{PREFIX}SMS__LOGIN: has a colon, which no account SID has")
    secret = sms.webhook_secret.get_secret_value() if sms.webhook_secret else ""
    account = HttpAccount(
        login=login,
        password=password,
        webhook_secret=secret,
        api_url=sms.api_url,
        public_url=settings.web.public_url,
    )
    return HttpSmsChannel(gateway, account, terms)


def _smpp_server(sms: SmsSettings, login: str, password: str) -> SmppServer:
    _needed(sms, "smpp_host", sms.smpp_host)
    _needed(sms, "sender", sms.sender)
    for name, value, length_max in (
        ("LOGIN", login, _SYSTEM_ID_LENGTH_MAX),
        ("PASSWORD", password, _SMPP_PASSWORD_LENGTH_MAX),
    ):
        if not value.isascii() or len(value) > length_max:
            raise SettingsError(f"{PREFIX}SMS__{name}: at most {length_max} Latin letters in SMPP")
    return SmppServer(
        host=sms.smpp_host,
        port=sms.smpp_port,
        system_id=login,
        password=password,
        system_type=sms.smpp_system_type,
        tls=ssl.create_default_context() if sms.smpp_tls else None,
    )


def _needed(sms: SmsSettings, name: str, value: str) -> str:
    if not value:
        raise SettingsError(f"{PREFIX}SMS__{name.upper()}: the gateway {sms.gateway} needs it")
    return value


def add_sms(app: web.Application, channel: SmsChannel, clock: Clock) -> None:
    """Listen to the provider's reports, where they come by HTTP."""
    if isinstance(channel, HttpSmsChannel):
        add_sms_webhook(app, channel.gateway, channel.account, clock=clock, take_reports=_keep)


def sms_inquiries(channel: SmsChannel | None, clock: Clock) -> Inquiries | None:
    """Who asks the provider about what it has not answered; None where it cannot be asked."""
    if not isinstance(channel, HttpSmsChannel) or channel.gateway.query is None:
        return None
    return Inquiries(channel, clock)


async def _keep(reports: Sequence[Report]) -> None:
    await take_reports(reports)
