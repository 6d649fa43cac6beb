"""One HTTP request to one operation and back: who asks, is it well-formed, run it, say it.

Used twice: by the till API (a key lets in) and by the till page (a session lets in).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar, get_args

import structlog
from aiohttp import web
from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError

from admin import problems
from admin.api.json_body import read_json
from admin.api.models import Id, IdempotencyKey, ReceiptNumber
from admin.api.operation import Ask, C, Done, Operation
from admin.problems import Bad, FieldError, Problem
from loyalty.programme import Programme
from loyalty.refusals import No, Refusal
from loyalty.rules.site_events import Kind

log = structlog.get_logger(__name__)

_Model = TypeVar("_Model", bound=BaseModel)
C_co = TypeVar("C_co", covariant=True)
FIELD_ERRORS_MAX = 50
NAME_LENGTH_MAX = 64
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_IDEMPOTENCY_KEY: TypeAdapter[str] = TypeAdapter(IdempotencyKey)
_PATH_VARIABLES: dict[str, tuple[TypeAdapter[str], No]] = {
    "id": (TypeAdapter(Id), No.QUOTE_NOT_FOUND),
    "number": (TypeAdapter(ReceiptNumber), No.RECEIPT_NOT_FOUND),
}
# Members of unions, which pydantic names in an error as if they were places.
_UNION_TAGS = {("constrained-int",), ("int",), ("literal['max']",)}

_ITEM_TAGS = frozenset(get_args(Kind))
"""Likewise, of the items of lists: no item has a member of such a name."""


class Door(Protocol[C_co]):
    """Whoever decides about entry: by API key, by session, by the key of a site."""

    async def admit(self, request: web.Request) -> C_co | Problem: ...

    def language(self, request: web.Request) -> str: ...


def handler(programme: Programme, operation: Operation[C], door: Door[C]) -> Handler:
    """The aiohttp handler of an operation behind a door."""

    async def handle(request: web.Request) -> web.StreamResponse:
        answer = await _answer(request)
        if isinstance(answer, Problem):
            return problems.response(answer, language=door.language(request), instance=request.path)
        return _success(answer)

    async def _answer(request: web.Request) -> Done | Problem:
        caller = await door.admit(request)
        if isinstance(caller, Problem):
            return caller
        ask = await _read(operation, request, caller, door.language(request))
        if isinstance(ask, Problem):
            return ask
        done = await operation.run(programme, ask)
        return problems.of_refusal(done) if isinstance(done, Refusal) else done

    return guarded(handle, door)


def guarded(handle: Handler, door: Door[Any]) -> Handler:
    """Turn a bug into an answer without a stack trace, and into a log line with one."""

    async def guard(request: web.Request) -> web.StreamResponse:
        try:
            return await handle(request)
        except web.HTTPException:
            raise
        except Exception:
            log.exception("request_failed", method=request.method, path=request.path)
            return problems.response(Problem(Bad.INTERNAL_ERROR), language=door.language(request))

    return guard


def _success(done: Done) -> web.Response:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    if done.replayed:
        headers["Idempotency-Replayed"] = "true"
    return web.Response(body=done.body.model_dump_json().encode(), headers=headers)


async def _read(
    operation: Operation[C], request: web.Request, caller: C, language: str
) -> Ask[C] | Problem:
    path = _path_variables(request)
    if isinstance(path, Problem):
        return path
    key = request.headers.get("Idempotency-Key", "")
    if operation.keyed and not _fits(_IDEMPOTENCY_KEY, key):
        return Problem(Bad.IDEMPOTENCY_KEY_REQUIRED, "8 to 128 visible ASCII characters.")
    body = None
    if operation.request is not None:
        body = await read_model(request, operation.request)
        if isinstance(body, Problem):
            return body
    query = None
    if operation.query is not None:
        query = _read_query(request, operation.query)
        if isinstance(query, Problem):
            return query
    return Ask(caller=caller, key=key, path=path, body=body, query=query, language=language)


def _read_query(request: web.Request, model: type[BaseModel]) -> BaseModel | Problem:
    try:
        return model.model_validate(dict(request.query))
    except ValidationError as error:
        return invalid_request(error)


def _path_variables(request: web.Request) -> dict[str, str] | Problem:
    """A name that no receipt or quote could have is not found, like any that does not exist."""
    for name, value in request.match_info.items():
        adapter, not_found = _PATH_VARIABLES[name]
        if not _fits(adapter, value):
            return Problem(not_found)
    return dict(request.match_info)


def _fits(adapter: TypeAdapter[str], value: str) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


async def read_model(request: web.Request, model: type[_Model]) -> _Model | Problem:
    """The body as `model`, or every wrong field of it."""
    value = await read_json(request)
    if isinstance(value, Problem):
        return value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        return invalid_request(error, tagged=issubclass(model, RootModel))


def invalid_request(error: ValidationError, *, tagged: bool = False) -> Problem:
    """The wrong fields with their JSON pointers, without repeating what was sent."""
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return Problem(
        Bad.INVALID_REQUEST,
        errors=[
            FieldError(_pointer(detail["loc"][tagged:]), detail["type"], detail["msg"])
            for detail in details[:FIELD_ERRORS_MAX]
        ],
    )


def _pointer(place: tuple[int | str, ...]) -> str:
    if place[-1:] in _UNION_TAGS and len(place) > 1:
        place = place[:-1]
    place = tuple(
        step
        for before, step in zip((None, *place), place, strict=False)
        if not (isinstance(before, int) and step in _ITEM_TAGS)
    )
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    return "".join(f"/{step[:NAME_LENGTH_MAX]}" for step in steps)
