"""Rows of a reference source as values of their table, and everything that keeps them from it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from work_data_hub.domain.column_readers import reader_of, rule_of
from work_data_hub.domain.distinct import map_distinct, parse_distinct
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.reference_sync import TRACKING, SyncJob
from work_data_hub.domain.text import is_blank
from work_data_hub.errors import ConfigError, DataError, HeadingsMissing, SchemaDrift

COMPANY_ID = "company_id"
_EXCEL_ERROR = re.compile(
    r"#(N/A|(DIV/0|NULL|NUM|REF|VALUE|SPILL|CALC|FIELD|BLOCKED|CONNECT|BUSY|UNKNOWN)!|NAME\?|GETTING_DATA)",
    re.IGNORECASE,
)
_SHOWN_PLACES = 4
_SHOWN_LETTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetColumn:
    """A column as the database has it; `type` is PostgreSQL's own name of it."""

    name: str
    type: str
    nullable: bool
    has_default: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTable:
    """A table as the database has it; `unique` are the columns that alone identify a row."""

    name: str
    columns: tuple[TargetColumn, ...]
    unique: frozenset[str]

    @property
    def by_name(self) -> dict[str, TargetColumn]:
        """The columns by name."""
        return {column.name: column for column in self.columns}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRows:
    """What a source gave: text of the mapped columns under their source names, one row per index position.

    `lines` are the lines of a file, None for a table. `mark` is the moment up to which the source's
    changes are surely there, where the job asks for it; `since` is where the read began, None for all rows.
    """

    label: str
    frame: pd.DataFrame
    lines: tuple[int, ...] | None = None
    mark: datetime | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRows:
    """Rows ready for the table: text that PostgreSQL reads as the columns' types, under target names."""

    frame: pd.DataFrame
    temporary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A cell that cannot be taken over."""

    position: int
    column: str
    value: str | None
    rule: str


def refuse_missing_columns(job: SyncJob, *, there: Collection[str], label: str) -> None:
    """Raise HeadingsMissing where the source `label` lacks a column that the job reads."""
    asked = [*job.columns, *([job.changed_at] if job.changed_at else [])]
    missing = [name for name in asked if name not in there]
    if missing:
        raise HeadingsMissing(
            f"lacks the columns {', '.join(missing)}",
            file=label,
            field=missing[0],
            rule=f"columns there: {', '.join(there)}",
            hint=f"correct the source, or the columns of {job.name} in reference_sync.yml",
        )


def check_target(job: SyncJob, table: TargetTable | None, *, file: str) -> TargetTable:
    """Return the table when the job fits it.

    Raises ConfigError where the job names what is not there or a key that is not unique, and
    SchemaDrift where the table does not say where its rows come from.
    """
    if table is None:
        raise _wrong(job, "target", job.target, file=file, rule="a table of the warehouse")
    known = table.by_name
    for target in job.targets:
        if target not in known:
            raise _wrong(job, "columns", target, file=file, rule=f"columns of {table.name}: {', '.join(known)}")
    if job.key not in table.unique:
        rule = f"a column that alone is unique; {table.name} has {', '.join(sorted(table.unique)) or 'none'}"
        raise _wrong(job, "key", job.key, file=file, rule=rule)
    missing = [column for column in TRACKING if column not in known]
    if missing:
        raise SchemaDrift(
            f"{table.name} lacks {', '.join(missing)}",
            rule="a synced table says of each row where it comes from",
            hint="add the columns with a migration, or take the job out of config/reference_sync.yml",
        )
    for column in table.columns:
        if not (column.nullable or column.has_default or column.name in job.targets):
            raise _wrong(job, "columns", None, file=file, rule=f"{column.name} of {table.name} must be given")
    return table


def fit(job: SyncJob, table: TargetTable, rows: SourceRows) -> FittedRows:
    """Return the rows as the table takes them: stripped, blanks null, dates and numbers in PostgreSQL's spelling.

    Temporary company ids never become keys; they are left out and counted. Raises DataError for the
    first cell that cannot be taken over, naming how many there are.
    """
    fitted, problems = {}, []
    for source, target in job.columns.items():
        column = table.by_name[target]
        texts = map_distinct(rows.frame[source], _tidy)
        unwritable, spoiled = _unwritable(texts), _spoiled(texts) if rows.lines else _nowhere(texts)
        fitted[target], failed = parse_distinct(texts, reader_of(column.type), dtype="string")
        empty = fitted[target].isna().to_numpy() & ~(failed | unwritable | spoiled)
        problems += _problems(unwritable, column=source, values=texts, rule="no NUL character in a value")
        problems += _problems(spoiled, column=source, values=texts, rule="a value, not an error that Excel left")
        problems += _problems(failed & ~(unwritable | spoiled), column=source, values=texts, rule=rule_of(column.type))
        if target == job.key:
            problems += _key_problems(source, fitted[target], empty)
        elif not column.nullable:
            problems += _problems(empty, column=source, values=texts, rule="must not be blank")
    if problems:
        raise _refusal(job, rows, sorted(problems, key=lambda problem: problem.position))
    frame = pd.DataFrame(fitted)
    temporary = _temporary(job, frame)
    return FittedRows(frame=frame[~temporary].reset_index(drop=True), temporary=int(temporary.sum()))


def _unwritable(texts: pd.Series) -> np.ndarray:
    return texts.str.contains("\0", regex=False, na=False).to_numpy(dtype=bool)


def _spoiled(texts: pd.Series) -> np.ndarray:
    return texts.str.fullmatch(_EXCEL_ERROR, na=False).to_numpy(dtype=bool)


def _nowhere(texts: pd.Series) -> np.ndarray:
    return np.zeros(len(texts), dtype=bool)


def _key_problems(column: str, keys: pd.Series, empty: np.ndarray) -> list[Problem]:
    placeholder = np.array([not missing and is_blank(key) for key, missing in zip(keys, keys.isna(), strict=True)])
    twice = keys.duplicated().to_numpy() & keys.notna().to_numpy()
    return [
        *_problems(empty | placeholder.astype(bool), column=column, values=keys, rule="a row has a key"),
        *_problems(twice & ~placeholder.astype(bool), column=column, values=keys, rule="a key stands once"),
    ]


def _temporary(job: SyncJob, frame: pd.DataFrame) -> np.ndarray:
    if job.key != COMPANY_ID:
        return np.zeros(len(frame), dtype=bool)
    return np.array([is_temporary(key) for key in frame[job.key]], dtype=bool)


def _problems(mask: np.ndarray, *, column: str, values: pd.Series, rule: str) -> list[Problem]:
    return [
        Problem(position=int(at), column=column, value=None if pd.isna(value) else str(value), rule=rule)
        for at, value in zip(np.flatnonzero(mask), values[mask], strict=True)
    ]


def _refusal(job: SyncJob, rows: SourceRows, problems: list[Problem]) -> DataError:
    first = problems[0]
    count = "a cell" if len(problems) == 1 else f"{len(problems)} cells"
    others = "; ".join(_place(job, rows, problem) for problem in problems[1 : 1 + _SHOWN_PLACES])
    more = f"; then {others}" if others else ""
    return DataError(
        f"{count} cannot be taken over, the first in {_place(job, rows, first)}{more}",
        operation=f"sync {job.name}",
        file=rows.label,
        row_number=rows.lines[first.position] if rows.lines else None,
        field=first.column,
        input_data=first.value[:_SHOWN_LETTERS] if first.value else None,
        rule=first.rule,
        hint="correct the source, then sync again; nothing was written",
    )


def _place(job: SyncJob, rows: SourceRows, problem: Problem) -> str:
    if rows.lines:
        return f"line {rows.lines[problem.position]} {problem.column}"
    key = rows.frame[job.source_key].iloc[problem.position]
    return f"{'a row without key' if pd.isna(key) else key} {problem.column}"


def _wrong(job: SyncJob, key: str, found: str | None, *, file: str, rule: str) -> ConfigError:
    return ConfigError(
        "does not fit the warehouse",
        file=file,
        field=f"jobs.{job.name}.{key}",
        input_data=found,
        rule=rule,
        hint=f"correct {key} of {job.name}",
    )


def _tidy(text: str) -> str | None:
    return text.strip() or None
