"""The checkout as its specification: what is done, what the till is told, what she has afterwards.

A row is `deed | verdict | points available`. Words of a deed:

    +N                      N minutes later
    has 100 [60d]           points to begin with, which live so many days
    quote Q R 100.00 30     a quote by a fresh QR at till 1, to spend 30 (or max); `by C`: that code
    commit Q R              the quote becomes receipt R
    sell R 100.00           earning only, by her static number; `ago 2d` at an offline till
    cancel R, release Q     as they say;  `key K` before a deed gives it a key;  `there`: at till 2
    card C                  she draws a new picture and calls it C
"""

from datetime import timedelta
from typing import Any

import pytest

from loyalty.checkout import QuoteAnswer, ReceiptAnswer
from loyalty.clock import VirtualClock
from loyalty.ledger import Balance
from loyalty.ledger.verify import verify
from loyalty.programme import Programme
from loyalty.refusals import Refusal
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import joined
from tests.loyalty.tills import HERE, THERE, TillHand, give, open_shop, qr

STORIES = {
    "earn, spend, cancel": """
        has 100                       | given                          | 100
        sell R1 200.00                | committed earned 10            | 110
        quote Q R2 100.00 30          | quoted pay 70.00 earn 3        | 80
        commit Q R2                   | committed spent 30 earned 3    | 83
        cancel R2                     | cancelled +30 -3               | 110
        cancel R1                     | cancelled +0 -10               | 100
    """,
    "as much as she can": """
        has 20                        | given                          | 20
        quote Q R 100.00 max          | quoted pay 80.00 earn 4        | 0
        release Q                     | released                       | 20
        has 80                        | given                          | 100
        quote Q R 100.00 max          | quoted pay 70.00 earn 3        | 70
    """,
    "the limit, and what she has": """
        has 40                        | given                          | 40
        quote Q R 100.00 31           | exceeds_spending_limit 30      | 40
        quote Q R 200.00 41           | insufficient_points 40         | 40
        quote Q R 200.00 40           | quoted pay 160.00 earn 8       | 0
    """,
    "a number or a phone only earns": """
        has 100                       | given                          | 100
        quote Q R 100.00 1 by number  | card_cannot_spend static       | 100
        quote Q R 100.00 max by phone | card_cannot_spend phone        | 100
        quote Q R 100.00 0 by number  | quoted pay 100.00 earn 5       | 100
        commit Q R                    | committed spent 0 earned 5     | 105
    """,
    "a newer quote takes the older one's place": """
        has 50                        | given                          | 50
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 20
        quote B R 200.00 50           | quoted pay 150.00 earn 7       | 0
        commit A R                    | quote_not_found replaced       | 0
        commit B R                    | committed spent 50 earned 7    | 7
    """,
    "two tills cannot spend the same points": """
        has 50                        | given                          | 50
        quote A R 200.00 40           | quoted pay 160.00 earn 8       | 10
        there quote B R 200.00 20     | insufficient_points 10         | 10
        there quote B R 200.00 max    | quoted pay 190.00 earn 9       | 0
        commit A R                    | committed spent 40 earned 8    | 8
        there commit B R              | committed spent 10 earned 9    | 17
    """,
    "a quote lives as long as its hold": """
        has 50                        | given                          | 50
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 20
        +15                           |                                | 50
        commit A R                    | quote_expired                  | 50
        release A                     | released                       | 50
        quote B R 100.00 30           | quoted pay 70.00 earn 3        | 20
        commit B R                    | committed spent 30 earned 3    | 23
    """,
    "what is given up cannot be committed": """
        has 50                        | given                          | 50
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 20
        release A                     | released                       | 50
        release A                     | released                       | 50
        commit A R                    | quote_not_found released       | 50
        quote B R 100.00 30           | quoted pay 70.00 earn 3        | 20
        commit B R                    | committed spent 30 earned 3    | 23
        release B                     | hold_closed captured           | 23
    """,
    "a QR code pays for one receipt": """
        has 100                       | given                          | 100
        card C                        | drawn                          | 100
        quote A R1 100.00 30 by C     | quoted pay 70.00 earn 3        | 70
        there quote B R1 10.00 1 by C | card_code_used                 | 70
        commit A R1                   | committed spent 30 earned 3    | 73
        quote B R2 100.00 1 by C      | card_code_used                 | 73
        cancel R1                     | cancelled +30 -3               | 100
        quote B R2 100.00 1 by C      | card_code_used                 | 100
    """,
    "an old QR code": """
        has 100                       | given                          | 100
        card C                        | drawn                          | 100
        +3                            |                                | 100
        quote A R 100.00 30 by C      | card_code_expired              | 100
        sell R 100.00 by C            | card_code_expired              | 100
    """,
    "a QR code that was only to earn is used up too": """
        card C                        | drawn                          | 0
        sell R1 100.00 by C           | committed earned 5             | 5
        sell R2 100.00 by C           | card_code_used                 | 5
    """,
    "a forged QR code": """
        card C                        | drawn                          | 0
        quote A R 100.00 0 by C!      | card_forged                    | 0
        sell R 100.00 by C!           | card_forged                    | 0
    """,
    "a repeated key gets the first answer": """
        has 100                       | given                          | 100
        card C                        | drawn                          | 100
        key a quote A R 100.00 30 by C| quoted pay 70.00 earn 3        | 70
        key a quote A R 100.00 30 by C| again: quoted pay 70.00 earn 3 | 70
        key a quote A R 100.00 20 by C| key_reused                     | 70
        key b commit A R              | committed spent 30 earned 3    | 73
        sell R2 100.00                | committed earned 5             | 78
        +60                           |                                | 78
        key b commit A R              | again: committed spent 30 earned 3 | 78
        key a quote A R 100.00 30 by C| again: quoted pay 70.00 earn 3 | 78
        key c cancel R                | cancelled +30 -3               | 105
        key c cancel R                | again: cancelled +30 -3        | 105
        key c cancel R2               | key_reused                     | 105
        key b commit A R              | again: committed spent 30 earned 3 | 105
    """,
    "another key does not do the same business twice": """
        key a sell R 100.00           | committed earned 5             | 5
        key b sell R 100.00           | receipt_exists committed       | 5
        key a sell R 200.00           | key_reused                     | 5
        quote Q R 100.00 0            | receipt_exists committed       | 5
        key c cancel R                | cancelled +0 -5                | 0
        key d cancel R                | receipt_cancelled              | 0
        key e sell R 100.00           | receipt_exists cancelled       | 0
        there key a sell R 100.00     | committed earned 5             | 5
    """,
    "one quote, two commits": """
        has 100                       | given                          | 100
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 70
        key a commit A R              | committed spent 30 earned 3    | 73
        key b commit A R              | receipt_exists committed       | 73
        key c commit A R2             | invalid_receipt receipt_number differs_from_quote | 73
    """,
    "what nobody has seen": """
        cancel R                      | receipt_not_found              | 0
        commit 77 R                   | quote_not_found                | 0
        release 77                    | quote_not_found                | 0
        quote A R 100.00 0            | quoted pay 100.00 earn 5       | 0
        there commit A R              | quote_not_found                | 0
        there release A               | quote_not_found                | 0
        cancel R                      | receipt_not_found              | 0
    """,
    "an offline till tells later what has happened": """
        sell R1 100.00 ago 2d         | committed earned 5             | 5
        sell R2 100.00 ago 4d         | event_time_refused too_old 3   | 5
        sell R3 100.00 ago -4m        | committed earned 5             | 10
        sell R4 100.00 ago -6m        | event_time_refused in_the_future | 10
        cancel R1 ago 1d              | cancelled +0 -5                | 5
        cancel R3 ago 9d              | event_time_refused too_old 3   | 5
    """,
    "a sale without the quote sets its points free": """
        has 50                        | given                          | 50
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 20
        sell R 100.00                 | committed earned 5             | 55
        commit A R                    | receipt_exists committed       | 55
    """,
    "a cancel when the earned points are spent takes what there is, and forgives the rest": """
        sell R1 1000.00               | committed earned 50            | 50
        quote A R2 200.00 45          | quoted pay 155.00 earn 7       | 5
        commit A R2                   | committed spent 45 earned 7    | 12
        cancel R1                     | cancelled +0 -12               | 0
        cancel R2                     | cancelled +45 -7               | 38
    """,
    "spent points come back with their old expiry": """
        has 30 60d                    | given                          | 30
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 0
        commit A R                    | committed spent 30 earned 3    | 3
        +84960                        |                                | 3
        cancel R                      | cancelled +30 -3               | 30
        +1440                         |                                | 0
    """,
    "points that expired meanwhile come back for a week": """
        has 30 60d                    | given                          | 30
        quote A R 100.00 30           | quoted pay 70.00 earn 3        | 0
        commit A R                    | committed spent 30 earned 3    | 3
        +100000                       |                                | 3
        cancel R                      | cancelled +30 -3               | 30
        +10079                        |                                | 30
        +1                            |                                | 0
    """,
    "a receipt that moves no points": """
        sell R1 1.00                  | committed earned 0             | 0
        sell R2 0.00                  | committed earned 0             | 0
        cancel R1                     | cancelled +0 -0                | 0
    """,
    "excluded goods": """
        has 100                       | given                          | 100
        quote A R 100.00_tobacco max  | quoted pay 70.00 earn 0        | 70
        commit A R                    | committed spent 30 earned 0    | 70
        quote A R2 100.00_recipe max  | quoted pay 100.00 earn 5       | 70
        quote A R2 100.00_recipe 1    | exceeds_spending_limit 0       | 70
    """,
}


