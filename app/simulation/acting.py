"""What customers do: join, look at what came, press and click, leave, come back.

Whatever has a button in the chat is done by that button. Pages behind links are answered by the
functions under them: no browser is there.
"""

import re
from collections.abc import Sequence

from app.demo.seed import write_people
from app.simulation.chats import Button, Chat, TelegramChat, WebChat
from app.simulation.people import ENTERS_CODES, LEAP_BORN, QUIET, Life
from app.simulation.receivers import Arrival
from app.simulation.world import Told, World
from loyalty.database import query
from loyalty.instants import to_micros
from messaging import leaving, tracking
from messaging.policy.hits import Kind, Request
from messaging.preferences import Said

BROWSER = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36"
TELEGRAM_IDS = 700_000_000
SHOWS_PICTURES = 0.7
"""Chance that a mail program loads the picture by which a mail is seen to be opened."""
CONFIRMS = 0.85
FOLLOW_UPS = 4
MEDICINES = ("Омега-3", "магний", "витамин D", "капли от бабушки", "L-тироксин")
_CODE = re.compile(r"\b\d{4,8}\b")
_REFERRAL = re.compile(r"start=ref_([0-9A-Za-z]+)")
_PROMO = re.compile(r"\b[A-Z]{4,}\d{2}\b")
_TOKEN = re.compile(r"/(c|doi|u)/([0-9A-Za-z_-]+)")
_SCORES = [str(score) for score in range(11)]


def chat_of(world: World, life: Life) -> TelegramChat | WebChat:
    """Her side of the conversation."""
    if life.front == "telegram":
        person = life.person
        return TelegramChat(world.telephones, life.chat, person.name, life.language)
    return WebChat(world.house, life.chat)


# joining


async def join(world: World, life: Life, payload: str) -> None:
    """She joins by her front, or is signed up at the till when she has none."""
    if life.front == "none":
        [life.id] = await write_people([life.person], world.now, lambda _done: None)
        await world.house.programme.ledger.open_accounts([life.id])
    elif life.front == "telegram":
        life.chat = TELEGRAM_IDS + life.number
        telegram = TelegramChat(world.telephones, life.chat, life.person.name, life.language)
        await _agree(telegram, life, payload)
        await telegram.share_contact(life.person.phone)
    else:
        web, life.chat = await WebChat.open(world.house, life.language)
        await _agree(web, life, payload)
        await web.say(life.person.phone)
        await web.say(await _code_of_sms(world, life.person.phone))
    if life.front != "none":
        customer = await world.house.programme.customers.by_identity(life.front, str(life.chat))
        assert customer is not None, f"{life.front} {life.chat} has not joined"
        life.id = customer.id
    await _give_birthday(life)
    world.done["joined"] += 1


async def _agree(chat: Chat, life: Life, payload: str) -> None:
    """The questions before the phone, each by its button."""
    await chat.start(payload)
    for wanted in (f"language:{life.language}", "consent:", "marketing:"):
        answers = [b for b in await chat.buttons() if b[2].startswith(wanted)]
        yes, no = answers[0], answers[-1]
        agrees = life.person.marketing or wanted != "marketing:"
        await chat.press(*_target(yes if agrees else no))


def _target(button: Button) -> tuple[int, str]:
    return button[0], button[2]


async def _code_of_sms(world: World, phone: str) -> str:
    """What the SMS says that has just come to this number."""
    await world.house.dispatcher.drain()
    came = [each for each in world.post.arrivals if each.address == phone]
    found = _CODE.search(came[-1].text)
    assert found is not None, came[-1].text
    return found[0]


async def _give_birthday(life: Life) -> None:
    """One in fifty was born on 29 February, so that somebody was. Staff have typed it in."""
    born = LEAP_BORN if life.number % 50 == 0 else life.person.born_on
    await query("UPDATE customer SET born_on = $2 WHERE id = $1", None, life.id, born.isoformat())


async def ask_for_referral_code(world: World, life: Life) -> None:
    chat = chat_of(world, life)
    await chat.say("/friends")
    if found := _REFERRAL.search(await chat.text()):
        life.referral_code = found[1]


# settings


async def give_email(world: World, life: Life) -> None:
    """By the settings of the chat; the letter that comes has to be answered."""
    if life.person.email is None or life.blocked:
        return
    chat = chat_of(world, life)
    await chat.say("/settings")
    if await _press(chat, "settings:email") and await _press(chat, "settings:type_email"):
        await chat.say(life.person.email)


async def choose_settings(world: World, life: Life) -> None:
    """How often she is written to, or at which hours."""
    if life.blocked:
        return
    chat = chat_of(world, life)
    await chat.say("/settings")
    page = life.dice.choice(("often", "quiet"))
    if await _press(chat, f"settings:{page}"):
        choices = [b for b in await chat.buttons() if b[2].startswith(f"{page}:")]
        chosen = life.dice.choice(choices)
        await chat.press(*_target(chosen))
        _remember(life, chosen[2])


def _remember(life: Life, data: str) -> None:
    """What she has chosen, as the button says it, for the daily checks."""
    name, *numbers = data.split(":")
    if name == "often":
        life.weekly_max = int(numbers[0]) or None
    else:
        begin, end = map(int, numbers)
        life.quiet = QUIET if begin < 0 else (begin, end)


async def _press(chat: Chat, data: str) -> bool:
    """The newest button that carries this; False when there is none."""
    for button in await chat.buttons():
        if button[2] == data:
            await chat.press(*_target(button))
            return True
    return False


