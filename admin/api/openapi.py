"""The OpenAPI 3.1 document of the API, made from the operations and their models."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from admin.api import models
from admin.api.json_body import BODY_BYTES_MAX
from admin.api.operation import Operation
from admin.api.operations import OPERATIONS
from admin.api.sites import SITE_OPERATIONS
from admin.problems import SENTENCES, STATUS_OF, Bad
from loyalty.refusals import No

VERSION = "1.0.0"
PREFIX = "/api/v1"
_REF = "#/components/schemas/{model}"
_JSON = "application/json"

ALL: tuple[Operation[Any], ...] = (*OPERATIONS, *SITE_OPERATIONS)
_ALWAYS = (Bad.CREDENTIALS_REQUIRED, No.API_KEY_UNKNOWN, No.TOO_MANY_REQUESTS)
_WITH_BODY = (
    Bad.MALFORMED_JSON,
    Bad.DUPLICATE_MEMBER,
    Bad.TOO_DEEP,
    Bad.NUMBER_OUT_OF_RANGE,
    Bad.INVALID_TEXT,
    Bad.BODY_TOO_LARGE,
    Bad.BODY_TOO_SLOW,
    Bad.UNSUPPORTED_MEDIA_TYPE,
    Bad.INVALID_REQUEST,
)


def refusals_of(operation: Operation[Any]) -> tuple[No | Bad, ...]:
    """Every named no that the operation can answer with."""
    with_body = _WITH_BODY if operation.request else ()
    with_query = (Bad.INVALID_REQUEST,) if operation.query and not operation.request else ()
    with_key = (Bad.IDEMPOTENCY_KEY_REQUIRED,) if operation.keyed else ()
    return (*_ALWAYS, *with_body, *with_query, *with_key, *operation.refusals)


def document() -> dict[str, Any]:
    """The whole document, ready for JSON."""
    refs, definitions = _schemas()
    paths: dict[str, Any] = {}
    for operation in ALL:
        path = paths.setdefault(PREFIX + operation.path, {})
        path[operation.method.lower()] = _operation(operation, refs)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kapsula API",
            "version": VERSION,
            "description": "Points at the till: who is it, what may be spent, record the sale; and "
            "what happens on the shop's site. "
            "Money is in minor units, points are whole, ids are strings.",
        },
        "servers": [{"url": "/"}],
        "security": [{"till_key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "till_key": {"type": "http", "scheme": "bearer"},
                "site_key": {"type": "http", "scheme": "bearer"},
            },
            "schemas": definitions,
        },
    }


def _schemas() -> tuple[dict[Any, Any], dict[str, Any]]:
    wanted: list[Any] = [(models.ProblemOut, "serialization")]
    for operation in ALL:
        wanted.append((operation.response, "serialization"))
        if operation.request is not None:
            wanted.append((operation.request, "validation"))
    unique = list(dict.fromkeys(wanted))
    refs, schema = models_json_schema(unique, ref_template=_REF)
    return refs, schema["$defs"]


def _operation(operation: Operation[Any], refs: dict[Any, Any]) -> dict[str, Any]:
    description: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.description,
        "security": [{"site_key" if operation in SITE_OPERATIONS else "till_key": []}],
        "parameters": _parameters(operation),
        "responses": _responses(operation, refs),
    }
    if operation.request is not None:
        description["requestBody"] = {
            "required": True,
            "description": f"At most {BODY_BYTES_MAX} bytes; unknown members are refused.",
            "content": {_JSON: {"schema": refs[(operation.request, "validation")]}},
        }
    return description


_PATH_SCHEMAS = {
    "id": TypeAdapter(models.Id).json_schema(),
    "number": TypeAdapter(models.ReceiptNumber).json_schema(),
}


def _parameters(operation: Operation[Any]) -> list[dict[str, Any]]:
    path = [
        {"name": name, "in": "path", "required": True, "schema": schema}
        for name, schema in _PATH_SCHEMAS.items()
        if f"{{{name}}}" in operation.path
    ]
    path += _query_parameters(operation)
    if not operation.keyed:
        return path
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "New for each command, the same for each repeat of it.",
        "schema": TypeAdapter(models.IdempotencyKey).json_schema(),
    }
    return [*path, key]


def _query_parameters(operation: Operation[Any]) -> list[dict[str, Any]]:
    if operation.query is None:
        return []
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in operation.query.model_json_schema()["properties"].items()
    ]


def _responses(operation: Operation[Any], refs: dict[Any, Any]) -> dict[str, Any]:
    ok: dict[str, Any] = {
        "description": "Done",
        "content": {_JSON: {"schema": refs[(operation.response, "serialization")]}},
    }
    if operation.keyed:
        ok["headers"] = {
            "Idempotency-Replayed": {
                "description": "true: this key had been answered before, and so it is again",
                "schema": {"const": "true"},
            }
        }
    responses: dict[str, Any] = {"200": ok}
    by_status: dict[str, list[No | Bad]] = {}
    for code in refusals_of(operation):
        by_status.setdefault(str(int(STATUS_OF[code])), []).append(code)
    problem = {"schema": refs[(models.ProblemOut, "serialization")]}
    for status, codes in sorted(by_status.items()):
        responses[status] = {
            "description": "\n".join(f"`{code}`: {SENTENCES[code]}" for code in codes),
            "content": {"application/problem+json": problem},
        }
    return responses