class Scene:
    """Performs the rows of a story."""

    def __init__(self, programme: Programme, clock: VirtualClock, customer: Any) -> None:
        self.programme, self.clock, self.anna = programme, clock, customer
        self.tills = {HERE: TillHand(programme, HERE), THERE: TillHand(programme, THERE)}
        self.quotes: dict[str, int] = {}
        self.cards: dict[str, str] = {}
        self.told: Any = None

    async def perform(self, deed: str) -> str:
        words = deed.split()
        if words[0].startswith("+"):
            self.clock.advance(timedelta(minutes=int(words[0])))
            return ""
        till = self.tills[THERE if words[0] == "there" else HERE]
        words = words[1:] if words[0] == "there" else words
        key, words = (words[1], words[2:]) if words[0] == "key" else (None, words)
        verb, *rest = words
        options = {name: rest[i + 1] for i, name in enumerate(rest) if name in ("by", "ago")}
        return str(await getattr(self, verb)(till, key, rest, options))

    async def has(self, _till: Any, _key: Any, words: list[str], _options: Any) -> str:
        lives = words[1:] and int(words[1].rstrip("d"))
        expiry = {"expires_at": self._micros(timedelta(days=lives))} if lives else {}
        await give(self.programme, self.anna.id, int(words[0]), **expiry)
        return "given"

    async def card(self, _till: Any, _key: Any, words: list[str], _options: Any) -> str:
        self.cards[words[0]] = await qr(self.programme, self.anna.id)
        return "drawn"

    async def quote(
        self, till: TillHand, key: str | None, words: list[str], options: dict[str, str]
    ) -> str:
        name, number, goods, spend = words[:4]
        answer = await till.quote(
            await self._code(options.get("by")),
            number,
            *goods.replace("_", " ").split("+"),
            spend="max" if spend == "max" else int(spend),
            key=key,
        )
        if isinstance(answer, QuoteAnswer):
            self.quotes[name] = answer.quote_id
        return say(answer)

    async def commit(self, till: TillHand, key: str | None, words: list[str], _options: Any) -> str:
        quote_id = self.quotes.get(words[0]) or int(words[0])
        self.told = await till.commit(quote_id, words[1], key)
        return say(self.told)

    async def sell(
        self, till: TillHand, key: str | None, words: list[str], options: dict[str, str]
    ) -> str:
        card = await self._code(options.get("by", "number"))
        at = self._ago(options)
        goods = words[1].replace("_", " ").split("+")
        self.told = await till.sell(card, words[0], *goods, key=key, at=at)
        return say(self.told).replace(" spent 0", "")

    async def cancel(
        self, till: TillHand, key: str | None, words: list[str], options: dict[str, str]
    ) -> str:
        self.told = await till.cancel(words[0], key, at=self._ago(options))
        return say(self.told)

    async def release(self, till: TillHand, _key: Any, words: list[str], _options: Any) -> str:
        quote_id = self.quotes.get(words[0]) or int(words[0])
        answer = await self.programme.checkout.release(till_id=till.till_id, quote_id=quote_id)
        return say(answer) if isinstance(answer, Refusal) else "released"

    async def available(self) -> int:
        """What she has; and what the till was just told of it is the same."""
        balance = await self.programme.ledger.balance(self.anna.id)
        assert isinstance(balance, Balance)
        if isinstance(self.told, ReceiptAnswer) and not self.told.replayed:
            told = (self.told.balance, self.told.next_expiry)
            assert told == (balance.available, balance.next_expiry)
        self.told = None
        return balance.available

    async def _code(self, name: str | None) -> str:
        if name == "number":
            return str(self.anna.card_number)
        if name == "phone":
            return str(self.anna.phone)
        if name is None:
            return await qr(self.programme, self.anna.id)
        code = self.cards[name.rstrip("!")]
        return code[:-1] + str((int(code[-1]) + 1) % 10) if name.endswith("!") else code

    def _ago(self, options: dict[str, str]) -> Any:
        if "ago" not in options:
            return None
        number, unit = int(options["ago"][:-1]), options["ago"][-1]
        return self.clock.now() - (
            timedelta(days=number) if unit == "d" else timedelta(minutes=number)
        )

    def _micros(self, delta: timedelta) -> int:
        return int((self.clock.now() + delta).timestamp()) * 1_000_000


def say(answer: Any) -> str:
    """An answer in the words of the table."""
    if isinstance(answer, Refusal):
        return " ".join([answer.code, *map(str, answer.data.values())])
    again = "again: " if answer.replayed else ""
    if isinstance(answer, QuoteAnswer):
        return f"{again}quoted pay {answer.to_pay_minor / 100:.2f} earn {answer.earn}"
    assert isinstance(answer, ReceiptAnswer)
    if answer.state == "cancelled":
        return f"{again}cancelled +{answer.returned} -{answer.taken_back}"
    return f"{again}committed spent {answer.spent} earned {answer.earned}"


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0, cancel_grace_days=7)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_story(programme: Programme, clock: VirtualClock, story: str) -> None:
    await open_shop()
    scene = Scene(programme, clock, await joined(programme))
    for row in story.strip().splitlines():
        deed, verdict, available = (cell.strip() for cell in row.split("|"))
        assert await scene.perform(deed) == verdict, row
        assert await scene.available() == int(available), row
    assert (await verify()).findings == []
