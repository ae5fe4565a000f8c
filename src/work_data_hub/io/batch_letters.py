"""Dead letters that wait: which are known, which a later row has overtaken, and which are asked to be written again.

Everything happens in the caller's transaction.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from psycopg2 import sql

from work_data_hub.domain.batch.run import DeadLetter, Page
from work_data_hub.domain.batch.targets import IndexTarget, TableTarget
from work_data_hub.io.batch_keys import key_texts, target_forms
from work_data_hub.io.batch_ledger import fingerprint_of, storable
from work_data_hub.io.batch_pipelines import AT_REST_WORDS, note
from work_data_hub.io.batch_stage import target_table
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

_QUERIES = "batch_letters"
# Longer keys no target has, and no index of the database takes.
_LONGEST_KEY_BYTES = 512
_KEPT_LETTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Letters of one pipeline that somebody wants to be written again."""

    pipeline_id: UUID
    ids: tuple[int, ...]
    by: tuple[str, ...]


def known_fingerprints(cursor: Cursor, pipeline_id: UUID, fingerprints: Sequence[str]) -> frozenset[str]:
    """Which of the fingerprints belong to a letter of the pipeline that waits."""
    given = {"pipeline": str(pipeline_id), "fingerprints": list(fingerprints)}
    cursor.execute(query(_QUERIES, "known"), given)
    return frozenset(fingerprint for (fingerprint,) in cursor.fetchall())


def pass_letters(
    cursor: Cursor,
    pipeline_id: UUID,
    dead: Sequence[DeadLetter],
    *,
    page: Page,
    target: TableTarget | IndexTarget,
    as_of: datetime,
) -> tuple[DeadLetter, ...]:
    """Let the page's rows overtake the letters of their keys; returns the page's own, ready to be recorded.

    A letter that waits is superseded by any later row of its key, taken or set aside, unless that row is set aside
    just as it was before. One of another pipeline of the target is superseded by a row that was taken, was read in
    a run claimed later (`as_of`), and has all its columns. The page's own have their key as the target writes it,
    and are overtaken where another row of it came behind them. Where nothing waits and nothing is set aside this
    costs one look.
    """
    if not dead and not _has_open(cursor, target):
        return ()
    texts = key_texts(page, target=target)
    given = [text for text in texts if text is not None]
    forms = target_forms(cursor, page, given, target=target) if isinstance(target, TableTarget) else {}
    keys = [None if text is None else _as_kept(forms.get(text, text)) for text in texts]
    last = {key: place for place, key in enumerate(keys) if key is not None}
    refused = {letter.place for letter in dead}
    letters = tuple(_placed(letter, keys=keys, last=last) for letter in dead)
    facts = {
        "pipeline": str(pipeline_id),
        "target": target.name,
        "keys": list(last),
        "taken": [key for key, place in last.items() if place not in refused],
        "kept": [fingerprint_of(letter) for letter in letters if not letter.is_overtaken],
        "as_of": as_of,
        "lacking": sorted(set(target.columns) - _names(page)),
    }
    cursor.execute(query(_QUERIES, "supersede"), facts)
    return letters


def leave_older(cursor: Cursor, pipeline_id: UUID) -> int:
    """Settle all but the newest letter of each key that waits; returns how many there were."""
    cursor.execute(query(_QUERIES, "supersede_older"), {"pipeline": str(pipeline_id)})
    return cursor.rowcount


def changed_behind(cursor: Cursor, pipeline_id: UUID, ids: Sequence[int], *, target: TableTarget) -> list[int]:
    """Those of the letters whose row in the table somebody changed since they were read: they may be older than it."""
    behind = sql.SQL(query(_QUERIES, "changed_behind"))
    given = {"pipeline": str(pipeline_id), "ids": list(ids)}
    cursor.execute(behind.format(target=target_table(target), key=sql.Identifier(target.key)), given)
    return [id for (id,) in cursor.fetchall()]


