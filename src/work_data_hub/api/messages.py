"""What the API takes and gives: every field with its kind, bounds and default."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StringConstraints

from work_data_hub.domain.batch.pipeline import MOST_ROWS_A_BATCH, Deletes, Mode, NullKey, PipelineType, Strategy
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.domain.batch.tasks import TaskType

_LARGEST_INTEGER = 2_147_483_647
_MOST_EXACT = 2**53 - 1  # of a number in JSON, for everybody
_A_YEAR_SECONDS = 31_536_000
_NAME = "[A-Za-z0-9_-]{3,64}"
_WITHOUT_NUL = r"^[^\x00]*$"


def _number(value: Any) -> Any:
    """The value, when it is a number: texts and flags would pass for one."""
    if isinstance(value, bool | str):
        raise ValueError("must be a whole number")
    return value


Name = Annotated[
    str,
    # Blanks around it are taken, and dropped.
    StringConstraints(strip_whitespace=True, pattern=f"^{_NAME}$"),
    Field(json_schema_extra={"pattern": rf"^\s*{_NAME}\s*$"}, examples=["film_dim"]),
]
Target = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_WITHOUT_NUL),
    Field(
        json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00][^\x00]*$"},
        description="One of the allowed tables, or es: and one of the allowed indexes.",
        examples=["analytics.film_dim"],
    ),
]
Text = Annotated[str, StringConstraints(max_length=10_000, pattern=_WITHOUT_NUL)]
Query = Annotated[str, StringConstraints(max_length=100_000, pattern=_WITHOUT_NUL)]
Key = Annotated[str, StringConstraints(max_length=63, pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
DottedName = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9_.]+$")]
Cron = Annotated[str, StringConstraints(max_length=100, pattern=_WITHOUT_NUL)]
Whole = Annotated[int, BeforeValidator(_number)]
Seconds = Annotated[float, Field(strict=True, ge=0, le=_A_YEAR_SECONDS, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class _Taken(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TaskIn(_Taken):
    """A step: the query that reads, first; transforms after it."""

    order_index: Annotated[Whole, Field(ge=0, le=_LARGEST_INTEGER)]
    task_type: TaskType
    body: Query = Field(description="The text of a query, or the name of a registered transform.")
    target_table: Target | None = None


Tasks = Annotated[list[TaskIn], Field(max_length=100)]


class _Definition(_Taken):
    type: PipelineType = PipelineType.SQL
    mode: Mode = Mode.FULL
    description: Text | None = None
    enabled: StrictBool = True
    source_query: Query | None = Field(default=None, description="One SELECT; tasks stand in its place.")
    python_module: DottedName | None = Field(default=None, description="A registered transform.")
    incremental_key: Key | None = None
    incremental_id_key: Key | None = None
    unique_key: Key | None = Field(default=None, description="Makes a full run resumable.")
    batch_size: Annotated[Whole, Field(ge=1, le=MOST_ROWS_A_BATCH)] = 1000
    strategy: Strategy = Strategy.SAFE
    overlap_seconds: Seconds = 60.0
    null_key: NullKey = NullKey.DLQ
    deletes: Deletes = Deletes.IGNORE
    throttle_ms: Annotated[Whole, Field(ge=0, le=60_000)] = 0
    dlq_max_rows: Annotated[Whole, Field(ge=0, le=_LARGEST_INTEGER)] = 1000
    dlq_max_ratio: Share = 0.1
    cron: Cron | None = None
    tasks: Tasks = []


class PipelineCreate(_Definition):
    """A new pipeline."""

    name: Name
    target_table: Target


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class PipelineUpdate(_Definition):
    """Fields to change; what is left out stays, and what may be empty takes null."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: Name = ""
    target_table: Target = ""


class StateIn(_Taken):
    """Where the next incremental run goes on; both null: at the beginning."""

    last_processed_value: Annotated[str, StringConstraints(max_length=200, pattern=_WITHOUT_NUL)] | None
    last_processed_id: Annotated[str, StringConstraints(max_length=200, pattern=_WITHOUT_NUL)] | None


class ReplayIn(_Taken):
    """Which dead letters to write again; without ids all that wait."""

    ids: Annotated[list[Annotated[Whole, Field(ge=1, le=_MOST_EXACT)]], Field(min_length=1, max_length=1000)] | None = (
        None
    )


