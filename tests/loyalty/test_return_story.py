"""Returns as their specification: what comes back, what the till is told, what she has afterwards.

Rows are those of `test_checkout_story`. Goods of a sale may be several, `3x300.00+50.00_tobacco`.

    return B of R 1:2 3:0.5  two units of line 1 and half a unit of line 3 come back as return B
    return B of R            all that is left;  `1`: all that is left of line 1
    … at till T, at shop S   where R was sold, when it was not here
    rules clawback=… days=…  the owner sets other rules
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from loyalty.checkout import Back, ReturnAnswer, SoldAt
from loyalty.clock import VirtualClock
from loyalty.database import query
from loyalty.ledger import Balance
from loyalty.ledger.verify import verify
from loyalty.programme import Programme
from loyalty.programme_document import ProgrammeDocument
from loyalty.refusals import Refusal
from loyalty.rules.commands import Clawback
from loyalty.rules.programme import ProgrammeRules
from tests.loyalty.people import joined
from tests.loyalty.test_checkout_story import Scene, say
from tests.loyalty.tills import TillHand, open_shop

STORIES = {
    "a part, and then the rest": """
        has 100                              | given                                         | 100
        quote Q R 3x300.00 90                | quoted pay 210.00 earn 10                     | 10
        commit Q R                           | committed spent 90 earned 10                  | 20
        return B1 of R 1:1                   | back 100.00 pay 70.00 +30 -4                  | 46
        return B2 of R 1:1                   | back 100.00 pay 70.00 +30 -3                  | 73
        return B3 of R                       | back 100.00 pay 70.00 +30 -3 all              | 100
        return B4 of R                       | already_returned                              | 100
    """,
    "all of it at once": """
        has 100                              | given                                         | 100
        quote Q R 3x300.00+2x100.00 100      | quoted pay 300.00 earn 15                     | 0
        commit Q R                           | committed spent 100 earned 15                 | 15
        return B of R                        | back 400.00 pay 300.00 +100 -15 all           | 100
    """,
    "line by line, in any order, by halves": """
        sell R 3x300+2x100_tobacco+1.5x90    | committed earned 19                           | 19
        return B1 of R 3:0.5 1:2             | back 230.00 pay 230.00 +0 -12                 | 7
        return B2 of R 2                     | back 100.00 pay 100.00 +0 -0                  | 7
        return B3 of R 1                     | back 100.00 pay 100.00 +0 -5                  | 2
        return B4 of R 3:1                   | back 60.00 pay 60.00 +0 -2 all                | 0
    """,
    "what cannot come back": """
        sell R 3x300.00+2x100.00             | committed earned 20                           | 20
        return B of R 3:1                    | unknown_line lines[0].line 2                  | 20
        return B of R 1:1 1:1                | invalid_receipt lines[1].line repeated        | 20
        return B of R 1:4                    | exceeds_quantity lines[0].quantity_milli 3000 | 20
        return B of R 1:2                    | back 200.00 pay 200.00 +0 -10                 | 10
        return C of R 2:1 1:2                | exceeds_quantity lines[1].quantity_milli 1000 | 10
        return C of X                        | receipt_not_found                             | 10
    """,
    "a return number is used once at a till": """
        sell R 3x300.00                      | committed earned 15                           | 15
        return B of R 1:1                    | back 100.00 pay 100.00 +0 -5                  | 10
        return B of R 1:1                    | return_exists                                 | 10
        there return B of R 1:1              | receipt_not_found                             | 10
        there return B of R 1:1 at till t1   | back 100.00 pay 100.00 +0 -5                  | 5
    """,
    "a repeated key gets the first answer": """
        sell R 3x300.00                      | committed earned 15                           | 15
        key a return B of R 1:1              | back 100.00 pay 100.00 +0 -5                  | 10
        key a return B of R 1:1              | again: back 100.00 pay 100.00 +0 -5           | 10
        key a return B of R 1:2              | key_reused                                    | 10
        key a return B of R 1:1 at till t1   | key_reused                                    | 10
        key b return C of R                  | back 200.00 pay 200.00 +0 -10 all             | 0
        key b return C of R                  | again: back 200.00 pay 200.00 +0 -10 all      | 0
        key a return B of R 1:1              | again: back 100.00 pay 100.00 +0 -5           | 0
    """,
    "at another till of the chain": """
        sell R 2x200.00                      | committed earned 10                           | 10
        there sell R2 100.00                 | committed earned 5                            | 15
        there return B of R                  | receipt_not_found                             | 15
        there return B of R at till nowhere  | receipt_not_found                             | 15
        there return B of R at shop s1       | back 200.00 pay 200.00 +0 -10 all             | 5
        return B of R2 at till t2            | back 100.00 pay 100.00 +0 -5 all              | 0
    """,
    "a number of several tills of a shop": """
        sell R 100.00                        | committed earned 5                            | 5
        there sell R 200.00                  | committed earned 10                           | 15
        return B of R at shop s1             | receipt_ambiguous                             | 15
        return B of R at till t2             | back 200.00 pay 200.00 +0 -10 all             | 5
    """,
    "a cancel and a return exclude each other": """
        sell R1 2x200.00                     | committed earned 10                           | 10
        sell R2 2x200.00                     | committed earned 10                           | 20
        cancel R1                            | cancelled +0 -10                              | 10
        return B of R1                       | receipt_cancelled                             | 10
        return B of R2 1:1                   | back 100.00 pay 100.00 +0 -5                  | 5
        cancel R2                            | receipt_has_returns                           | 5
        return C of R2                       | back 100.00 pay 100.00 +0 -5 all              | 0
        cancel R2                            | receipt_has_returns                           | 0
        sell R2 100.00                       | receipt_exists returned                       | 0
    """,
    "too old": """
        rules days=14
        sell R 2x200.00                      | committed earned 10                           | 10
        +20160                               |                                               | 10
        return B of R 1:1                    | back 100.00 pay 100.00 +0 -5                  | 5
        +1                                   |                                               | 5
        return C of R                        | return_too_old 14                             | 5
    """,
    "spent points come back with their old expiry": """
        has 60 60d                           | given                                         | 60
        quote Q R 2x200.00 60                | quoted pay 140.00 earn 7                      | 0
        commit Q R                           | committed spent 60 earned 7                   | 7
        +84960                               |                                               | 7
        return B of R 1:1                    | back 100.00 pay 70.00 +30 -4                  | 33
        +1440                                |                                               | 3
    """,
    "points that expired meanwhile come back for a week, and only once": """
        has 60 60d                           | given                                         | 60
        quote Q R 2x200.00 60                | quoted pay 140.00 earn 7                      | 0
        commit Q R                           | committed spent 60 earned 7                   | 7
        +86400                               |                                               | 7
        return B of R 1:1                    | back 100.00 pay 70.00 +30 -4                  | 33
        quote Q R2 100.00 30                 | quoted pay 70.00 earn 3                       | 3
        commit Q R2                          | committed spent 30 earned 3                   | 6
        +10080                               |                                               | 6
        return C of R2                       | back 100.00 pay 70.00 +30 -3 all              | 3
        return D of R                        | back 100.00 pay 70.00 +30 -3 all              | 30
        +10080                               |                                               | 0
    """,
    "points spent meanwhile: the policy forgives": """
        sell R 2x2000.00                     | committed earned 100                          | 100
        quote Q R2 400.00 90                 | quoted pay 310.00 earn 15                     | 10
        commit Q R2                          | committed spent 90 earned 15                  | 25
        return B of R 1:1                    | back 1000.00 pay 1000.00 +0 -25 forgiven 25   | 0
        return C of R                        | back 1000.00 pay 1000.00 +0 -0 forgiven 50 all | 0
        return D of R2                       | back 400.00 pay 310.00 +90 -15 all            | 75
    """,
    "points spent meanwhile: the policy remembers": """
        rules clawback=allow_deficit
        sell R 2x2000.00                     | committed earned 100                          | 100
        quote Q R2 400.00 90                 | quoted pay 310.00 earn 15                     | 10
        commit Q R2                          | committed spent 90 earned 15                  | 25
        return B of R 1:1                    | back 1000.00 pay 1000.00 +0 -50               | -25
        sell R3 200.00                       | committed earned 10                           | -15
        return C of R                        | back 1000.00 pay 1000.00 +0 -50 all           | -65
        return D of R2                       | back 400.00 pay 310.00 +90 -15 all            | 10
    """,
    "points spent meanwhile: the policy takes only what is pending": """
        rules clawback=only_pending pending=2
        sell R 2x200.00                      | committed earned 10                           | 0
        return B of R 1:1                    | back 100.00 pay 100.00 +0 -5                  | 0
        +2880                                |                                               | 5
        return C of R                        | back 100.00 pay 100.00 +0 -0 forgiven 5 all   | 5
    """,
    "a receipt that moves no points": """
        sell R 2x1.00                        | committed earned 0                            | 0
        return B of R 1:1                    | back 0.50 pay 0.50 +0 -0                      | 0
        return C of R                        | back 0.50 pay 0.50 +0 -0 all                  | 0
        sell Z 0.00                          | committed earned 0                            | 0
        return D of Z                        | back 0.00 pay 0.00 +0 -0 all                  | 0
    """,
    "wholly paid with points": """
        rules percent=100 cash=0
        has 100                              | given                                         | 100
        quote Q R 3x100.00 100               | quoted pay 0.00 earn 0                        | 0
        commit Q R                           | committed spent 100 earned 0                  | 0
        return B of R 1:1                    | back 33.33 pay 0.00 +33 -0                    | 33
        return C of R                        | back 66.67 pay 0.00 +67 -0 all                | 100
    """,
    "the rate of the sale, whatever the rules are now": """
        has 100                              | given                                         | 100
        quote Q R 2x200.00 60                | quoted pay 140.00 earn 7                      | 40
        commit Q R                           | committed spent 60 earned 7                   | 47
        rules permille=500 percent=1
        return B of R 1:1                    | back 100.00 pay 70.00 +30 -4                  | 73
        return C of R                        | back 100.00 pay 70.00 +30 -3 all              | 100
    """,
}


class ReturnScene(Scene):
    """Also takes goods back, and lets the owner change the rules."""

    async def rules(self, _till: Any, _key: Any, words: list[str], _options: Any) -> str:
        names = {
            "clawback": ("cancel_clawback", Clawback),
            "days": ("return_days_max", int),
            "pending": ("points_pending_days", int),
            "percent": ("spend_percent_max", int),
            "cash": ("cash_min_minor", int),
            "permille": ("earn_permille", int),
        }
        changes = dict(word.split("=") for word in words)
        rules = {names[name][0]: names[name][1](value) for name, value in changes.items()}
        book = self.programme.book
        document = ProgrammeDocument.of(replace(book.rules, **rules))
        saved = await book.save(document, by="owner", comment="the story wants it")
        assert not isinstance(saved, Refusal)
        return ""

    async def take_back(
        self, till: TillHand, key: str | None, words: list[str], _options: Any
    ) -> str:
        words, _, place = (part.split() for part in " ".join(words).partition(" at "))
        return_number, _, number, *goods = words
        lines = [_back(each) for each in goods] or None
        sold_at = {place[0]: place[1]} if place else {}
        quoted = await self.programme.checkout.quote_return(
            till_id=till.till_id, receipt_number=number, lines=lines, sold_at=SoldAt(**sold_at)
        )
        answer = await till.take_back(number, return_number, lines, key=key, **sold_at)
        if isinstance(answer, ReturnAnswer) and not answer.replayed:
            assert not isinstance(quoted, Refusal)
            assert quoted.moves == answer.moves, "what was promised is what happened"
            await self._told_the_truth(answer)
        return say_return(answer)

    async def _told_the_truth(self, answer: ReturnAnswer) -> None:
        balance = await self.programme.ledger.balance(self.anna.id)
        assert isinstance(balance, Balance)
        told = (answer.moves.balance, answer.moves.next_expiry)
        assert told == (balance.available, balance.next_expiry)


def _back(text: str) -> Back:
    line, _, quantity = text.partition(":")
    return Back(int(line), int(Fraction(quantity) * 1000) if quantity else None)


def say_return(answer: Any) -> str:
    if isinstance(answer, Refusal):
        return say(answer)
    moves = answer.moves
    goods, money = f"{moves.amount_minor / 100:.2f}", f"{moves.refund_minor / 100:.2f}"
    words = [f"back {goods} pay {money} +{moves.given_back} -{moves.taken_back}"]
    words += [f"forgiven {moves.forgiven}"] if moves.forgiven else []
    words += ["all"] if moves.is_whole else []
    return ("again: " if answer.replayed else "") + " ".join(words)


setattr(ReturnScene, "return", ReturnScene.take_back)  # a verb of the table, a word of Python


@pytest.fixture
def rules() -> ProgrammeRules:
    return ProgrammeRules(welcome_points=0, cancel_grace_days=7)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_story(programme: Programme, clock: VirtualClock, story: str) -> None:
    await tell(programme, clock, story)


async def tell(programme: Programme, clock: VirtualClock, story: str) -> None:
    """Perform a story on an empty database; an AssertionError names the row that is not so."""
    await open_shop()
    scene = ReturnScene(programme, clock, await joined(programme))
    for row in story.strip().splitlines():
        deed, *seen = (cell.strip() for cell in row.split("|"))
        told = await scene.perform(deed)
        if seen:
            verdict, available = seen
            assert told == verdict, row
            assert await scene.available() == int(available), row
    assert (await verify()).findings == []
    await nothing_is_left_over()


async def nothing_is_left_over() -> None:
    """The rows of receipts, lines and returns tell one story."""
    rows = await query(
        "SELECT r.id, r.state, r.returns, r.goods_back_minor, r.total_minor, "
        "COUNT(b.id) AS n, COALESCE(SUM(b.amount_minor), 0) AS amount, "
        "(SELECT COALESCE(SUM(l.quantity_milli - l.returned_milli), 0) FROM receipt_line AS l "
        " WHERE l.receipt_id = r.id) AS left_milli "
        "FROM receipt AS r LEFT JOIN receipt_return AS b ON b.receipt_id = r.id "
        "GROUP BY r.id, r.state, r.returns, r.goods_back_minor, r.total_minor"
    )
    for row in rows:
        assert (row["returns"], row["goods_back_minor"]) == (row["n"], row["amount"])
        assert (row["state"] == "returned") == (row["left_milli"] == 0)
    lines = await query(
        "SELECT l.returned_milli, COALESCE(SUM(b.quantity_milli), 0) AS came FROM receipt_line AS l"
        " LEFT JOIN receipt_return_line AS b ON b.line_id = l.id GROUP BY l.id, l.returned_milli"
    )
    assert all(line["returned_milli"] == line["came"] for line in lines)
