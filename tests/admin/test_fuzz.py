"""The API against its own OpenAPI document: invented requests, right and wrong ones.

Whatever comes, the answer is one that the document promises, never a 5xx; and a 4xx leaves no row.
"""

import asyncio
import contextvars
import json
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import jsonschema_rs
import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core import NotSet
from schemathesis.generation import GenerationMode

from admin.api.openapi import ALL, document
from admin.api.sites import SITE_OPERATIONS
from app.database import database
from loyalty.clock import VirtualClock
from loyalty.programme import build_programme
from loyalty.rules.programme import ProgrammeRules
from loyalty.sites import NewKeys
from tests.admin.http import Client, TillProgram, api_key, sale, serving
from tests.admin.people import SECRET, open_chain
from tests.admin.test_bad_input import rows_written
from tests.loyalty.people import ANNA, joined

T = TypeVar("T")
DOCUMENT = document()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)


KNOWN_NUMBERS = ("SOLD", "TO-CANCEL")


class Laboratory:
    """A server on SQLite that outlives the examples; `run` steps into its event loop."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._context = contextvars.copy_context()
        self._stack = AsyncExitStack()
        self.client: Client
        self.run(self._open(folder))

    def run(self, step: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(step, context=self._context)

    async def _open(self, folder: Path) -> None:
        enter = self._stack.enter_async_context
        await enter(database(f"sqlite://{folder / 'fuzz.sqlite3'}"))
        clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        self._stack.push_async_callback(programme.stop)
        chain = await open_chain(clock)
        await joined(programme)
        self.client = await enter(serving(programme, clock))
        self.key = await api_key(clock, chain.garden_1.id)
        keys = await programme.sites.add("shop", ["https://shop.example"])
        assert isinstance(keys, NewKeys)
        self.site_key = keys.secret
        till = TillProgram(self.client, self.key)
        for number in KNOWN_NUMBERS:
            assert (await till.post("/receipts", sale(number, card=ANNA))).status == 200

    def close(self) -> None:
        self.run(self._stack.aclose())
        self._runner.close()

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: object
    ) -> tuple[int, str, Any]:
        of_site = any(path.startswith(f"/api/v1{told.path}") for told in SITE_OPERATIONS)
        key = self.site_key if of_site else self.key
        fixed = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        raw = body if isinstance(body, bytes | NotSet) else json.dumps(body).encode()
        data = None if isinstance(raw, NotSet) else raw
        response = await self.client.request(method, path, headers=headers | fixed, data=data)
        return response.status, response.content_type, await response.json()


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    laboratory = Laboratory(tmp_path_factory.mktemp("fuzz"))
    yield laboratory
    laboratory.close()


def promised(method: str, path: str, status: int, content_type: str) -> dict[str, Any]:
    """The schema that the document promises for an answer; a KeyError is a broken promise."""
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    schema: dict[str, Any] = responses[str(status)]["content"][content_type]["schema"]
    return schema | {"components": DOCUMENT["components"]}


CASES = [
    (operation.method, "/api/v1" + operation.path, mode)
    for operation in ALL
    for mode in GenerationMode
]


@pytest.mark.parametrize(
    ("method", "path", "mode"), CASES, ids=[f"{m} {p} {mode.value}" for m, p, mode in CASES]
)
def test_every_answer_is_one_that_the_document_promises(
    laboratory: Laboratory, method: str, path: str, mode: GenerationMode
) -> None:
    strategy = SCHEMA[path][method].as_strategy(generation_mode=mode)

    @settings(
        max_examples=40,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(strategy, st.booleans())
    def check(case: Any, known: bool) -> None:
        body = case.body
        if known and isinstance(body, dict) and "card" in body:
            body = body | {"card": ANNA}
        if known and "{number}" in path:
            case.path_parameters = {"number": KNOWN_NUMBERS[path.endswith("cancel")]}
        headers = {k: v for k, v in (case.headers or {}).items() if is_header(v)}
        before = laboratory.run(rows_written())
        address = f"{case.formatted_path}?{urlencode(case.query or {}, doseq=True)}"
        step = laboratory.send(method, address, headers, body)
        status, content_type, answer = laboratory.run(step)
        assert status < 500, answer
        if status == 404 and answer["code"] == "not_found":
            return  # the invented path variable made it another address
        if status != 405:
            jsonschema_rs.validate(promised(method, path, status, content_type), answer)
        if status >= 400:
            assert laboratory.run(rows_written()) == before

    check()


def is_header(value: object) -> bool:
    """Whether a client can send it at all: no line breaks, Latin-1."""
    text = str(value)
    return text.isprintable() and all(ord(letter) < 256 for letter in text)


def test_the_document_is_valid_and_names_every_operation() -> None:
    jsonschema_rs.meta.validate(
        {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        | {"$defs": DOCUMENT["components"]["schemas"]}
    )
    assert DOCUMENT["openapi"] == "3.1.0"
    ids = {
        operation["operationId"]
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
    }
    assert ids == {operation.name for operation in ALL}


async def test_the_document_is_served(tmp_path: Path) -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    async with database(f"sqlite://{tmp_path / 'x.sqlite3'}"):
        programme = build_programme(clock=clock, secret=SECRET, rules=ProgrammeRules())
        async with serving(programme, clock) as client:
            response = await client.get("/api/v1/openapi.json")
            assert isinstance(client.app, web.Application)
            assert await response.json() == DOCUMENT
        await programme.stop()
