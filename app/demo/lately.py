"""The last weeks of the demo are lived, not told: newcomers to the chat, from joining to today.

What they did went through the whole product, so it is all there to be looked at: their
conversations, mails and SMS, promo codes, returns, journeys, and the story of every message.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from app.demo.people import people
from app.demo.seed import SEED, Progress, seats_of_chain
from app.mail import mail_room
from app.settings import Settings
from app.simulation.living import Pace, Year
from app.simulation.people import Life, lives
from app.simulation.receivers import Overheard, Post
from app.simulation.world import open_world
from app.sms import sms_channel
from messaging.channels.base import Channel

DAYS = 28
NEWCOMERS = 36
PACE = Pace(round_every=timedelta(hours=2), scan_rounds=6, tidy_rounds=168)


async def live_lately(settings: Settings, secret: bytes, now: datetime, progress: Progress) -> None:
    """Live the last weeks before `now` on the demo's database, with its own post for SMS and mail.

    Everybody talks in the web chat: ids of Telegram would be those of somebody.
    """

    def channels(post: Post) -> Iterable[Channel]:
        for channel in _real_channels(settings, post, secret):
            yield Overheard(channel, post)

    start = (now - timedelta(days=DAYS)).replace(minute=0, second=0, microsecond=0)
    async with open_world(
        settings, seed=SEED, start=start, secret=secret, channels=channels
    ) as world:
        world.seats = await seats_of_chain()
        world.crowd = _newcomers(now)
        days = (now - start) / timedelta(days=1)
        year = Year(world, None, days=days, pace=PACE)
        progress("weeks", 0, DAYS)
        await year.run(lambda day: progress("weeks", day, DAYS))
        progress("weeks", DAYS, DAYS)


def _real_channels(settings: Settings, post: Post, secret: bytes) -> Iterable[Channel]:
    """The folders that the telephone and the mailbox of the demo show."""
    sms = sms_channel(settings, post.clock)
    mail = mail_room(settings, post.clock, secret=secret)
    assert sms is not None
    assert mail is not None
    return sms, mail.channel


def _newcomers(now: datetime) -> Sequence[Life]:
    """Others than those of the year that was told, whose addresses they must not share."""
    dice = random.Random(f"newcomers:{SEED}")
    crowd = [
        replace(person, email=person.email and f"newcomer{number}@example.com")
        for number, person in enumerate(people(NEWCOMERS, chance=dice, now=now, days=DAYS))
    ]
    return [_in_webchat(life) for life in lives(crowd, SEED) if life.front != "none"]


def _in_webchat(life: Life) -> Life:
    reads = dict(life.character.reads)
    reads["webchat"] = reads.pop("telegram", reads.get("webchat", 0.0))
    return replace(life, character=replace(life.character, front="webchat", reads=reads))
