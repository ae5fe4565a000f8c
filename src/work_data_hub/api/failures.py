"""What goes wrong, as answers: a code and a sentence, never where in the program it happened."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import psycopg2
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg2 import errors
from starlette.responses import JSONResponse

from work_data_hub.domain.batch.refusals import Why
from work_data_hub.errors import (
    BatchError,
    ConfigError,
    InvalidPipeline,
    MalformedUrl,
    SchemaDrift,
    SinkUnavailable,
    SourceLost,
    WarehouseError,
)
from work_data_hub.log import get_logger

log = get_logger(__name__)

CODES = {Why.MISSING: 404, Why.TAKEN: 400, Why.BUSY: 409, Why.DISABLED: 409, Why.TARGET: 400, Why.RULE: 422}
_AWAY = (WarehouseError, SourceLost, psycopg2.OperationalError, psycopg2.InterfaceError)
_DRIFT = (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName, errors.UndefinedFunction)
_RETRY_SECONDS = "5"


def add_failures(app: FastAPI) -> None:
    """Make the application answer every failure as the OpenAPI document says."""
    app.add_exception_handler(405, _other_methods)
    app.add_exception_handler(RequestValidationError, _unprocessable)
    app.add_exception_handler(WarehouseError, _database)
    app.add_exception_handler(psycopg2.Error, _database)
    app.add_exception_handler(SourceLost, _database)
    app.add_exception_handler(ConfigError, _database)
    app.add_exception_handler(BatchError, _batch)
    app.add_exception_handler(Exception, _broken)


async def _other_methods(request: Request, _: Exception) -> JSONResponse:
    """Name every method of the address: each route alone knows but its own."""
    methods = _methods_at(request.scope["path"], request.app.openapi()["paths"])
    return JSONResponse({"detail": "Method Not Allowed"}, 405, {"Allow": ", ".join(methods)})


def _methods_at(path: str, described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    like = [template for template in described if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path)]
    # The address as it stands comes before one with a place for an id.
    template = path if path in like else next(iter(like), None)
    return sorted(method.upper() for method in described[template]) if template else []


async def _unprocessable(_: Request, error: Exception) -> JSONResponse:
    """One entry a field; what was sent is not sent back."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": [_field_error(entry) for entry in found]}, 422)


def _field_error(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("loc", "msg", "type")}


async def _database(request: Request, error: Exception) -> JSONResponse:
    """503 while the database is away, busy or not migrated; anything else it says is a fault of ours."""
    if isinstance(error, (SchemaDrift, *_DRIFT)):
        detail = "the database is not at the migration that this version needs; run wdh db migrate"
    elif isinstance(error, MalformedUrl):
        detail = f"the API is not set up for this: {error.field} cannot be read"
    elif isinstance(error, _AWAY):
        detail = "the database cannot be reached or is busy; try again later"
    elif isinstance(error, ConfigError):
        detail = f"the API is not set up for this: {error.message}"
    elif isinstance(error, errors.InsufficientPrivilege):
        detail = "the database does not let the API do this; wdh db roles grants what is missing"
    else:
        return await _broken(request, error)
    log.warning("api.database.failed", path=request.url.path, error=type(error).__name__)
    return JSONResponse({"detail": detail}, 503, {"Retry-After": _RETRY_SECONDS})


async def _batch(request: Request, error: Exception) -> JSONResponse:
    """What a pipeline's own rules and places say: a target is away, or something of the definition is not possible."""
    code = 503 if isinstance(error, SinkUnavailable) else 422 if isinstance(error, InvalidPipeline) else 409
    log.warning("api.pipeline.failed", path=request.url.path, error=type(error).__name__)
    return JSONResponse({"detail": error.message if isinstance(error, BatchError) else ""}, code)


async def _broken(request: Request, error: Exception) -> JSONResponse:
    """500 with an id, under which the log has the error."""
    id = str(uuid4())
    log.error("api.request.broke", id=id, method=request.method, path=request.url.path, exc_info=error)
    return JSONResponse({"detail": "internal error", "id": id}, 500)
