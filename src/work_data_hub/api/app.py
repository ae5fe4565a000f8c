"""The application: routes, guards and failures put together for one place."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from pydantic import SecretStr

from work_data_hub import __version__
from work_data_hub.api.batch_routes import Asked
from work_data_hub.api.batch_routes import router as pipelines
from work_data_hub.api.failures import add_failures
from work_data_hub.api.front import Front
from work_data_hub.api.guards import Guards, RateLimit
from work_data_hub.api.messages import BrokenOut, ErrorOut, HealthOut, UnprocessableOut
from work_data_hub.orchestration.batch_metrics import CONTENT_TYPE
from work_data_hub.orchestration.batch_place import BatchPlace

_BASE = "/api/v1"
_ANYWHERE: dict[int | str, dict[str, Any]] = {
    401: {"model": ErrorOut, "description": "The bearer token is missing or wrong"},
    403: {"model": ErrorOut, "description": "Without a token only this machine may ask"},
    413: {"model": ErrorOut, "description": "The body is too large"},
    429: {"model": ErrorOut, "description": "Too many requests; Retry-After says when to come back"},
    500: {"model": BrokenOut, "description": "A fault of the program"},
    503: {"model": ErrorOut, "description": "The database cannot be reached or is busy"},
}
_UNPROCESSABLE: dict[int | str, dict[str, Any]] = {
    422: {"model": UnprocessableOut, "description": "A field or a rule is broken"}
}

_open = APIRouter(tags=["health"])
_closed = APIRouter(tags=["metrics"])


@_open.get("/health", response_model=HealthOut, name="health")
@_open.get(f"{_BASE}/health", response_model=HealthOut, name="health_of_version")
def health(front: Asked) -> Any:
    """Whether the API answers and reaches its database; needs no token."""
    front.prove_alive()
    return {"status": "ok"}


@_closed.get("/metrics", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
def metrics(front: Asked) -> Response:
    """How all pipelines and runners stand, as Prometheus reads it."""
    return Response(front.metrics(), media_type=CONTENT_TYPE)


def create_app(place: BatchPlace, *, token: SecretStr | None, requests_per_minute: int) -> FastAPI:
    """The control plane of one place; without a token it must listen on this machine only.

    It connects when it is asked for the first time, and closes its connections when it is shut down.
    """
    front = Front(place)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        front.close()

    app = FastAPI(
        title="WorkDataHub pipelines",
        version=__version__,
        description="Declares batch pipelines and requests their runs; a runner executes them.",
        lifespan=lifespan,
        redoc_url=None,
        responses=_ANYWHERE,
        generate_unique_id_function=_name_of,
    )
    app.state.front = front
    locks = [Security(HTTPBearer(auto_error=False))] if token is not None else []
    app.include_router(_open)
    app.include_router(_closed, dependencies=locks)
    app.include_router(pipelines, prefix=_BASE, dependencies=locks, responses=_UNPROCESSABLE)
    add_failures(app)
    app.add_middleware(Guards, token=token, limit=RateLimit(requests_per_minute))
    return app


def _name_of(route: APIRoute) -> str:
    return route.name
