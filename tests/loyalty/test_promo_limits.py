"""The counts of promo codes against a model that knows nothing of SQL: whatever the tills do."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from app.database import database
from loyalty.clock import VirtualClock
from loyalty.customers import CustomerView
from loyalty.database import query
from loyalty.ledger import verify
from loyalty.programme import Programme, build_programme
from loyalty.promo_campaigns import Campaign
from loyalty.rules.programme import ProgrammeRules
from loyalty.rules.promo import Kind, Terms
from tests.backends import Backend
from tests.conftest import SECRET
from tests.loyalty.people import joined
from tests.loyalty.tills import TillHand, open_shop

START = datetime(2026, 1, 1, 9, tzinfo=UTC)
TOTAL, EACH, PEOPLE = 3, 2, 3
SHARED, PERSONAL = "SHARED", ("ONE1", "TWO2")
HOLD = timedelta(minutes=15)


class Model:
    """Which quote has which codes, until when, and what has become of it."""

    def __init__(self) -> None:
        self.uses: list[dict[str, Any]] = []

    def taken(self, now: Any, code: str, customer: int | None = None) -> int:
        return sum(
            use["code"] == code
            and (customer is None or use["customer"] == customer)
            and (use["state"] == "redeemed" or (use["state"] == "held" and use["until"] > now))
            for use in self.uses
        )

    def fits(self, now: Any, code: str, customer: int) -> bool:
        if code != SHARED:
            return self.taken(now, code) == 0
        return self.taken(now, code) < TOTAL and self.taken(now, code, customer) < EACH

    def of(self, number: int) -> list[dict[str, Any]]:
        return [use for use in self.uses if use["number"] == number and use["state"] == "held"]


class Tills(RuleBasedStateMachine):
    """Quotes with codes, commits, cancels, releases, replaced quotes, and time that passes."""

    backend: Backend

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()  # one context for all steps: the open database is in it
        self.url = self.backend.create()
        self.clock = VirtualClock(START)
        self.model = Model()
        self.quotes: dict[int, Any] = {}
        self.sold: dict[int, list[dict[str, Any]]] = {}
        self.numbers = 0
        self.run(self._open())

    def run(self, deed: Any) -> Any:
        return self.runner.run(deed)

    async def _open(self) -> None:
        self.house = database(self.url, migrate=False)
        await self.house.__aenter__()
        rules = ProgrammeRules(welcome_points=0)
        self.programme: Programme = build_programme(clock=self.clock, secret=SECRET, rules=rules)
        await open_shop()
        self.people: list[CustomerView] = [
            await joined(self.programme, phone=f"+7900123456{n}", front_value=str(n))
            for n in range(PEOPLE)
        ]
        shared = Terms(
            kind=Kind.POINTS, points=10, total_max=TOTAL, per_customer_max=EACH, stackable=True
        )
        await self.programme.campaigns.create("shared", "S", shared, shared_code=SHARED)
        for code in PERSONAL:
            made = await self.programme.campaigns.create(code, code, Terms(
                kind=Kind.PERCENT, permille=100, stackable=True))  # fmt: skip
            assert isinstance(made, Campaign)
            await query(
                "INSERT INTO promo_code (code, campaign_id, uses_max, taken) VALUES ($1, $2, 1, 0)",
                None, code, made.id,
            )  # fmt: skip
        self.till = TillHand(self.programme)

    @rule(
        who=st.integers(0, PEOPLE - 1),
        codes=st.sets(st.sampled_from((SHARED, *PERSONAL)), max_size=3),
        again=st.booleans(),
    )
    def quote(self, who: int, codes: set[str], *, again: bool) -> None:
        """A new sale, or (`again`) the open one of before, rung up anew."""
        if not (again and self.quotes):
            self.numbers += 1
        number, now, customer = self.numbers, self.clock.now(), self.people[who]
        if number in self.sold:
            self.numbers = number = number + 1
        for use in self.model.of(number):  # what the older quote of this sale had is hers to use
            use["state"] = "released"
        expected = {code for code in codes if self.model.fits(now, code, who)}
        listed = sorted(codes)
        quote = self.run(
            self.till.quote(customer.card_number, f"R{number}", "100.00", promo=listed)
        )
        applied = {outcome.code for outcome in quote.promos if outcome.is_applied}
        assert applied == expected
        self.quotes[number] = (quote, now + HOLD)
        self.model.uses += [
            {"code": c, "customer": who, "number": number, "state": "held", "until": now + HOLD}
            for c in applied
        ]

    @rule(pick=st.randoms(use_true_random=False))
    def commit(self, pick: Any) -> None:
        if not self.quotes:
            return
        number = pick.choice(sorted(self.quotes))
        quote, until = self.quotes.pop(number)
        receipt = self.run(self.till.commit(quote.quote_id, f"R{number}"))
        assert bool(receipt) == (until > self.clock.now())
        if receipt:
            assert receipt.promos == quote.promos
            self.sold[number] = self.model.of(number)
            for use in self.sold[number]:
                use["state"] = "redeemed"

    @rule(pick=st.randoms(use_true_random=False))
    def cancel(self, pick: Any) -> None:
        if not self.sold:
            return
        number = pick.choice(sorted(self.sold))
        self.run(self.till.cancel(f"R{number}"))
        for use in self.sold[number]:
            use["state"] = "freed"
        self.sold[number] = []

    @rule(pick=st.randoms(use_true_random=False))
    def release(self, pick: Any) -> None:
        if not self.quotes:
            return
        number = pick.choice(sorted(self.quotes))
        quote, _ = self.quotes.pop(number)
        self.run(self.programme.checkout.release(till_id=1, quote_id=quote.quote_id))
        for use in self.model.of(number):
            use["state"] = "released"

    @rule(minutes=st.integers(1, 20))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule()
    def somebody_tidies_up(self) -> None:
        self.run(self.programme.promo.tidy())

    @invariant()
    def the_limits_hold(self) -> None:
        now = self.clock.now()
        assert self.model.taken(now, SHARED) <= TOTAL
        assert all(self.model.taken(now, code) <= 1 for code in PERSONAL)

    def teardown(self) -> None:
        self.run(self._close())
        self.runner.close()
        self.backend.drop(self.url)

    async def _close(self) -> None:
        self.clock.advance(timedelta(hours=1))
        await self.programme.promo.tidy()
        redeemed = [use for use in self.model.uses if use["state"] == "redeemed"]
        rows = await query("SELECT code FROM promo_use WHERE state = 'redeemed'")
        assert sorted(row["code"] for row in rows) == sorted(use["code"] for use in redeemed)
        shared = sum(use["code"] == SHARED for use in redeemed)
        rows = await query("SELECT taken FROM promo_tally WHERE customer_id = 0")
        assert sum(row["taken"] for row in rows) == shared
        assert not (await verify()).findings
        await self.programme.stop()
        await self.house.__aexit__(None, None, None)


def _play(backend: Backend, examples: int) -> None:
    machine = type("Played", (Tills,), {"backend": backend})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_the_tills_do_on_sqlite(sqlite: Backend) -> None:
    _play(sqlite, 12)


def test_whatever_the_tills_do_on_postgres(postgres: Backend) -> None:
    _play(postgres, 5)
