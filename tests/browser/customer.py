"""A customer in the chat of a page, as the browser tests play her."""

from collections.abc import Awaitable, Callable

from playwright.async_api import FrameLocator, Locator, Page, expect

PHONE = "+7 900 123-45-67"
COMES_BACK_MS = 60_000
"""The chat tries by itself to come back, after nineteen seconds at the latest."""


class Customer:
    """She, in the shop's chat. `code_sent` answers the code that the shop has sent to her phone."""

    def __init__(self, page: Page, shop_url: str, code_sent: Callable[[], Awaitable[str]]) -> None:
        self.page = page
        self.shop_url = shop_url
        self._code_sent = code_sent

    @property
    def chat(self) -> FrameLocator:
        return self.page.frame_locator("iframe")

    @property
    def field(self) -> Locator:
        return self.chat.locator("#text")

    @property
    def launcher(self) -> Locator:
        return self.page.locator(".launcher")

    async def opens_the_chat(self) -> None:
        await self.page.goto(self.shop_url)
        await self.launcher.click()

    async def taps(self, label: str) -> None:
        await self.chat.get_by_role("button", name=label).last.click()

    async def writes(self, text: str) -> None:
        await self.field.fill(text)
        await self.field.press("Enter")

    @property
    def newest(self) -> Locator:
        """The newest message of the shop but for the word of welcome, which comes when it will."""
        return self.chat.locator(".message.shop").filter(has_not_text="что вы с нами!").last

    async def sees(self, *texts: str) -> None:
        """The newest message of the shop has all of this."""
        for text in texts:
            await expect(self.newest).to_contain_text(text)

    async def is_told(self, first: str, *texts: str) -> None:
        """A message of the shop has all of this; others may have come after it by themselves."""
        message = self.chat.locator(".message.shop").filter(has_text=first).last
        for text in (first, *texts):
            await expect(message).to_contain_text(text)

    async def joins(self) -> None:
        await self.opens_the_chat()
        await self.taps("Русский")
        await self.taps("Даю согласие")
        await self.taps("Да, присылайте")
        await self.sees("Последний шаг")
        await self.writes(PHONE)
        await self.sees("Отправили код")
        await self.writes(await self._code_sent())
        await self.sees("Вы с нами!", "100 бонусов")

    async def looks_at_her_card(self) -> Locator:
        """The picture, once the chat has scrolled to it by itself and stands still.

        On the smallest phones its lower edge stays hidden: what has to be read is above.
        """
        await self.taps("Моя карта")
        photo = self.newest.locator("img")
        await expect(photo).to_be_in_viewport(ratio=0.85)
        await photo.evaluate("""async (photo) => {
          await photo.decode();
          for (let still = 0, top = NaN; still < 10; top = photo.getBoundingClientRect().top) {
            await new Promise(requestAnimationFrame);
            still = photo.getBoundingClientRect().top === top ? still + 1 : 0;
          }
        }""")
        return photo
