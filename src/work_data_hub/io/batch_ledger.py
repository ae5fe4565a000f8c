"""What a run has committed: its batches, counters, checkpoint and dead letters, in the transaction of the rows.

The caller asks `batch_claims.hold` first, in the same transaction: the lease is then locked before the run is.
Each function shows the owner and the epoch once more, and does nothing for a runner that was fenced off.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, time
from typing import Any
from uuid import UUID

from psycopg2.extras import execute_values

from work_data_hub.domain.batch.pipeline import Mode
from work_data_hub.domain.batch.run import Claim, DeadLetter, Page, Written
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_text import content_hash
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

BEGUN_ANEW = "the source broke off; its scan has no order to go on in and began anew"
_MOST_WARNINGS = 50
_LONGEST_WARNING = 500
_LONGEST_ERROR = 2000
# A letter that is overtaken does not wait; the last two values say whether it is.
_LETTER = f"({', '.join(['%s'] * 11)}, case when %s then clock_timestamp() end, %s)"


def record_batch(cursor: Cursor, claim: Claim, *, seq: int, page: Page, written: Written, before: Place | None) -> None:
    """Add a batch to the run's record: counters, checkpoint where the run is incremental, and rows set aside.

    `seq` is 0 for the first batch of a run and grows by one, whatever is scanned anew; `before` is the place that
    the page begins behind. A batch after which another runner would go on further ends a row of recoveries.
    Raises LeaseLost.
    """
    counts, run = asdict(written.counts), _of(claim)
    cursor.execute(query("batch_ledger", "count"), counts | run)
    if not cursor.rowcount:
        raise _lost(claim)
    batch = {
        "seq": seq,
        "cursor_from": _place_json(before),
        "cursor_to": _place_json(page.cursor),
        "content_hash": content_hash(page),
    }
    cursor.execute(query("batch_ledger", "add_batch"), counts | run | batch)
    if page.cursor is not None and claim.pipeline.mode is Mode.INCREMENTAL:
        place = {"value": page.cursor.value, "id": page.cursor.id}
        cursor.execute(query("batch_ledger", "move_checkpoint"), place | run)
    _set_aside(cursor, claim, written.dead, seq=seq, place=page.cursor)
    if claim.pipeline.is_resumable and page.cursor not in (None, before):
        cursor.execute(query("batch_ledger", "progress"), run)


def is_recorded(cursor: Cursor, run_id: UUID, seq: int) -> bool:
    """Whether the batch was committed; ask when the answer to its COMMIT was lost."""
    cursor.execute(query("batch_ledger", "is_recorded"), {"run": str(run_id), "seq": seq})
    return cursor.fetchone() is not None


def begin_scan(cursor: Cursor, claim: Claim) -> None:
    """Let the run count from 0 again, since its scan begins anew; its batches stay on record. Raises LeaseLost."""
    cursor.execute(query("batch_ledger", "begin_scan"), _of(claim))
    if not cursor.rowcount:
        raise _lost(claim)
    cursor.execute(query("batch_ledger", "forget_keys"), _of(claim))
    add_warning(cursor, claim, BEGUN_ANEW)


def add_warning(cursor: Cursor, claim: Claim, text: str) -> None:
    """Keep a sentence with the run, once; the first 50 are kept, and none of a run that is over."""
    given = {"text": storable(text)[:_LONGEST_WARNING], "most": _MOST_WARNINGS}
    cursor.execute(query("batch_ledger", "warn"), given | _of(claim))


def fingerprint_of(letter: DeadLetter) -> str:
    """The same text for the same row, however often it is set aside: of two open letters one would be too many."""
    return _digest(_payload_json(letter.payload, sort_keys=True))


def storable(text: str) -> str:
    """The text without what PostgreSQL has no letters for: NUL, and halves of letters."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")


def _set_aside(cursor: Cursor, claim: Claim, dead: Sequence[DeadLetter], *, seq: int, place: Place | None) -> None:
    # By fingerprint: one statement cannot change a row twice.
    rows = {
        fingerprint: (
            str(claim.pipeline_id),
            str(claim.run_id),
            seq,
            claim.pipeline.target,
            None if letter.key is None else storable(letter.key),
            _place_json(place),
            _payload_json(letter.payload),
            fingerprint,
            letter.sqlstate,
            storable(letter.error)[:_LONGEST_ERROR],
            claim.claimed_at,
            letter.is_overtaken,
            letter.is_overtaken,
        )
        for letter in dead
        for fingerprint in (fingerprint_of(letter),)
    }
    if rows:
        execute_values(cursor, query("batch_ledger", "add_letters"), list(rows.values()), template=_LETTER)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _payload_json(payload: Mapping[str, Any], *, sort_keys: bool = False) -> str:
    plain = {storable(str(name)): _plain(value) for name, value in payload.items()}
    return json.dumps(plain, ensure_ascii=False, sort_keys=sort_keys)


def _plain(value: Any) -> Any:
    """The value as JSON of PostgreSQL can hold it: exact, and text where JSON has no word for it."""
    if isinstance(value, Mapping):
        return {storable(str(name)): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    is_number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    return value if value is None or is_number else storable(_text(value))


def _text(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"\\x{bytes(value).hex()}"
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _place_json(place: Place | None) -> str | None:
    return None if place is None else json.dumps(place.as_json(), ensure_ascii=False)


def _of(claim: Claim) -> dict[str, Any]:
    return {
        "run": str(claim.run_id),
        "pipeline": str(claim.pipeline_id),
        "worker": claim.worker_id,
        "epoch": claim.epoch,
    }


def _lost(claim: Claim) -> LeaseLost:
    return LeaseLost(
        "the run is not this runner's any more",
        operation=claim.pipeline.name,
        rule=f"epoch {claim.epoch} of {claim.worker_id}",
        hint="nothing of this batch was written; whoever claims next goes on from the last one that was",
    )
