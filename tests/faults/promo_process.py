"""Tills in a process of their own: `python -m tests.faults.promo_process URL HOW FIRST COUNT CODE`.

`crowd`: COUNT customers from the FIRST on ask for a quote with the code, all at once, and commit it
if the code is theirs. `work`: one after the other, and each is named as soon as it is done.
`quote`: a quote for each, and then nothing more. Starts when a line comes in on stdin.
"""

import asyncio
import sys

from app.database import database
from loyalty.checkout import Line, QuoteAnswer, ReceiptAnswer
from loyalty.clock import SystemClock
from loyalty.programme import Programme, build_programme
from loyalty.rules.programme import ProgrammeRules

SECRET = "a secret for the servers of tests, 32 bytes"
GOODS = [Line("cream", "Крем", 1000, 100_00, 100_00)]


def card(n: int) -> str:
    """The n-th customer's phone: it may earn, and it may use a code."""
    return f"+7900{n:07d}"


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def buy(programme: Programme, n: int, code: str, *, commits: bool = True) -> bool:
    """Whether the n-th customer has got the code."""
    till_id, number = 1 + n % 2, f"R{n}"
    quote = await programme.checkout.quote(
        till_id=till_id,
        key=f"quote {n}",
        card=card(n),
        receipt_number=number,
        lines=GOODS,
        spend=0,
        promo_codes=[code],
    )
    assert isinstance(quote, QuoteAnswer), quote
    has_it = quote.promos[0].is_applied
    if has_it and commits:
        receipt = await programme.checkout.commit(
            till_id=till_id, key=f"sale {n}", quote_id=quote.quote_id, receipt_number=number
        )
        assert isinstance(receipt, ReceiptAnswer), receipt
    return has_it


async def main(url: str, how: str, first: str, count: str, code: str) -> None:
    async with database(url, migrate=False, pool_max=8):
        programme = build_programme(
            clock=SystemClock(), secret=SECRET.encode(), rules=ProgrammeRules()
        )
        numbers = range(int(first), int(first) + int(count))
        say("ready")
        await asyncio.to_thread(sys.stdin.readline)
        if how == "crowd":
            got = await asyncio.gather(*(buy(programme, n, code) for n in numbers))
            say(" ".join(str(n) for n, yes in zip(numbers, got, strict=True) if yes))
        else:
            for n in numbers:
                await buy(programme, n, code, commits=how == "work")
                say(str(n))
            await asyncio.sleep(3600 if how == "quote" else 0)
        await programme.stop()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
