"""A batch pipeline as it is declared: every rule that needs no database, checked in one place."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any

from work_data_hub.domain.batch.cron import cron_problem
from work_data_hub.domain.batch.targets import INDEX_PREFIX, TARGETS, is_allowed
from work_data_hub.domain.batch.tasks import Task, task_problems
from work_data_hub.domain.batch.transforms import is_transform

NAME = re.compile(r"[A-Za-z0-9_-]{3,64}")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
MOST_ROWS_A_BATCH = 50_000
MOST_THROTTLE_MS = 60_000
MOST_OVERLAP_SECONDS = 366 * 86_400
# Functions that reach beyond the rows of a query, or run a text as a query of its own. The login that reads is what
# bounds a query; this refuses the known ways beforehand. A comment may stand between a name and its bracket.
_REACHES_OUT = re.compile(
    r"(?i)\b(set_config|pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_promote|pg_switch_wal|"
    r"pg_(?:read|write|stat|file|ls|rotate|logical|drop|create|replication|copy|backup|wal|log|export)_\w+|"
    r"lo_\w+|loread|lowrite|dblink\w*|pg_(?:try_)?advisory\w*|pg_notify|nextval|setval|"
    r"(?:query|table|schema|database|cursor)_to_xml\w*|ts_stat|ts_rewrite|xpath_table|crosstab\w*|connectby|"
    r"open_query)\"?\s*(?:\(|/\*|--)"
)
# A name written in code points could spell any of these.
_SPELT_IN_CODE = re.compile(r"(?i)u&\s*\"")
_MOST_INTEGER = 2**31 - 1


class PipelineType(StrEnum):
    """What moves the rows: SQL to a table, SQL and a Python transform, or SQL to an Elasticsearch index."""

    SQL = "SQL"
    PYTHON = "PYTHON"
    ES = "ES"


class Mode(StrEnum):
    """Everything each time, or what is new since the checkpoint."""

    FULL = "full"
    INCREMENTAL = "incremental"


class Strategy(StrEnum):
    """How an incremental run finds rows that were committed late."""

    SAFE = "safe"
    OVERLAP = "overlap"
    XMIN = "xmin"


class NullKey(StrEnum):
    """What becomes of rows without an incremental key."""

    ERROR = "error"
    DLQ = "dlq"
    FIRST = "first"


class Deletes(StrEnum):
    """What becomes of target rows that the source of a full run does not have any more."""

    IGNORE = "ignore"
    SOFT = "soft"
    HARD = "hard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A definition, frozen when a runner claims it: what is changed later concerns the next run.

    `unique_key` names an output column of the query that is unique and never null: a full run then reads by it
    and goes on after a stop where it stood. `throttle_ms` is waited after each batch.
    """

    name: str
    target_table: str
    source_query: str | None = None
    type: PipelineType = PipelineType.SQL
    mode: Mode = Mode.FULL
    description: str | None = None
    python_module: str | None = None
    incremental_key: str | None = None
    incremental_id_key: str | None = None
    batch_size: int = 1000
    enabled: bool = True
    unique_key: str | None = None
    strategy: Strategy = Strategy.SAFE
    overlap_seconds: Decimal = Decimal(60)
    null_key: NullKey = NullKey.DLQ
    deletes: Deletes = Deletes.IGNORE
    throttle_ms: int = 0
    dlq_max_rows: int = 1000
    dlq_max_ratio: Decimal = Decimal("0.1")
    cron: str | None = None
    tasks: tuple[Task, ...] = ()

    @property
    def reader_query(self) -> str:
        """The one SQL query that rows come from, without blanks and semicolons at its end."""
        first = min(self.tasks, key=lambda task: task.order_index).body if self.tasks else self.source_query
        return (first or "").strip().rstrip(";").strip()

    @property
    def transforms(self) -> tuple[str, ...]:
        """The Python transforms, in order."""
        if self.tasks:
            ordered = sorted(self.tasks, key=lambda task: task.order_index)
            return tuple(task.body.strip() for task in ordered[1:])
        return (self.python_module,) if self.type is PipelineType.PYTHON and self.python_module else ()

    @property
    def target(self) -> str:
        """Where rows go: the last task may name another place than the pipeline."""
        last = max(self.tasks, key=lambda task: task.order_index) if self.tasks else None
        return ((last.target_table if last else None) or self.target_table).strip()

    @property
    def is_resumable(self) -> bool:
        """Whether a scan can go on in its middle: rows have an order, and no delete depends on seeing all of them."""
        return self.mode is Mode.INCREMENTAL or (self.unique_key is not None and self.deletes is Deletes.IGNORE)

    @property
    def is_index(self) -> bool:
        """Whether the target is an Elasticsearch index."""
        return self.target.startswith(INDEX_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One rule that a definition breaks: the field, and the sentence that says so."""

    field: str
    message: str


def problems_of(pipeline: Pipeline) -> tuple[Problem, ...]:
    """Every rule that the definition breaks; the allow-list of targets is one of them. Empty: it may run."""
    found = [
        *_name_problems(pipeline),
        *_number_problems(pipeline),
        *_text_problems(pipeline),
        *_key_problems(pipeline),
        *_query_problems(pipeline),
        *_transform_problems(pipeline),
        *(Problem(field=field, message=message) for field, message in task_problems(pipeline.tasks)),
        *_target_problems(pipeline),
    ]
    return tuple(found)


def column_problems(pipeline: Pipeline, columns: Sequence[str]) -> tuple[Problem, ...]:
    """Which keys are no columns of the query's output, after aliasing; and columns named twice."""
    keys = {
        "incremental_key": pipeline.incremental_key if pipeline.mode is Mode.INCREMENTAL else None,
        "incremental_id_key": pipeline.incremental_id_key if pipeline.mode is Mode.INCREMENTAL else None,
        "unique_key": pipeline.unique_key,
    }
    missing = [
        Problem(field=field, message=f"{name} is not a column of the query, which has {', '.join(columns)}")
        for field, name in keys.items()
        if name and name not in columns
    ]
    target = TARGETS.get(pipeline.target)
    required = target.required if target and not pipeline.transforms else ()
    missing += [
        Problem(field="source_query", message=f"the query lacks {name}, which {pipeline.target} needs")
        for name in required
        if name not in columns
    ]
    twice = sorted({name for name in columns if list(columns).count(name) > 1})
    return (*missing, *(Problem(field="source_query", message=f"the query names {name} twice") for name in twice))


def _name_problems(pipeline: Pipeline) -> list[Problem]:
    if NAME.fullmatch(pipeline.name):
        return []
    return [Problem(field="name", message="a name has 3 to 64 letters, digits, _ and -")]


def _number_problems(pipeline: Pipeline) -> list[Problem]:
    found: list[Problem] = []
    if not 1 <= pipeline.batch_size <= MOST_ROWS_A_BATCH:
        found.append(Problem(field="batch_size", message=f"a batch has 1 to {MOST_ROWS_A_BATCH:,} rows"))
    ranges: dict[str, tuple[int | Decimal, int]] = {
        "throttle_ms": (pipeline.throttle_ms, MOST_THROTTLE_MS),
        "overlap_seconds": (pipeline.overlap_seconds, MOST_OVERLAP_SECONDS),
        "dlq_max_rows": (pipeline.dlq_max_rows, _MOST_INTEGER),
        "dlq_max_ratio": (pipeline.dlq_max_ratio, 1),
    }
    for field, (number, most) in ranges.items():
        # Not a number compares with nothing.
        if Decimal(number).is_nan() or not 0 <= number <= most:
            found.append(Problem(field=field, message=f"{field} is from 0 to {most:,}"))
    if pipeline.cron is not None and (wrong := cron_problem(pipeline.cron)):
        found.append(Problem(field="cron", message=wrong))
    return found


def _text_problems(pipeline: Pipeline) -> list[Problem]:
    """A NUL is a letter that PostgreSQL has no place for."""
    texts = {one.name: getattr(pipeline, one.name) for one in fields(pipeline)}
    found = [name for name, text in texts.items() if isinstance(text, str) and "\0" in text]
    found += [f"tasks[{task.order_index}]" for task in pipeline.tasks if "\0" in task.body]
    return [Problem(field=field, message=f"{field} holds a NUL character") for field in found]


def _key_problems(pipeline: Pipeline) -> list[Problem]:
    keys: dict[str, Any] = {
        "incremental_key": pipeline.incremental_key,
        "incremental_id_key": pipeline.incremental_id_key,
        "unique_key": pipeline.unique_key,
    }
    found = [
        Problem(field=field, message="a key is one column: letters, digits and _, no digit first")
        for field, key in keys.items()
        if key is not None and not IDENTIFIER.fullmatch(key)
    ]
    if pipeline.mode is Mode.INCREMENTAL:
        found += [
            Problem(field=field, message=f"{field} is required for mode incremental")
            for field in ("incremental_key", "incremental_id_key")
            if not keys[field]
        ]
    if pipeline.deletes is not Deletes.IGNORE and pipeline.mode is not Mode.FULL:
        found.append(Problem(field="deletes", message="deletes are found by mode full: it alone sees all rows"))
    if pipeline.deletes is not Deletes.IGNORE and pipeline.is_index:
        found.append(Problem(field="deletes", message="deletes are found in tables; an index keeps its documents"))
    return found


def _query_problems(pipeline: Pipeline) -> list[Problem]:
    if not pipeline.reader_query:
        return [Problem(field="source_query", message="there is no query to read from")]
    if match := _REACHES_OUT.search(pipeline.reader_query):
        return [Problem(field="source_query", message=f"{match[1]} is not allowed in a source query")]
    if _SPELT_IN_CODE.search(pipeline.reader_query):
        return [Problem(field="source_query", message='names in code points (U&"…") are not allowed in a source query')]
    return []


def _transform_problems(pipeline: Pipeline) -> list[Problem]:
    if pipeline.type is PipelineType.PYTHON and not pipeline.python_module and not pipeline.tasks:
        return [Problem(field="python_module", message="python_module is required for type PYTHON")]
    if pipeline.python_module and not is_transform(pipeline.python_module):
        return [Problem(field="python_module", message=f"{pipeline.python_module!r} is not a registered transform")]
    return []


def _target_problems(pipeline: Pipeline) -> list[Problem]:
    found = [
        Problem(field="target_table", message=f"target_table '{target}' is not allowed")
        for target in dict.fromkeys((pipeline.target_table.strip(), pipeline.target))
        if not is_allowed(target)
    ]
    if not found and pipeline.type is PipelineType.ES and not pipeline.is_index:
        found.append(Problem(field="target_table", message=f"type ES writes to an index: {INDEX_PREFIX}<index>"))
    return found
