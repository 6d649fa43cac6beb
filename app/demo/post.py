"""The demo's telephone and mailbox: SMS and mails as they would have gone out, from a folder."""

import asyncio
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from app.assembly import House
from app.demo.frame import HEADERS, Frame, language_of, refuse_other_pages, refuse_strangers
from loyalty.ids import next_id
from messaging.channels.folder import (
    KeptMail,
    KeptSms,
    kept_mail,
    kept_mails,
    kept_sms,
)
from messaging.outbox import Draft, enqueue
from messaging.templates.book import BOOK, built_in
from messaging.templates.samples import usual

PHONE, ADDRESS = "+79001234567", "anna@kapsula.example"
"""Whose telephone and mailbox samples go to."""
SAMPLE_LIVES = timedelta(hours=1)
VIEWS = ("letter", "text", "head")
_MAIL_HEADERS = {
    **HEADERS,
    "Content-Security-Policy": "default-src 'none'; img-src https: data:; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox",
}
"""A mail is a stranger's page: no scripts, no forms, nothing of ours is within its reach."""
_HEAD = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_PREVIEW_LENGTH = 120


class Post:
    """The pages of what was sent by SMS and by e-mail."""

    def __init__(self, house: House, frame: Frame) -> None:
        self._house = house
        self._frame = frame
        self._sms_folder = Path(house.settings.sms.folder)
        self._mail_folder = Path(house.settings.email.folder)

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/demo/phone", self.phone)
        app.router.add_get("/demo/phone.json", self.phone_messages)
        app.router.add_get("/demo/mailbox", self.mailbox)
        app.router.add_get("/demo/mailbox.json", self.mailbox_list)
        app.router.add_get(r"/demo/mailbox/{number:\d{1,20}}", self.mailbox)
        app.router.add_get(r"/demo/mailbox/{number:\d{1,20}}/letter", self.letter)
        app.router.add_post("/demo/samples", self.send_sample)

    async def phone(self, request: web.Request) -> web.Response:
        return self._frame.page(
            request, "phone", messages=await self._messages(), samples=samples_of(request)
        )

    async def phone_messages(self, request: web.Request) -> web.Response:
        refuse_strangers(request)
        return web.json_response(await self._messages(), headers=HEADERS)

    async def mailbox(self, request: web.Request) -> web.Response:
        """The list, and the mail that is open."""
        number = request.match_info.get("number")
        opened = await asyncio.to_thread(kept_mail, self._mail_folder, int(number or 0))
        if number and opened is None:
            raise web.HTTPNotFound
        view = request.query.get("view", "")
        return self._frame.page(
            request,
            "mailbox",
            mails=await self._mails(),
            opened=opened,
            opened_at=_local_time(opened.at) if opened and opened.at else "",
            view=view if view in VIEWS else VIEWS[0],
            samples=samples_of(request),
        )

    async def mailbox_list(self, request: web.Request) -> web.Response:
        refuse_strangers(request)
        return web.json_response(await self._mails(), headers=HEADERS)

    async def letter(self, request: web.Request) -> web.Response:
        """The mail's own page, for a frame in which nothing runs."""
        refuse_strangers(request)
        number = int(request.match_info["number"])
        mail = await asyncio.to_thread(kept_mail, self._mail_folder, number)
        if mail is None:
            raise web.HTTPNotFound
        page = _HEAD.sub(lambda found: f'{found[0]}<base target="_blank">', mail.html, count=1)
        return web.Response(text=page, content_type="text/html", headers=_MAIL_HEADERS)

    async def send_sample(self, request: web.Request) -> web.Response:
        """Put a template with its sample values into the outbox, for the telephone or mailbox."""
        refuse_other_pages(request)
        form = await request.post()
        name, by_mail = str(form.get("template", "")), form.get("channel") == "email"
        if name not in built_in():
            raise web.HTTPBadRequest(text="there is no such template\n")
        template, rules = BOOK.template(name), self._house.programme.rules
        language = language_of(request)
        own = {"programme": rules.name, "currency": rules.currency}
        now = self._house.clock.now()
        draft = Draft(
            dedupe_key=f"sample:{next_id()}",
            topic="service",  # whoever presses the button has asked for it, an offer too
            urgent=True,
            source="demo",
            template=name,
            context={k: own.get(k, value) for k, value in usual(template, language).items()},
            address_kind="email" if by_mail else "phone",
            address=ADDRESS if by_mail else PHONE,
            language=language,
            priority=2,
            expires_at=now + SAMPLE_LIVES,
        )
        await enqueue([draft], at=now)
        self._house.wakeups.wake()
        page = "/demo/mailbox" if by_mail else "/demo/phone"
        raise web.HTTPSeeOther(f"{page}?sent={name}")  # it stays chosen, to be sent again

    async def _messages(self) -> list[dict[str, str]]:
        return _sms_rows(await asyncio.to_thread(kept_sms, self._sms_folder))

    async def _mails(self) -> list[dict[str, str]]:
        return _mail_rows(await asyncio.to_thread(kept_mails, self._mail_folder))


def samples_of(request: web.Request) -> list[dict[str, Any]]:
    """What can be sent to try: every template of the house, by what it is about."""
    language, sent = language_of(request), request.query.get("sent")
    return [
        {"name": name, "title": writer.template.title(language), "chosen": name == sent}
        for name, writer in built_in().items()
    ]


def _sms_rows(messages: Sequence[KeptSms]) -> list[dict[str, str]]:
    return [
        {
            "id": str(sms.id),
            "phone": sms.phone,
            "text": sms.text,
            "at": sms.at.isoformat(),
            "time": _local_time(sms.at),
            "segments": sms.segments.partition(" ")[0],
        }
        for sms in messages
    ]


def _mail_rows(mails: Sequence[KeptMail]) -> list[dict[str, Any]]:
    return [
        {
            "id": str(mail.id),
            "to": mail.recipient,
            "subject": mail.subject,
            "preview": " ".join(mail.text.split())[:_PREVIEW_LENGTH],
            "at": mail.at.isoformat() if mail.at else "",
            "time": _local_time(mail.at) if mail.at else "",
        }
        for mail in mails
    ]


def _local_time(at: datetime) -> str:
    """By the clock of this computer, which is also the reader's; of other days the date as well."""
    local = at.astimezone()
    is_today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if is_today else "%d.%m %H:%M")
