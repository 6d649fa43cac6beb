"""The card in the chat: read by an independent decoder, taken by the till, once."""

from datetime import timedelta
from io import BytesIO

import zxingcpp
from PIL import Image

from loyalty.clock import VirtualClock
from loyalty.programme import Programme
from tests.conversations.people import PHONE, join
from tests.conversations.stage import Chat, Stage, WebChat


def decoded(content: bytes, side: int | None = None) -> str:
    image = Image.open(BytesIO(content)).convert("RGB")
    if side:
        image = image.resize((side, image.height * side // image.width))
    [code] = zxingcpp.read_barcodes(image)
    return str(code.text)


async def test_the_picture_is_a_card_that_may_spend(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await chat.click("💳 Моя карта")
    chat.sees(
        "Покажите этот код на кассе", "Действует 3 минуты, до 12:03",
        buttons=["🔄 Обновить", "Открыть живую карту"],
    )  # fmt: skip
    digits = decoded(await chat.picture(), side=220)  # as small as a phone shows it
    assert digits.isdigit()
    read = await programme.cards.read(digits, till_id=1, device="")
    assert read
    assert read.customer_id == customer.id
    assert read.may_spend


async def test_the_cashier_can_type_the_short_code(chat: Chat, programme: Programme) -> None:
    customer = await join(chat)
    await chat.send("покажи карту")
    [caption] = [text for text in chat.screen.texts if "назовите кассиру" in text]
    short = caption.split("кассиру: ")[1][:7].replace(" ", "")
    read = await programme.cards.read(short, till_id=1, device="a")
    assert read
    assert read.customer_id == customer.id


async def test_refresh_gives_a_new_code_in_the_same_message(
    chat: Chat, clock: VirtualClock
) -> None:
    await join(chat)
    await chat.click("💳 Моя карта")
    before = await chat.picture()
    clock.advance(timedelta(seconds=170))
    await chat.click("🔄 Обновить")
    chat.sees("до 12:05", "Новый код готов", buttons=["🔄 Обновить", "Открыть живую карту"])
    after = await chat.picture()
    assert decoded(after) != decoded(before)


async def test_a_double_click_on_refresh_is_two_new_codes_and_no_error(chat: Chat) -> None:
    await join(chat)
    await chat.click("💳 Моя карта")
    await chat.click("🔄 Обновить")
    await chat.click("🔄 Обновить")
    chat.sees("Новый код готов")


async def test_the_live_card_page_shows_the_code_of_now(
    stage: Stage, web: WebChat, programme: Programme, clock: VirtualClock
) -> None:
    customer = await join(web, PHONE)
    token = programme.cards.live_link_token(customer.id)
    async with stage.http.get(stage.server.make_url(f"/card/{token}")) as page:
        assert page.status == 200
        assert page.headers["Cache-Control"] == "no-store"
        assert "'none'" in page.headers["Content-Security-Policy"]
        html = await page.text()
    assert "Покажите этот код на кассе" in html
    assert customer.card_number in html.replace(" ", "")
    codes = []
    for _ in range(2):
        async with stage.http.get(stage.server.make_url(f"/card/{token}/code")) as answer:
            codes.append(await answer.json())
        clock.advance(timedelta(seconds=30))
    assert codes[0]["path"] != codes[1]["path"]
    assert 0 < codes[0]["seconds_left"] <= 30


async def test_a_forged_live_link_shows_nothing(stage: Stage) -> None:
    for token in ("x", "1.2.3", "%00", "a" * 500):
        async with stage.http.get(stage.server.make_url(f"/card/{token}")) as page:
            assert page.status == 404
