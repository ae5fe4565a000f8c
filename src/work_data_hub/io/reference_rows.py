"""Reference rows that facts imply, added where their key is missing; existing rows are left as they are."""

from datetime import UTC, datetime

from psycopg2 import sql

from work_data_hub.domain.plans import ReferencePlan
from work_data_hub.io.copying import column_list, copy_frame, create_stage, table_identifier
from work_data_hub.io.postgres import Cursor

STAGE = "wdh_reference_stage"


def count_missing(cursor: Cursor, plan: ReferencePlan) -> int:
    """How many of the candidates' keys the table lacks; reads only."""
    key = plan.reference.key
    cursor.execute(
        sql.SQL("select {} from {} where {} = any(%s)").format(
            sql.Identifier(key), table_identifier(plan.reference.table), sql.Identifier(key)
        ),
        (plan.candidates[key].tolist(),),
    )
    return len(plan.candidates) - len(cursor.fetchall())


def insert_missing(cursor: Cursor, plan: ReferencePlan, *, domain: str) -> int:
    """Add the candidates whose key is missing, marked as derived and to be reviewed; returns how many."""
    if plan.candidates.empty or count_missing(cursor, plan) == 0:
        return 0
    rows = plan.candidates.assign(
        _source="auto_derived",
        _needs_review=True,
        _derived_from_domain=domain,
        _derived_at=datetime.now(UTC).isoformat(),
    )
    names = list(rows.columns)
    create_stage(cursor, names, like=plan.reference.table, name=STAGE)
    copy_frame(cursor, rows, into=sql.Identifier(STAGE))
    cursor.execute(
        sql.SQL("insert into {} ({}) select {} from {} on conflict ({}) do nothing").format(
            table_identifier(plan.reference.table),
            column_list(names),
            column_list(names),
            sql.Identifier(STAGE),
            sql.Identifier(plan.reference.key),
        )
    )
    return cursor.rowcount