class TaskOut(BaseModel):
    """A step of a pipeline."""

    order_index: int
    task_type: TaskType
    body: str
    target_table: str | None


class PipelineOut(BaseModel):
    """A pipeline: what was declared, and where it stands."""

    id: UUID
    name: str
    status: Status
    target_table: str
    source_query: str | None
    type: PipelineType
    mode: Mode
    description: str | None
    python_module: str | None
    incremental_key: str | None
    incremental_id_key: str | None
    batch_size: int
    enabled: bool
    unique_key: str | None
    strategy: Strategy
    overlap_seconds: float
    null_key: NullKey
    deletes: Deletes
    throttle_ms: int
    dlq_max_rows: int
    dlq_max_ratio: float
    cron: str | None
    tasks: list[TaskOut]
    created_at: datetime
    updated_at: datetime


class PipelineChangedOut(PipelineOut):
    """A pipeline that was made or changed; `notes`, where there are any, say what is left to do, a sentence each."""

    notes: list[str] = []


class PipelineRunOut(BaseModel):
    """A run: how it stands or ended, what it counted in rows, and who ran it for whom."""

    id: UUID
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None
    rows_read: int
    rows_written: int
    rows_inserted: int
    rows_updated: int
    rows_unchanged: int
    rows_rescanned: int
    rows_deleted: int
    rows_dlq: int
    rows_stale: int
    error_message: str | None
    attempt: int
    trigger: str | None
    idempotency_key: str | None
    worker: str | None
    epoch: int | None
    resumed_from: UUID | None
    warnings: list[str]


class PlaceOut(BaseModel):
    """A place in the order of the source."""

    value: str | None
    id: str | None


class BatchOut(BaseModel):
    """A committed batch; its rows lie behind `cursor_from`, up to and with `cursor_to`."""

    run_id: UUID
    seq: int
    cursor_from: PlaceOut | None
    cursor_to: PlaceOut | None
    rows_read: int
    rows_written: int
    rows_dlq: int
    content_hash: str | None
    epoch: int
    committed_at: datetime


class EventOut(BaseModel):
    """A move of the status, or something noted: then from a status to the same."""

    id: int
    from_status: Status | None
    to_status: Status
    actor: str
    epoch: int | None
    reason: str | None
    at: datetime


class DeadLetterOut(BaseModel):
    """A row that was set aside; fractions in its payload are texts, so that they stay exact.

    It was met first at `created_at` and last at `seen_at`, in a run claimed `as_of`. Since `replayed_at` it waits no
    more: the target took it, or, where it `is_superseded`, a later row of its key came.
    """

    id: int
    run_id: UUID | None
    seq: int | None
    key: str | None
    cursor: PlaceOut | None
    payload: dict[str, Any]
    fingerprint: str
    sqlstate: str | None
    error: str
    attempt: int
    as_of: datetime | None
    created_at: datetime
    seen_at: datetime
    replay_requested_at: datetime | None
    replay_requested_by: str | None
    replayed_at: datetime | None
    is_superseded: bool


class ReplayRequestedOut(BaseModel):
    """How many rows a runner is asked to write again."""

    requested: int


class StateOut(BaseModel):
    """Where the next incremental run goes on."""

    last_processed_value: str | None
    last_processed_id: str | None


class ProblemOut(BaseModel):
    """A rule that a definition breaks."""

    field: str
    message: str


class ProblemsOut(BaseModel):
    """Every rule that a definition breaks; empty: it may be created."""

    problems: list[ProblemOut]


class HealthOut(BaseModel):
    """The API answers, and reaches its database."""

    status: str


class ErrorOut(BaseModel):
    """Why nothing was done."""

    detail: str


class FieldErrorOut(BaseModel):
    """What is wrong with a part of the request."""

    loc: list[str | int]
    msg: str
    type: str


class UnprocessableOut(BaseModel):
    """Why the request makes no sense: a sentence, or one entry a field."""

    detail: str | list[FieldErrorOut]


class BrokenOut(BaseModel):
    """A fault of the program; the log has more under the id."""

    detail: str
    id: str
