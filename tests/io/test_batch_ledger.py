"""The record of a run: batches, counters, checkpoint and dead letters, in one transaction with the rows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg2 import errors
from tests.batch_store import (
    FULL,
    INCREMENTAL,
    add,
    ask,
    batch,
    claim,
    claimed,
    close,
    page,
    register,
    request,
    runs,
    session_of,
    silence,
    swept,
    written,
)

from work_data_hub.domain.batch.run import Claim, Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_claims import hold
from work_data_hub.io.batch_ledger import add_warning, begin_scan, fingerprint_of, is_recorded, record_batch
from work_data_hub.io.batch_text import prepared
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

PLACE = Place(value="2026-01-01T00:00:00.000001+00:00", id="7")
LATER = Place(value="2026-01-02T00:00:00+00:00", id="1")
LETTER = DeadLetter(payload={"film_id": 1, "title": None}, error="title is null", sqlstate="23502", key="1")


def recorded(
    connection: Connection, held: Claim, seq: int = 0, *, of: Page | None = None, as_written: Written | None = None
) -> None:
    with transaction(connection), connection.cursor() as cursor:
        hold(cursor, held)
        record_batch(cursor, held, seq=seq, page=of or page(), written=as_written or written(), before=PLACE)


def aside(connection: Connection, held: Claim, *letters: DeadLetter, seq: int = 0) -> None:
    recorded(connection, held, seq, as_written=written(2, *letters))


def letters_of(connection: Connection, columns: str) -> list[tuple[Any, ...]]:
    return ask(connection, f"select {columns} from etl.etl_dlq order by id")


def warned(connection: Connection, held: Claim, text: str) -> None:
    with transaction(connection), connection.cursor() as cursor:
        add_warning(cursor, held, text)


def test_batch_is_on_record_with_its_places(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse, INCREMENTAL))
    recorded(warehouse, held, of=page(until=LATER))
    columns = "seq, cursor_from, cursor_to, rows_read, rows_written, rows_dlq, epoch"
    assert ask(warehouse, f"select {columns} from etl.etl_batches") == [
        (0, PLACE.as_json(), LATER.as_json(), 2, 2, 0, 1)
    ]


def test_counters_of_a_run_add_up(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    each = Counts(read=9, written=7, inserted=1, updated=2, unchanged=4, rescanned=3, deleted=5, dlq=2, stale=6)
    for seq in range(2):
        recorded(warehouse, held, seq, as_written=Written(counts=each))
    columns = (
        "rows_read, rows_written, rows_inserted, rows_updated, rows_unchanged, rows_rescanned, rows_deleted,"
        " rows_dlq, rows_stale"
    )
    assert runs(warehouse, columns, id) == [(18, 14, 2, 4, 8, 6, 10, 4, 12)]


def test_batch_that_is_rolled_back_leaves_nothing(warehouse: Connection) -> None:
    id = add(warehouse, INCREMENTAL)
    held = claimed(warehouse, id)
    with warehouse.cursor() as cursor:
        record_batch(cursor, held, seq=0, page=page(until=PLACE), written=written(2, LETTER), before=None)
        warehouse.rollback()
        assert not is_recorded(cursor, held.run_id, 0)
    assert runs(warehouse, "rows_read", id) == [(0,)]
    assert letters_of(warehouse, "id") == ask(warehouse, "select 1 from etl.etl_state") == []


def test_committed_batch_is_found_again(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    batch(warehouse, held, 0)
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert [is_recorded(cursor, held.run_id, seq) for seq in (0, 1)] == [True, False]
        assert not is_recorded(cursor, uuid4(), 0)


def test_batch_is_never_on_record_twice(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    batch(warehouse, held, 0)
    with pytest.raises(errors.UniqueViolation):
        batch(warehouse, held, 0)
    assert runs(warehouse, "rows_read", id) == [(2,)]


def test_checkpoint_moves_with_the_batch(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse, INCREMENTAL))
    batch(warehouse, held, 0, until=PLACE)
    batch(warehouse, held, 1, until=LATER)
    statement = "select last_processed_value, last_processed_id from etl.etl_state"
    assert ask(warehouse, statement) == [(LATER.value, LATER.id)]


def test_checkpoint_that_does_not_move_keeps_its_time(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse, INCREMENTAL))
    batch(warehouse, held, 0, until=PLACE)
    before = ask(warehouse, "select * from etl.etl_state")
    batch(warehouse, held, 1, until=PLACE)
    batch(warehouse, held, 2)
    assert ask(warehouse, "select * from etl.etl_state") == before


def test_full_run_has_no_checkpoint(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse, replace(FULL, unique_key="film_id")))
    batch(warehouse, held, until=Place(id="7"))
    assert ask(warehouse, "select 1 from etl.etl_state") == []


@pytest.mark.parametrize("is_registered_again", [False, True])
def test_fenced_runner_records_nothing(warehouse: Connection, is_registered_again: bool) -> None:
    id = add(warehouse)
    old = claimed(warehouse, id)
    silence(warehouse, "one")
    swept(warehouse)
    if is_registered_again:
        claimed(warehouse, id, "one")
    with pytest.raises(LeaseLost), transaction(warehouse), warehouse.cursor() as cursor:
        record_batch(cursor, old, seq=0, page=page(), written=written(), before=None)
    assert ask(warehouse, "select 1 from etl.etl_batches") == []


def test_run_that_is_closed_records_nothing_more(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    ask(warehouse, "update etl.etl_runs set status = 'FAILED', finished_at = now()")
    with pytest.raises(LeaseLost):
        batch(warehouse, held)
    assert runs(warehouse, "rows_read", id) == [(0,)]


def test_row_set_aside_is_kept_with_its_reason(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse, INCREMENTAL))
    recorded(warehouse, held, of=page(until=LATER), as_written=written(2, LETTER))
    columns = "run_id::text, seq, key, cursor, payload, sqlstate, error, attempt, fingerprint"
    assert letters_of(warehouse, columns) == [
        (
            str(held.run_id),
            0,
            "1",
            LATER.as_json(),
            {"film_id": 1, "title": None},
            "23502",
            "title is null",
            1,
            fingerprint_of(LETTER),
        )
    ]


def test_row_set_aside_again_is_one_letter_with_another_attempt(warehouse: Connection) -> None:
    id = add(warehouse)
    aside(warehouse, claimed(warehouse, id), LETTER, LETTER)
    silence(warehouse, "one")
    swept(warehouse)
    second = claimed(warehouse, id)
    aside(warehouse, second, replace(LETTER, error="still null"))
    assert letters_of(warehouse, "attempt, error, run_id::text") == [(2, "still null", str(second.run_id))]


def test_row_set_aside_after_its_replay_is_a_new_letter(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    aside(warehouse, held, LETTER)
    ask(warehouse, "update etl.etl_dlq set replayed_at = now()")
    aside(warehouse, held, LETTER, seq=1)
    assert letters_of(warehouse, "attempt, replayed_at is null") == [(1, False), (1, True)]


def test_order_of_columns_makes_no_other_row() -> None:
    turned = DeadLetter(payload={"title": None, "film_id": 1}, error="another")
    assert fingerprint_of(turned) == fingerprint_of(LETTER)
    assert fingerprint_of(replace(LETTER, payload={"film_id": 2})) != fingerprint_of(LETTER)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (Decimal("8.50"), "8.50"),
        (8.5, 8.5),
        (float("nan"), "nan"),
        (True, True),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), "2026-01-02T03:04:05.000006+00:00"),
        (memoryview(b"\x01\xff"), "\\x01ff"),
        ("a\x00b", "a\\x00b"),
        ("half \ud800", "half \\ud800"),
        ({"when": [Decimal(1)]}, {"when": ["1"]}),
        ("企业年金", "企业年金"),
    ],
)
def test_any_value_can_be_set_aside(warehouse: Connection, value: object, kept: object) -> None:
    held = claimed(warehouse, add(warehouse))
    aside(warehouse, held, DeadLetter(payload={"it": value}, error="bad\x00", key="k\x00"))
    assert letters_of(warehouse, "payload, error, key") == [({"it": kept}, "bad\\x00", "k\\x00")]


def test_batches_of_other_rows_have_other_hashes(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    of_rows = Page(columns=(), rows_read=1, rows=[{"film_id": 1}])
    for seq, one in enumerate((page(2), prepared(page(2)), page(3), of_rows, Page(columns=(), rows_read=0))):
        recorded(warehouse, held, seq, of=one)
    hashes = [found for (found,) in ask(warehouse, "select content_hash from etl.etl_batches order by seq")]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 4
    assert hashes[-1] is None


def test_scan_that_begins_anew_counts_from_nothing(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    batch(warehouse, held)
    ask(warehouse, "insert into etl.etl_seen_keys select id, 'a' from etl.etl_runs")
    with transaction(warehouse), warehouse.cursor() as cursor:
        begin_scan(cursor, held)
    assert runs(warehouse, "rows_read, rows_inserted, jsonb_array_length(warnings)", id) == [(0, 0, 1)]
    assert ask(warehouse, "select 1 from etl.etl_seen_keys") == []
    assert ask(warehouse, "select seq from etl.etl_batches") == [(0,)]


def test_fenced_runner_begins_no_scan(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    silence(warehouse, "one")
    swept(warehouse)
    with pytest.raises(LeaseLost), transaction(warehouse), warehouse.cursor() as cursor:
        begin_scan(cursor, held)


def test_same_warning_is_kept_once(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    for text in ("the bound is old", "read as anyone", "the bound is old"):
        warned(warehouse, held, text)
    assert runs(warehouse, "warnings", id) == [(["the bound is old", "read as anyone"],)]


def test_run_does_not_drown_in_warnings(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    for number in range(60):
        warned(warehouse, held, f"{number} {'x' * 1000}")
    ((warnings,),) = runs(warehouse, "warnings", id)
    assert (len(warnings), max(map(len, warnings))) == (50, 500)


def test_batch_that_ends_a_row_of_deaths_does_not_lock_out_a_sweep(warehouse: Connection, warehouse_url: str) -> None:
    id = add(warehouse, INCREMENTAL)
    register(warehouse, "one")
    request(warehouse, id)
    claim(warehouse)
    silence(warehouse, "one")
    swept(warehouse)
    held, further = claimed(warehouse, id), page(until=Place(value="1", id="1"))
    with session_of(warehouse_url, "one") as batches, batches.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        hold(cursor, held)
        taking = pool.submit(take_lease, warehouse_url)
        ask(warehouse, WAITS_FOR_A_LOCK)
        record_batch(cursor, held, seq=0, page=further, written=written(), before=None)
        batches.commit()
        assert taking.result() == 0


# Returns as soon as a session waits for another's row.
WAITS_FOR_A_LOCK = """
do $$
begin
  for turn in 1..1000 loop
    exit when exists (select from pg_stat_activity where wait_event_type = 'Lock');
    perform pg_sleep(0.01);
    perform pg_stat_clear_snapshot();
  end loop;
end
$$
"""


def take_lease(url: str) -> int:
    """Change the lease as a sweep does, for as long as it takes; how many recoveries there were."""
    with closing(connect(url)) as connection, transaction(connection), connection.cursor() as cursor:
        cursor.execute("update etl.etl_leases set epoch = epoch + 1 returning recoveries")
        ((recoveries,),) = cursor.fetchall()
        return int(recoveries)


def test_closed_run_keeps_its_warnings(warehouse: Connection) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    warned(warehouse, held, "read as anyone")
    close(warehouse, held, RunStatus.SUCCESS, Status.IDLE)
    warned(warehouse, held, "too late")
    assert runs(warehouse, "warnings", id) == [(["read as anyone"],)]
