"""The routes of batch pipelines: declare, request, look. Each is one question to the desk."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request

from work_data_hub.api.front import Front
from work_data_hub.api.messages import (
    BatchOut,
    DeadLetterOut,
    ErrorOut,
    EventOut,
    PipelineChangedOut,
    PipelineCreate,
    PipelineOut,
    PipelineRunOut,
    PipelineUpdate,
    ProblemsOut,
    ReplayIn,
    ReplayRequestedOut,
    StateIn,
    StateOut,
    TaskOut,
    Tasks,
)
from work_data_hub.domain.batch.run import Cursor as Place

router = APIRouter(prefix="/pipelines", tags=["pipelines"])

_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": ErrorOut, "description": "There is no such pipeline"}}
_BUSY: dict[int | str, dict[str, Any]] = {409: {"model": ErrorOut, "description": "Not while it is in this state"}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorOut, "description": "The target is not allowed, the name is taken, or the body is no JSON"}
}
_CHANGE = _REFUSED | _NOT_FOUND | _BUSY


async def front_of(request: Request) -> Front:
    """The application's front; asynchronous, so that it costs no thread."""
    front: Front = request.app.state.front
    return front


Asked = Annotated[Front, Depends(front_of)]
Limit = Annotated[int, Query(ge=1, le=500)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=200,
        pattern="^[!-~]+$",
        description="Given twice for a pipeline, it asks for one run only.",
    ),
]


@router.get("", response_model=list[PipelineOut])
def list_pipelines(
    front: Asked, name: Annotated[str | None, Query(max_length=64, pattern="^[A-Za-z0-9_-]*$")] = None
) -> Any:
    """All pipelines by name, or the one of a name."""
    return front.ask(lambda desk: desk.pipelines(name=name))


@router.post(
    "", status_code=201, response_model=PipelineChangedOut, response_model_exclude_unset=True, responses=_REFUSED
)
def create_pipeline(front: Asked, pipeline: PipelineCreate) -> Any:
    """A new pipeline, idle. Its query is prepared, not run, to see its columns."""
    return front.ask(lambda desk: desk.create(pipeline.model_dump()))


@router.post("/validate", response_model=ProblemsOut, responses={400: _REFUSED[400]})
def validate_pipeline(front: Asked, pipeline: PipelineCreate) -> Any:
    """Every rule that the definition breaks; nothing is created."""
    found = front.ask(lambda desk: desk.problems(pipeline.model_dump()))
    return {"problems": [{"field": problem.field, "message": problem.message} for problem in found]}


@router.api_route("/validate", methods=["GET", "PATCH"], include_in_schema=False)
async def refuse_other_methods() -> None:
    """Or `validate` would be taken for the id of a pipeline."""
    raise HTTPException(405)


@router.get("/{pipeline_id}", response_model=PipelineOut, responses=_NOT_FOUND)
def get_pipeline(front: Asked, pipeline_id: UUID) -> Any:
    """One pipeline."""
    return front.ask(lambda desk: desk.pipeline(pipeline_id))


@router.patch("/{pipeline_id}", response_model=PipelineChangedOut, response_model_exclude_unset=True, responses=_CHANGE)
def change_pipeline(front: Asked, pipeline_id: UUID, changes: PipelineUpdate) -> Any:
    """The pipeline with these fields given anew; the whole must keep every rule, and nothing may run."""
    return front.ask(lambda desk: desk.change(pipeline_id, changes.model_dump(exclude_unset=True)))


@router.post("/{pipeline_id}/run", response_model=PipelineOut, responses=_NOT_FOUND | _BUSY)
def request_run(front: Asked, pipeline_id: UUID, idempotency_key: IdempotencyKey = None) -> Any:
    """Ask for a run, or take a wish to pause back; a runner does the work."""
    return front.ask(lambda desk: desk.request_run(pipeline_id, key=idempotency_key))


