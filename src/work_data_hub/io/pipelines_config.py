"""Batch pipelines declared in YAML, one a file or several in a list; every rule is checked when they are read."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from work_data_hub.domain.batch.cron import cron_problem
from work_data_hub.domain.batch.pipeline import (
    Deletes,
    Mode,
    NullKey,
    Pipeline,
    PipelineType,
    Strategy,
    problems_of,
)
from work_data_hub.domain.batch.tasks import Task, TaskType
from work_data_hub.errors import ConfigError
from work_data_hub.io.yaml_entries import Entry, read_entry

PIPELINES_FOLDER = "pipelines"
SUFFIXES = (".yml", ".yaml")
PIPELINE_KEYS = tuple(Pipeline.__dataclass_fields__)
TASK_KEYS = tuple(Task.__dataclass_fields__)
_MOST_THROTTLE_MS = 60_000
_MOST_NUMBER = 2_147_483_647


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A pipeline, and the file that declares it."""

    pipeline: Pipeline
    file: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A block that declares no pipeline, for what is wrong with it; `name` as far as it can be read."""

    name: str | None
    error: ConfigError


def read_pipelines(path: Path) -> tuple[Pipeline, ...]:
    """The pipelines of `read_declared`, without their files."""
    return tuple(one.pipeline for one in read_declared(path))


def read_declared(path: Path) -> tuple[Declared, ...]:
    """Return the pipelines that a file, or every YAML file of a folder, declares, in the order of files and lists.

    A file holds one pipeline, or a list of them under `pipelines`. Raises ConfigError naming file and key where a key
    is unknown or a value wrong, where a definition breaks a rule, and where two have the same name.
    """
    declared, left_out = read_sound(path)
    if left_out:
        raise left_out[0].error
    return declared


def read_sound(path: Path) -> tuple[tuple[Declared, ...], tuple[LeftOut, ...]]:
    """The same as far as nothing is wrong, and apart from it what is; raises nothing for what stands in a file."""
    declared: dict[str, Declared] = {}
    left_out: list[LeftOut] = []
    for file in _files(path):
        try:
            blocks = tuple(_blocks(read_entry(file)))
        except ConfigError as error:
            left_out.append(LeftOut(name=None, error=error))
            continue
        for entry in blocks:
            try:
                pipeline = _pipeline(entry)
                _refuse_second(entry, first=declared.get(pipeline.name))
                declared[pipeline.name] = Declared(pipeline=pipeline, file=file)
            except ConfigError as error:
                left_out.append(LeftOut(name=_name(entry), error=error))
    return tuple(declared.values()), tuple(left_out)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())


def _blocks(root: Entry) -> Iterator[Entry]:
    if "pipelines" not in root.values:
        yield root
        return
    root.refuse_unknown(("pipelines",))
    yield from root.blocks("pipelines")


def _pipeline(entry: Entry) -> Pipeline:
    entry.refuse_unknown(PIPELINE_KEYS)
    pipeline = Pipeline(
        name=entry.text("name").strip(),
        description=_text_or_none(entry, "description"),
        type=entry.choice("type", PipelineType.SQL),
        mode=entry.choice("mode", Mode.FULL),
        target_table=entry.text("target_table").strip(),
        source_query=_text_or_none(entry, "source_query"),
        python_module=_text_or_none(entry, "python_module"),
        incremental_key=_text_or_none(entry, "incremental_key"),
        incremental_id_key=_text_or_none(entry, "incremental_id_key"),
        unique_key=_text_or_none(entry, "unique_key"),
        batch_size=_whole(entry, "batch_size", 1000, least=1, most=_MOST_NUMBER),
        enabled=entry.flag("enabled", True),
        strategy=entry.choice("strategy", Strategy.SAFE),
        overlap_seconds=_decimal(entry, "overlap_seconds", "60"),
        null_key=entry.choice("null_key", NullKey.DLQ),
        deletes=entry.choice("deletes", Deletes.IGNORE),
        throttle_ms=_whole(entry, "throttle_ms", 0, least=0, most=_MOST_THROTTLE_MS),
        dlq_max_rows=_whole(entry, "dlq_max_rows", 1000, least=0, most=_MOST_NUMBER),
        dlq_max_ratio=_share(entry, "dlq_max_ratio", "0.1"),
        cron=_cron(entry),
        tasks=_tasks(entry),
    )
    _refuse_problems(entry, pipeline)
    return pipeline


def _tasks(entry: Entry) -> tuple[Task, ...]:
    if "tasks" not in entry.values:
        return ()
    return tuple(_task(block, place) for place, block in enumerate(entry.blocks("tasks"), start=1))


def _task(entry: Entry, place: int) -> Task:
    entry.refuse_unknown(TASK_KEYS)
    entry.require("task_type", *TaskType)
    return Task(
        order_index=_whole(entry, "order_index", place, least=0, most=_MOST_NUMBER),
        task_type=entry.choice("task_type", TaskType.SQL),
        body=entry.text("body").strip(),
        target_table=_text_or_none(entry, "target_table"),
    )


def _refuse_problems(entry: Entry, pipeline: Pipeline) -> None:
    problems = problems_of(pipeline)
    if not problems:
        return
    fields = ", ".join(dict.fromkeys(f"{entry.place}.{one.field}" if entry.place else one.field for one in problems))
    raise ConfigError(
        f"pipeline {pipeline.name!r} breaks a rule: {'; '.join(one.message for one in problems)}",
        file=str(entry.path),
        field=fields,
        hint=f"correct {fields} in {entry.path.name}",
    )


def _refuse_second(entry: Entry, *, first: Declared | None) -> None:
    if first is not None:
        where = "in this file" if first.file == entry.path else f"in {first.file.name}"
        raise entry.wrong(
            "name", f"each name once; {where} it stands already", message="a second pipeline of this name"
        )


def _name(entry: Entry) -> str | None:
    name = entry.values.get("name")
    return name if isinstance(name, str) else None


def _cron(entry: Entry) -> str | None:
    cron = _text_or_none(entry, "cron")
    if cron is not None and (problem := cron_problem(cron)):
        raise entry.wrong("cron", problem)
    return cron


def _text_or_none(entry: Entry, key: str) -> str | None:
    return entry.text(key).strip() or None if entry.values.get(key) is not None else None


def _whole(entry: Entry, key: str, default: int, *, least: int, most: int) -> int:
    value = entry.values.get(key, default)
    if type(value) is not int or not least <= value <= most:
        raise entry.wrong(key, f"a whole number from {least:,} to {most:,}")
    return value


def _decimal(entry: Entry, key: str, default: str) -> Decimal:
    """A number from 0; of one written without quotes its shortest decimal text is what is meant."""
    value = entry.values.get(key, default)
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and value is not True else Decimal("nan")
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or number < 0:
        raise entry.wrong(key, f"a decimal number from 0, such as {default}")
    return number


def _share(entry: Entry, key: str, default: str) -> Decimal:
    number = _decimal(entry, key, default)
    if number > 1:
        raise entry.wrong(key, f"a share from 0 to 1, such as {default}")
    return number
