"""What an operation of the till API is: who asks for it, with what, and what is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from loyalty.programme import Programme
from loyalty.refusals import No, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """For whom an operation runs. `device` and `address` are what wrong codes are counted by."""

    till_id: int
    staff_id: int | None
    device: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, checked: `body` is of the operation's `request` model, `path` its variables,
    `query` what stood behind the question mark, of its `query` model, `language` that of whoever
    reads the answer."""

    caller: Caller
    key: str
    path: Mapping[str, str]
    body: Any
    query: Any = None
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Done:
    """The answer; `replayed` when the same key had been answered before."""

    body: BaseModel
    replayed: bool = False


Run = Callable[[Programme, Ask], Awaitable[Done | Refusal]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One thing to ask. `keyed`: it writes, so it wants an Idempotency-Key."""

    name: str
    method: str
    path: str
    summary: str
    description: str
    request: type[BaseModel] | None
    response: type[BaseModel]
    keyed: bool
    refusals: tuple[No, ...]
    run: Run
    query: type[BaseModel] | None = None
