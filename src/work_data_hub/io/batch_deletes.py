"""Rows of a target that its source does not have any more: told by the keys that a whole scan has seen."""

from uuid import UUID

from psycopg2 import sql

from work_data_hub.domain.batch.pipeline import Deletes
from work_data_hub.domain.batch.run import Page
from work_data_hub.domain.batch.targets import TableTarget
from work_data_hub.errors import BatchError
from work_data_hub.io.batch_keys import key_texts, target_forms
from work_data_hub.io.batch_stage import target_table
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

_QUERIES = "batch_table_sink"
_UNSEEN = sql.SQL("""
not exists (
  select from etl.etl_seen_keys as seen where seen.run_id = any(%(runs)s::uuid[]) and seen.key = target.{key}::text
)
""")
_COUNT = sql.SQL("""
select
  count(*),
  count(*) filter (where {unseen}),
  exists (select from etl.etl_seen_keys where run_id = any(%(runs)s::uuid[]))
from {table} as target
where target.deleted_at is null
""")
_DELETE = {
    Deletes.SOFT: sql.SQL("""
update {table} as target set deleted_at = now(), updated_at = now() where target.deleted_at is null and {unseen}
"""),
    Deletes.HARD: sql.SQL("delete from {table} as target where {unseen}"),
}


def remember_keys(cursor: Cursor, run_id: UUID, *, target: TableTarget, page: Page) -> None:
    """Note that the run has seen the keys of the page's rows, taken by the target or not.

    Part of the batch's transaction. A key that the target could not even hold is not noted.
    """
    texts = [text for text in key_texts(page, target=target) if text is not None]
    keys = list(target_forms(cursor, page, texts, target=target).values())
    cursor.execute(query(_QUERIES, "remember_keys"), {"run_id": str(run_id), "keys": keys})


def delete_unseen(
    cursor: Cursor, run_id: UUID, target: TableTarget, *, deletes: Deletes, most_share: float = 0.2
) -> int:
    """Delete the target's rows whose keys the run, and those that it resumed, have not seen; returns how many.

    Soft marks them with `deleted_at`, hard removes them, and those that were marked before as well. Raises
    BatchError where the scan saw no row at all, or where more than `most_share` of the living rows would go. To
    be called once, after the last page of a whole scan; what was seen is forgotten then. Rows set aside before that
    the scan has not met again wait no more: the source has them no longer.
    """
    if deletes is Deletes.IGNORE:
        return 0
    cursor.execute(query(_QUERIES, "seen_runs"), {"run_id": str(run_id)})
    found = cursor.fetchone()
    runs = {"runs": found[0] if found else []}
    parts = {"table": target_table(target), "unseen": _UNSEEN.format(key=sql.Identifier(target.key))}
    cursor.execute(_COUNT.format(**parts), runs)
    living, vanishing, has_seen = cursor.fetchone() or (0, 0, False)
    _check_share(target, living=living, vanishing=vanishing, most_share=most_share if has_seen else 0)
    deleted = 0
    if has_seen:
        cursor.execute(_DELETE[deletes].format(**parts), runs)
        deleted = cursor.rowcount
        cursor.execute(query("batch_letters", "supersede_unseen"), runs | {"run": str(run_id)})
    cursor.execute(query(_QUERIES, "forget_keys"), runs)
    return deleted


def _check_share(target: TableTarget, *, living: int, vanishing: int, most_share: float) -> None:
    if not vanishing or vanishing / living <= most_share:
        return
    rule = f"at most {most_share:.0%} of a target vanish in one run" if most_share else "no rows seen, none deleted"
    raise BatchError(
        f"{vanishing:,} of {living:,} rows of {target.name} would be deleted",
        field="deletes",
        input_data=f"{vanishing / living:.0%}",
        rule=rule,
        hint="see that the query still gives every row; rows that are really gone have to be deleted by hand",
    )
