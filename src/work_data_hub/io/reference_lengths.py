"""Texts that are longer than their reference column: refused by a plan as by a load, before anything is written."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from psycopg2 import sql

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET
from work_data_hub.domain.plans import LoadPlan
from work_data_hub.domain.reference_rules import Aggregate, Reference
from work_data_hub.errors import DataError
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.reference_changes import Changes
from work_data_hub.io.reference_facts import missing_keys

_SHOWN = 60


def column_lengths(cursor: Cursor, tables: Iterable[str]) -> dict[str, dict[str, int]]:
    """For each table the columns that hold texts up to a length, and that length in characters."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    cursor.execute(query("references", "lengths"), {"tables": sorted(set(tables))})
    for table, column, length in cursor.fetchall():
        found[table][column] = length
    return found


def too_long(rows: pd.DataFrame, lengths: Mapping[str, int]) -> dict[str, int]:
    """The columns of `rows` that hold a text longer than `lengths` says, and what it says."""
    return {name: length for name, length in lengths.items() if name in rows and _longest(rows[name]) > length}


def refuse_added(
    cursor: Cursor, reference: Reference, rows: pd.DataFrame, *, load: LoadPlan, long: Mapping[str, int]
) -> None:
    """Raise DataError where a row that would be added has a text too long for one of the columns `long`."""
    for column, length in long.items():
        lengths = rows[column].str.rstrip(" ").str.len().fillna(0)
        longer = rows[lengths > length].set_index(reference.key, drop=False)[column]
        added = sorted(missing_keys(cursor, reference, longer.index.tolist()))
        if added:
            raise _refused(reference, column, length, load=load, found=(added[0], longer[added[0]]))


def refuse_changed(
    cursor: Cursor, reference: Reference, changes: Sequence[Changes], *, load: LoadPlan, long: Mapping[str, int]
) -> None:
    """Raise DataError where `changes` would write a text too long for one of the columns `long`."""
    for written in changes:
        for column in (name for name in long if name in (reference.key, *written.columns)):
            cursor.execute(
                sql.SQL(
                    "select {key}, {column} from ({rows}) as written"
                    " where char_length(rtrim({column}, ' ')) > {length} order by {key} limit 1"
                ).format(
                    key=sql.Identifier(reference.key),
                    column=sql.Identifier(column),
                    rows=written.rows,
                    length=sql.Literal(long[column]),
                )
            )
            row = cursor.fetchone()
            if row:
                raise _refused(reference, column, long[column], load=load, found=(str(row[0]), str(row[1])))


def _longest(texts: pd.Series) -> int:
    """The characters of the longest text; PostgreSQL drops blanks behind a text that does not fit."""
    array = pa.array(texts.astype("string"), pa.string(), from_pandas=True)
    return pc.max(pc.utf8_length(pc.utf8_rtrim(array, " "))).as_py() or 0


def _refused(reference: Reference, column: str, length: int, *, load: LoadPlan, found: tuple[str, str]) -> DataError:
    key, text = found
    file, sheet, row = _place(reference, column, load.gold, found=found)
    shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return DataError(
        f"{len(text)} characters do not fit {reference.table}.{column} of {length}, for {reference.key} {key}",
        operation="load",
        domain=reference.domain,
        file=file,
        sheet=sheet,
        row_number=row,
        field=f"{reference.table}.{column}",
        input_data=shown,
        rule=f"{reference.name}: {column} holds at most {length} characters",
        hint=f"shorten what the rows of {reference.source} {key} say, or widen the column",
    )


def _place(
    reference: Reference, column: str, gold: pd.DataFrame, *, found: tuple[str, str]
) -> tuple[str | None, str | None, int | None]:
    """Where the first of the load's rows stands that gave the text; nothing where other months or domains did."""
    key, text = found
    if SOURCE_ROW not in gold:
        return None, None, None
    rows = gold[(gold[reference.source] == key).fillna(False)]
    for rule in (rule for rule in reference.columns if rule.target == column):
        if rule.how in (Aggregate.FIRST, Aggregate.MAX_BY) and rule.source in rows:
            rows = rows[(rows[rule.source].astype("string") == text).fillna(False)]
    if rows.empty:
        return None, None, None
    first = rows.iloc[0]
    return str(first[SOURCE_FILE]), str(first[SOURCE_SHEET]), int(first[SOURCE_ROW])