@router.post("/{pipeline_id}/pause", response_model=PipelineOut, responses=_NOT_FOUND)
def request_pause(front: Asked, pipeline_id: UUID) -> Any:
    """Ask for a pause: at once where nothing runs, else after the batch at hand."""
    return front.ask(lambda desk: desk.request_pause(pipeline_id))


@router.get("/{pipeline_id}/runs", response_model=list[PipelineRunOut], responses=_NOT_FOUND)
def list_runs(front: Asked, pipeline_id: UUID, limit: Limit = 50) -> Any:
    """Its runs, newest first."""
    return front.ask(lambda desk: desk.runs(pipeline_id, limit=limit))


@router.get("/{pipeline_id}/tasks", response_model=list[TaskOut], responses=_NOT_FOUND)
def list_tasks(front: Asked, pipeline_id: UUID) -> Any:
    """Its tasks, in order."""
    return front.ask(lambda desk: desk.pipeline(pipeline_id))["tasks"]


@router.put("/{pipeline_id}/tasks", response_model=list[TaskOut], responses=_CHANGE)
def replace_tasks(front: Asked, pipeline_id: UUID, tasks: Tasks) -> Any:
    """These tasks and no others; none: the pipeline's own query."""
    given = {"tasks": [task.model_dump() for task in tasks]}
    return front.ask(lambda desk: desk.change(pipeline_id, given))["tasks"]


@router.get("/{pipeline_id}/state", response_model=StateOut, responses=_NOT_FOUND)
def get_state(front: Asked, pipeline_id: UUID) -> Any:
    """Where the next incremental run goes on."""
    return front.ask(lambda desk: desk.state(pipeline_id))


@router.put("/{pipeline_id}/state", response_model=StateOut, responses={400: _REFUSED[400]} | _NOT_FOUND | _BUSY)
def set_state(front: Asked, pipeline_id: UUID, state: StateIn) -> Any:
    """Put the checkpoint elsewhere, only while nothing runs; an event keeps who did so.

    Value and id are written as the query's incremental key and id would be; by version (xmin) no id is needed.
    """
    place = Place(value=state.last_processed_value, id=state.last_processed_id)
    return front.ask(lambda desk: desk.set_state(pipeline_id, place))


@router.get("/{pipeline_id}/batches", response_model=list[BatchOut], responses=_NOT_FOUND)
def list_batches(front: Asked, pipeline_id: UUID, limit: Limit = 50) -> Any:
    """The batches that were committed, newest first."""
    return front.ask(lambda desk: desk.batches(pipeline_id, limit=limit))


@router.get("/{pipeline_id}/events", response_model=list[EventOut], responses=_NOT_FOUND)
def list_events(front: Asked, pipeline_id: UUID, limit: Limit = 50) -> Any:
    """Every move of its status and every change, newest first."""
    return front.ask(lambda desk: desk.events(pipeline_id, limit=limit))


@router.get("/{pipeline_id}/dlq", response_model=list[DeadLetterOut], responses=_NOT_FOUND)
def list_dead_letters(front: Asked, pipeline_id: UUID, limit: Limit = 50, replayed: bool = False) -> Any:
    """Rows that were set aside and wait, oldest first; `replayed`: those that wait no more, instead."""
    return front.ask(lambda desk: desk.dead_letters(pipeline_id, limit=limit, replayed=replayed))


@router.post(
    "/{pipeline_id}/dlq/replay",
    status_code=202,
    response_model=ReplayRequestedOut,
    responses={400: _REFUSED[400]} | _NOT_FOUND | _BUSY,
)
def replay_dead_letters(front: Asked, pipeline_id: UUID, wanted: ReplayIn | None = None) -> Any:
    """Ask for rows that were set aside to be written again, all that wait or those of the ids.

    A runner does so while nothing of the pipeline runs; what became of them is an event.
    """
    return front.ask(lambda desk: desk.request_replay(pipeline_id, wanted.ids if wanted else None))
