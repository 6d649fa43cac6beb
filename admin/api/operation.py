"""What an operation of the API is: who asks for it, with what, and what is answered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from loyalty.programme import Programme
from loyalty.refusals import No, Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The till that asks. `device` and `address` are what wrong codes are counted by."""

    till_id: int
    staff_id: int | None
    device: str
    address: str = ""


C = TypeVar("C")
"""Who asks: a till's `Caller`, or a site."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask(Generic[C]):
    """One request, checked: `body` is of the operation's `request` model, `path` its variables,
    `query` what stood behind the question mark, of its `query` model, `language` that of whoever
    reads the answer."""

    caller: C
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[C]):
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
    run: Callable[[Programme, Ask[C]], Awaitable[Done | Refusal]]
    query: type[BaseModel] | None = None
