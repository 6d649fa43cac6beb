"""The e-mail channel that the settings name, and where what comes back from it arrives."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from aiohttp import web

from app.errors import SettingsError
from app.settings import PREFIX, EmailSettings, Settings
from loyalty.clock import Clock
from loyalty.keys import derive_key
from messaging.channels.base import Report
from messaging.channels.email.channel import EmailChannel, EmailOptions
from messaging.channels.email.connection import Server
from messaging.channels.email.headers import UnfitAddressError, mail_address
from messaging.channels.email.leaving import leaves_kept
from messaging.channels.email.mailbox import BounceReader, open_mailbox
from messaging.channels.email.mime import Composer, Sender
from messaging.channels.email.pool import PoolRules
from messaging.channels.email.providers import PROVIDERS, MailProvider
from messaging.channels.email.signing import KeyRefusedError, Signer
from messaging.channels.email.tokens import Tokens
from messaging.channels.folder import FolderEmail
from messaging.mail_webhooks import add_mail_webhook
from messaging.statuses import take_reports

EXAMPLE_SENDER = "news@example.com"
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRoom:
    """`reader` is there when a mailbox takes the bounces, `provider` when somebody posts them."""

    channel: EmailChannel | FolderEmail
    tokens: Tokens
    reader: BounceReader | None
    provider: MailProvider | None
    settings: EmailSettings
    clock: Clock

    def add_webhook(self, app: web.Application) -> None:
        """Listen to the provider's calls, if there are to be any."""
        if self.provider is not None:
            add_mail_webhook(
                app,
                self.provider,
                token=_secret(self.settings, "webhook_token"),
                key=_secret(self.settings, "webhook_key"),
                tokens=self.tokens,
                clock=self.clock,
                take_reports=_keep,
            )


def mail_room(settings: Settings, clock: Clock, *, secret: bytes) -> MailRoom | None:
    """The channel with all around it, or None when e-mail is off. Raises SettingsError."""
    email = settings.email
    if not email.host and not email.folder:
        return None
    if email.host and email.folder:
        raise _wrong("folder", "takes the place of a mail server; set HOST or FOLDER, not both")
    tokens = Tokens(derive_key(secret, "mail tokens"))
    provider = _provider(email)
    address = _sender_address(email)
    reader = _reader(email, tokens, clock)
    sender = Sender(
        address=address,
        name=email.sender_name or settings.programme.name,
        brand=settings.programme.name,
        bounce_domain=_domain(email, "bounce_domain", email.bounce_domain),
        leaves_by_mail=reader is not None,
        trace_field=provider.trace_field if provider else None,
    )
    return MailRoom(
        channel=_channel(email, sender, tokens, clock),
        tokens=tokens,
        reader=reader,
        provider=provider,
        settings=email,
        clock=clock,
    )


def _channel(
    email: EmailSettings, sender: Sender, tokens: Tokens, clock: Clock
) -> EmailChannel | FolderEmail:
    domain = sender.address.rpartition("@")[2]
    signer = _signer(email, domain=domain)
    price = int(email.price * Decimal(1_000_000))
    if email.folder:
        composer = Composer(sender, tokens, clock=clock, signer=signer)
        return FolderEmail(composer, Path(email.folder), price=price)
    return EmailChannel(
        _server(email, hello=domain),
        sender,
        tokens=tokens,
        clock=clock,
        signer=signer,
        options=EmailOptions(
            price=price, per_second=email.per_second, pool=PoolRules(size=email.pool)
        ),
    )


def preview_composer(settings: Settings, clock: Clock) -> Composer:
    """Writes mails to look at: from the sender of the settings, unsigned, without our secret."""
    email = settings.email
    sender = Sender(
        address=email.sender or EXAMPLE_SENDER,
        name=email.sender_name or settings.programme.name,
        brand=settings.programme.name,
    )
    return Composer(sender, Tokens(b"a preview is never sent"), clock=clock)


def _server(email: EmailSettings, *, hello: str) -> Server:
    password = _secret(email, "password")
    if email.user and not password:
        raise _wrong("password", "is needed, since there is a user")
    if email.user and email.security == "none" and email.host not in _LOCAL_HOSTS:
        raise _wrong("security", "none would send the password in clear; use starttls or tls")
    return Server(
        host=email.host,
        port=email.port,
        security=email.security,
        user=email.user,
        password=password,
        hello=hello,
        tls_context=ssl.create_default_context() if email.security != "none" else None,
    )


def _sender_address(email: EmailSettings) -> str:
    if not email.sender:
        raise _wrong("sender", "is needed, since mail is to be sent")
    try:
        address = mail_address(email.sender)
    except UnfitAddressError:
        raise _wrong("sender", "is not an address such as news@shop.example") from None
    if not address.isascii():
        raise _wrong("sender", "has letters that not every mail server takes")
    return address


def _domain(email: EmailSettings, name: str, value: str) -> str:
    """Checked as part of an address: a wrong one would be found out by the first bounce."""
    try:
        return mail_address(f"x@{value}").rpartition("@")[2] if value else ""
    except UnfitAddressError:
        raise _wrong(name, "is not a domain such as mail.shop.example") from None


def _signer(email: EmailSettings, *, domain: str) -> Signer | None:
    key = _secret(email, "dkim_key")
    if not key:
        if email.dkim_selector:
            raise _wrong("dkim_key", "is needed, since there is a selector")
        return None
    if not email.dkim_selector:
        raise _wrong("dkim_selector", "is needed, since there is a key")
    if "-----BEGIN" not in key:
        try:
            key = Path(key).read_text(encoding="ascii")
        except (OSError, ValueError):
            raise _wrong(
                "dkim_key", "is neither a key in PEM nor a file that can be read"
            ) from None
    signing = _domain(email, "dkim_domain", email.dkim_domain) or domain
    pem = key.replace("\\n", "\n").encode()
    try:
        return Signer(domain=signing, selector=email.dkim_selector, key_pem=pem)
    except KeyRefusedError as error:
        raise _wrong("dkim_key", str(error)) from None


def _reader(email: EmailSettings, tokens: Tokens, clock: Clock) -> BounceReader | None:
    url = _secret(email, "bounce_mailbox")
    if not url:
        return None
    try:
        mailbox = open_mailbox(url)
    except ValueError as error:
        raise _wrong("bounce_mailbox", str(error)) from None
    return BounceReader(
        mailbox, tokens, clock=clock, take_reports=_keep, take_leaves=leaves_kept(clock)
    )


def _provider(email: EmailSettings) -> MailProvider | None:
    if email.webhook_provider == "none":
        return None
    provider = PROVIDERS[email.webhook_provider]
    if not _secret(email, "webhook_token"):
        raise _wrong("webhook_token", f"is needed for {email.webhook_provider}")
    if provider.signature is not None and not _secret(email, "webhook_key"):
        raise _wrong("webhook_key", f"is needed: {email.webhook_provider} signs what it posts")
    return provider


def _secret(email: EmailSettings, name: str) -> str:
    value = getattr(email, name)
    return value.get_secret_value() if value is not None else ""


def _wrong(name: str, why: str) -> SettingsError:
    return SettingsError(f"{PREFIX}EMAIL__{name.upper()}: {why}")


async def _keep(reports: Sequence[Report]) -> None:
    await take_reports(reports)