def set_aside_elsewhere(cursor: Cursor, pipeline_id: UUID, ids: Sequence[int], *, target: str) -> list[int]:
    """Those of the letters that were meant for another target than this."""
    given = {"pipeline": str(pipeline_id), "ids": list(ids), "target": target}
    cursor.execute(query(_QUERIES, "elsewhere"), given)
    return [id for (id,) in cursor.fetchall()]


def refuse_letters(
    cursor: Cursor, pipeline_id: UUID, ids: Sequence[int], *, error: str, sqlstate: str | None = None
) -> None:
    """Note that the letters were tried in vain once more, and why; they wait on."""
    given = {"pipeline": str(pipeline_id), "ids": list(ids), "error": storable(error), "sqlstate": sqlstate}
    cursor.execute(query(_QUERIES, "refuse"), given)


def request_replay(cursor: Cursor, pipeline_id: UUID, ids: Sequence[int] | None, *, actor: str) -> int:
    """Ask for letters that wait to be written again, all or those of the ids, and wake runners; returns how many.

    An event keeps who did so.
    """
    given = {"pipeline": str(pipeline_id), "ids": None if ids is None else list(ids), "actor": actor}
    cursor.execute(query(_QUERIES, "request"), given)
    requested = cursor.rowcount
    if requested:
        note(cursor, pipeline_id, actor=actor, reason=f"dead letters asked to be replayed: {requested}")
        cursor.execute(query(_QUERIES, "wake"), {"pipeline": str(pipeline_id)})
    return requested


def is_replay_requested(cursor: Cursor) -> bool:
    """Whether letters of a pipeline at rest are asked for."""
    cursor.execute(query(_QUERIES, "is_any_requested"), {"at_rest": AT_REST_WORDS})
    return cursor.fetchone() == (True,)


def take_requested(cursor: Cursor, *, limit: int, without: Sequence[UUID] = ()) -> Asked | None:
    """The oldest letters that are asked for of one pipeline at rest, other than these; None where there is none.

    The pipeline is neither claimed nor taken by another runner before the transaction ends. No ids: another
    runner has just settled them.
    """
    given = {"at_rest": AT_REST_WORDS, "without": [str(id) for id in without]}
    cursor.execute(query(_QUERIES, "take_requested"), given)
    row = cursor.fetchone()
    if row is None:
        return None
    cursor.execute(query(_QUERIES, "requested"), {"pipeline": str(row[0]), "limit": limit})
    rows = cursor.fetchall()
    by = tuple(dict.fromkeys(who for _, who in rows if who))
    return Asked(pipeline_id=UUID(str(row[0])), ids=tuple(id for id, _ in rows), by=by)


def drop_requests(cursor: Cursor, pipeline_id: UUID, ids: Sequence[int] | None = None) -> None:
    """Let the letters of the ids, or all of the pipeline, be asked for no more."""
    given = {"pipeline": str(pipeline_id), "ids": None if ids is None else list(ids)}
    cursor.execute(query(_QUERIES, "drop_requests"), given)


def _has_open(cursor: Cursor, target: TableTarget | IndexTarget) -> bool:
    cursor.execute(query(_QUERIES, "has_open"), {"target": target.name})
    return cursor.fetchone() == (True,)


def _names(page: Page) -> frozenset[str]:
    """The columns that the page's rows have by now; transforms may have changed them."""
    return frozenset(page.rows[0] if page.rows else (column.name for column in page.columns))


def _placed(letter: DeadLetter, *, keys: Sequence[str | None], last: dict[str, int]) -> DeadLetter:
    if letter.place is None:
        return replace(letter, key=None if letter.key is None else _as_kept(letter.key))
    key = keys[letter.place]
    return replace(letter, key=key, is_overtaken=key is not None and last[key] > letter.place)


def _as_kept(key: str) -> str:
    """The key as a letter keeps it: a long one cut, and told from others by its digest."""
    if len(key.encode("utf-8", "surrogatepass")) <= _LONGEST_KEY_BYTES:
        return storable(key)
    digest = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{storable(key[:_KEPT_LETTERS])}… {digest}"
