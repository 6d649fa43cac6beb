"""The house: every part made once and introduced to those it works with.

What a process does with the house (serve the web, poll Telegram, send) is in `app.processes`.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from aiohttp import web
from redis.asyncio import Redis

from admin.web import add_admin
from app.database import database, pending_migrations
from app.errors import SchemaError, SettingsError
from app.health import Check, Health, database_answers
from app.mail import MailRoom, mail_room
from app.outgoing import CodeSender
from app.settings import Settings
from app.sms import add_sms, sms_channel
from app.webpush import PushRoom, push_room
from bot.assembly import Fronts, build_dispatcher
from bot.rehearsal import Telephones
from bot.replies import RepliesFirst
from bot.storage import dialogue_memory
from bot.telegram import TokenError, add_webhook, make_telegram_bot
from bot.webchat.fanout import Fanout, LocalFanout, RedisFanout
from bot.webchat.server import WebchatOptions, add_webchat
from bot.webchat.session import make_webchat_bot
from bot.webchat.transcript import Transcript
from loyalty import events
from loyalty.clock import Clock, SystemClock
from loyalty.programme import Programme, build_programme
from messaging.attention import Attention
from messaging.channels.base import Channel
from messaging.channels.messenger import MessengerChannel
from messaging.channels.sms.channel import SmsChannel
from messaging.dispatcher import Dispatcher
from messaging.journeys.engine import Journeys
from messaging.links import Links
from messaging.notices import Notices
from messaging.optin import OptIns
from messaging.pacing import LocalPacer, Pacer, RedisPacer
from messaging.templates import BOOK
from messaging.wakeups import Wakeups
from messaging.web import add_messaging_pages

WEBHOOK_PATH = "/telegram/webhook"
REQUEST_BYTES_MAX = 2 * 1024 * 1024
"""A camera frame of the till is the largest thing that anybody sends."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What a simulation has in place of the world outside this process.

    `telephones` are Telegram, and `pacer` knows the limits of providers that are not there.
    """

    telephones: Telephones
    pacer: Pacer


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """All parts of one process, ready to be served."""

    settings: Settings
    secret: bytes
    clock: Clock
    programme: Programme
    fronts: Fronts
    wakeups: Wakeups
    links: Links
    opt_ins: OptIns
    attention: Attention
    dispatcher: Dispatcher
    journeys: Journeys
    health: Health
    sms: SmsChannel | None
    mail: MailRoom | None
    push: PushRoom | None
    replies: RepliesFirst

    def web_application(self) -> web.Application:
        """The web chat, the till, the API and the health of the process, under one roof."""
        app = self.health_application()
        add_webchat(
            app,
            self.programme,
            self.fronts.dispatcher,
            self.fronts.webchat,
            WebchatOptions(
                sites=self.settings.web.chat_sites.split(),
                public_url=self.settings.web.public_url,
                push=None if self.push is None else self.push.desk,
            ),
            attention=self.attention,
        )
        add_admin(
            app,
            self.programme,
            clock=self.clock,
            secret=self.secret,
            https=self.settings.public_url.startswith("https:"),
        )
        add_messaging_pages(
            app, self.programme, self.links, opt_ins=self.opt_ins, attention=self.attention
        )
        if self.sms is not None:
            add_sms(app, self.sms, self.clock)
        if self.mail is not None:
            self.mail.add_webhook(app)
        if self.push is not None:
            self.push.add_reports(app)
        if self.fronts.telegram and (webhook_secret := self.settings.telegram.webhook_secret):
            add_webhook(
                app,
                self.fronts.dispatcher,
                self.fronts.telegram,
                secret=webhook_secret.get_secret_value(),
                path=WEBHOOK_PATH,
                replies=self.replies,
            )
        return app

    def health_application(self) -> web.Application:
        """Only the health: for processes that serve nobody else."""
        app = web.Application(client_max_size=REQUEST_BYTES_MAX)
        self.health.add_to(app)
        return app


@asynccontextmanager
async def open_house(
    settings: Settings,
    *,
    secret: bytes,
    clock: Clock | None = None,
    channels: Iterable[Channel] = (),
    outside: Outside | None = None,
) -> AsyncIterator[House]:
    """Open the database and put the house together; on leaving, everything is closed in order.

    `channels` are those besides the messengers, `outside` is given by simulations. SQLite is
    migrated here, since this is its only process; on Postgres an old schema raises SchemaError:
    `kapsula db migrate` comes first.
    """
    on_sqlite = settings.database_url.startswith("sqlite:")
    async with database(
        settings.database_url, pool_max=settings.database_pool_max, migrate=on_sqlite
    ):
        if pending := await pending_migrations():
            raise SchemaError(
                f"the database lacks {len(pending)} migrations: run `kapsula db migrate` first"
            )
        async with _redis(settings.redis_url) as redis:
            await BOOK.refresh(at_once=True)
            house = _assemble(
                settings,
                secret,
                clock or SystemClock(),
                redis,
                channels=channels,
                outside=outside,
            )
            await house.programme.book.open()
            await house.journeys.open()
            try:
                with events.listening(house.wakeups.wake):
                    yield house
            finally:
                if house.sms is not None:
                    await house.sms.close()
                if house.mail is not None:
                    await house.mail.channel.close()
                if house.push is not None:
                    await house.push.channel.close()
                await house.fronts.close()
                await house.programme.stop()


def _assemble(
    settings: Settings,
    secret: bytes,
    clock: Clock,
    redis: Redis | None,
    *,
    channels: Iterable[Channel],
    outside: Outside | None,
) -> House:
    programme = build_programme(
        clock=clock,
        secret=secret,
        rules=settings.rules(),
    )
    wakeups = Wakeups()
    links = Links(secret, settings.public_url)
    attention = Attention(clock)
    opt_ins = OptIns(
        clock, programme.customers, links, wakeups, programme_name=programme.rules.name
    )
    channels = list(channels)
    given = {kind for channel in channels for kind in channel.address_kinds}
    sms = None if "phone" in given else sms_channel(settings, clock)
    if sms is not None:
        channels.append(sms)
    mail = None if "email" in given else mail_room(settings, clock, secret=secret)
    if mail is not None:
        channels.append(mail.channel)
    push = push_room(settings, clock, secret=secret)
    if push is not None:
        channels.append(push.channel)
    has_mail = any("email" in channel.address_kinds for channel in channels)
    fronts = _fronts(
        settings,
        programme,
        redis,
        send_code=CodeSender(clock, lambda: programme.rules.name, wakeups),
        opt_ins=opt_ins if has_mail else None,
        attention=attention,
        telephones=None if outside is None else outside.telephones,
    )
    pacer = _pacer(redis) if outside is None else outside.pacer
    messenger = MessengerChannel(fronts.bots, None if push is None else push.bell(pacer))
    replies = RepliesFirst(pacer, messenger.limits, "telegram")
    if fronts.telegram is not None:
        fronts.telegram.session.middleware(replies)
    journeys = Journeys(
        clock, programme, wakeups, opt_ins=opt_ins if has_mail else None, links=links
    )
    dispatcher = Dispatcher(
        clock,
        [messenger, *channels],
        Notices(programme.rules.currency),
        wakeups=wakeups,
        pacer=pacer,
        links=links,
        journeys=journeys,
    )
    checks: dict[str, Check] = {"database": database_answers}
    if redis is not None:
        checks["redis"] = redis.ping
    return House(
        settings=settings,
        secret=secret,
        clock=clock,
        programme=programme,
        fronts=fronts,
        wakeups=wakeups,
        links=links,
        opt_ins=opt_ins,
        attention=attention,
        dispatcher=dispatcher,
        journeys=journeys,
        health=Health(checks),
        sms=sms,
        mail=mail,
        push=push,
        replies=replies,
    )


def _fronts(
    settings: Settings,
    programme: Programme,
    redis: Redis | None,
    *,
    send_code: CodeSender,
    opt_ins: OptIns | None,
    attention: Attention,
    telephones: Telephones | None,
) -> Fronts:
    fanout: Fanout = LocalFanout() if redis is None else RedisFanout(redis)
    chats = build_dispatcher(
        programme,
        memory=dialogue_memory(programme.clock, settings.redis_url),
        send_code=send_code,
        public_url=settings.public_url,
        policy_url=settings.policy_url,
        opt_ins=opt_ins,
        attention=attention,
    )
    telegram = None if telephones is None else telephones.bot
    if telegram is None and (token := settings.telegram.token) is not None:
        try:
            telegram = make_telegram_bot(token.get_secret_value(), settings.telegram.api_url)
        except TokenError:
            raise SettingsError(
                "KAPSULA_TELEGRAM__TOKEN: is not the form of a bot token (digits:letters)"
            ) from None
    return Fronts(
        dispatcher=chats,
        webchat=make_webchat_bot(Transcript(programme.clock), fanout),
        telegram=telegram,
    )


def _pacer(redis: Redis | None) -> Pacer:
    return LocalPacer() if redis is None else RedisPacer(redis)


@asynccontextmanager
async def _redis(url: str | None) -> AsyncIterator[Redis | None]:
    if url is None:
        yield None
        return
    redis = Redis.from_url(url)
    try:
        yield redis
    finally:
        await redis.aclose()