async def stop_advertising(world: World, life: Life, arrival: Arrival) -> None:
    """She has enough, and leaves by the way at hand."""
    if arrival.address_kind in ("email", "phone"):
        await _leave_by_link(world, life, arrival)
    elif life.front == "telegram" and life.happens(0.5):
        await TelegramChat(world.telephones, life.chat, "", "").block(stops=True)
        life.blocked = True
        world.done["blocked the bot"] += 1
    else:
        chat = chat_of(world, life)
        await chat.say("/settings")
        if await _press(chat, "advertising:0"):
            life.stopped[""] = to_micros(world.now)
            world.done["stopped advertising in the chat"] += 1


async def _leave_by_link(world: World, life: Life, arrival: Arrival) -> None:
    links = world.house.links
    for link in (arrival.leave_link, *arrival.links):
        found = _TOKEN.search(link)
        attempt_id = links.leaving.read(found[2]) if found and found[1] == "u" else None
        letter = await leaving.letter(attempt_id) if attempt_id is not None else None
        if letter is not None:
            await leaving.leave(letter, Said("link", world.now, leaving.WORDING))
            life.stopped[letter.channel] = to_micros(world.now)
            world.done["unsubscribed by a link"] += 1
            return


async def come_back(world: World, life: Life) -> None:
    """Weeks later she starts the bot again, and wants to hear of offers."""
    if life.front == "none":
        return
    if life.blocked:
        await TelegramChat(world.telephones, life.chat, "", "").block(stops=False)
        life.blocked = False
    chat = chat_of(world, life)
    await chat.start("")
    await chat.say("/settings")
    if await _press(chat, "advertising:1"):
        life.stopped.clear()
        life.asked_back = True
    world.done["came back"] += 1


# what came


async def look(world: World, life: Life, arrival: Arrival, told: Told | None) -> None:
    """She has a look at it, and does one thing or another about it."""
    world.done[f"read by {arrival.address_kind}"] += 1
    if arrival.address_kind == "webchat":
        await WebChat(world.house, life.chat).look()
    if told is not None and arrival.address_kind == "email" and life.happens(SHOWS_PICTURES):
        await _hit(world, told.attempt_id, Kind.OPEN, 0)
    await _follow_links(world, life, arrival)
    if life.blocked or arrival.address_kind in ("email", "phone"):
        return
    if life.happens(life.character.presses):
        await _press_below(world, life, arrival)
    if (code := _PROMO.search(arrival.text)) and life.happens(ENTERS_CODES):
        await enter_code(world, life, code[0])


async def _follow_links(world: World, life: Life, arrival: Arrival) -> None:
    links = world.house.links
    for link in arrival.links:
        found = _TOKEN.search(link)
        if found is None:
            continue
        if found[1] == "doi" and life.happens(CONFIRMS):
            letter = await world.house.opt_ins.read(found[2])
            if letter is not None:
                await world.house.opt_ins.confirm(letter)
                world.done["confirmed an e-mail address"] += 1
        if found[1] == "c" and life.happens(life.character.clicks):
            read = links.hits.read(Kind.CLICK, found[2])
            assert read is not None, link
            await _hit(world, read[0], Kind.CLICK, read[1])
            world.done["clicked"] += 1


async def _hit(world: World, attempt_id: int, kind: Kind, nth: int) -> None:
    request = Request(kind=kind, at=to_micros(world.now), user_agent=BROWSER, nth=nth)
    await tracking.take_hit(attempt_id, request)
    world.house.attention.hit()


async def _press_below(world: World, life: Life, arrival: Arrival) -> None:
    """A button of the message, and then of what is asked."""
    chat, number = chat_of(world, life), int(arrival.reference)
    buttons = [button for button in await chat.buttons() if button[0] == number]
    if buttons:
        await _press_on(world, life, chat, buttons)


async def _press_on(world: World, life: Life, chat: Chat, buttons: Sequence[Button]) -> None:
    """One button leads to the next, in the same message or a newer one, until she has enough."""
    for _ in range(FOLLOW_UPS):
        await chat.press(*_target(_chosen(life, buttons)))
        world.done["pressed"] += 1
        before, buttons = buttons, await _newest(chat)
        if not buttons or buttons == before or not life.happens(life.character.presses):
            return


async def _newest(chat: Chat) -> list[Button]:
    """The buttons of the newest message that has any."""
    buttons = await chat.buttons()
    number = max((button[0] for button in buttons), default=0)
    return [button for button in buttons if button[0] == number]


async def add_medicine(world: World, life: Life) -> None:
    """One that she takes anyway: its name is typed, the rest are buttons."""
    if life.blocked:
        return
    chat = chat_of(world, life)
    await chat.say("/medicines")
    if await _press(chat, "meds:add"):
        await chat.say(life.dice.choice(MEDICINES))
        if buttons := await _newest(chat):
            await _press_on(world, life, chat, buttons)


def _chosen(life: Life, buttons: Sequence[Button]) -> Button:
    """Of eleven figures the one that she thinks of us, else any."""
    by_label = {label: each for each in buttons for label in [each[1]]}
    if life.character.scores and all(score in by_label for score in _SCORES):
        return by_label[str(life.dice.choice(life.character.scores))]
    return life.dice.choice(list(buttons))


async def enter_code(world: World, life: Life, code: str) -> None:
    chat = chat_of(world, life)
    await chat.say("/codes")
    if await _press(chat, "enter:promo"):
        await chat.say(code)
        world.done["entered a promo code"] += 1
