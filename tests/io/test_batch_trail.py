"""What batch pipelines did stays on record: nobody rewrites it, whatever rights he has."""

import psycopg2
import pytest
from tests.batch_store import FULL, add, ask, batch, claimed, close, request, runs, silence, status_of, swept

from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.io.batch_ledger import begin_scan
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration


def refused(connection: Connection, statement: str, *values: str) -> str:
    """The server's refusal of the statement."""
    with pytest.raises(psycopg2.errors.IntegrityError) as error:
        ask(connection, statement, *values)
    return str(error.value)


@pytest.mark.parametrize("table", ["etl_batches", "etl_events"])
@pytest.mark.parametrize("statement", ["update etl.{} set epoch = 7", "delete from etl.{}"])
def test_batches_and_events_are_only_ever_added(warehouse: Connection, table: str, statement: str) -> None:
    batch(warehouse, claimed(warehouse, add(warehouse)))
    before = ask(warehouse, f"select * from etl.{table}")

    assert "only ever added" in refused(warehouse, statement.format(table))

    assert before
    assert ask(warehouse, f"select * from etl.{table}") == before


@pytest.mark.parametrize("status", [RunStatus.SUCCESS, RunStatus.PAUSED, RunStatus.FAILED])
def test_a_run_that_has_ended_stays_as_it_ended(warehouse: Connection, status: RunStatus) -> None:
    id = add(warehouse)
    held = claimed(warehouse, id)
    to = {RunStatus.SUCCESS: Status.IDLE, RunStatus.PAUSED: Status.PAUSED, RunStatus.FAILED: Status.FAILED}[status]
    close(warehouse, held, status, to)
    before = ask(warehouse, "select * from etl.etl_runs")

    for change in (
        "rows_read = 7",
        "error_message = null",
        "status = 'RUNNING', finished_at = null",
        "warnings = '[]'",
        "id = gen_random_uuid()",
    ):
        assert f"is {status}, and stays as it is" in refused(warehouse, f"update etl.etl_runs set {change}")

    assert ask(warehouse, "select * from etl.etl_runs") == before


def test_no_run_is_deleted(warehouse: Connection) -> None:
    held = claimed(warehouse, add(warehouse))
    assert "stays as it is" in refused(warehouse, "delete from etl.etl_runs")
    close(warehouse, held, RunStatus.FAILED, Status.FAILED)

    assert "stays as it is" in refused(warehouse, "delete from etl.etl_runs")


def test_a_pipeline_does_not_take_its_trail_away(warehouse: Connection) -> None:
    id = add(warehouse)

    assert "foreign key" in refused(warehouse, "delete from etl.etl_pipelines")

    assert status_of(warehouse, id) is Status.IDLE
    assert ask(warehouse, "select to_status from etl.etl_events") == [("IDLE",)]


@pytest.mark.parametrize("column", ["from_status", "to_status"])
def test_an_event_names_statuses_that_there_are(warehouse: Connection, column: str) -> None:
    id = add(warehouse)
    values = {"from_status": "IDLE", "to_status": "IDLE", column: "DONE"}

    said = refused(
        warehouse,
        "insert into etl.etl_events (pipeline_id, from_status, to_status, actor) values (%s, %s, %s, 'x')",
        str(id),
        *values.values(),
    )

    assert f"event_{column}" in said


def test_a_run_that_lives_counts_anew_and_is_closed_by_others(warehouse: Connection) -> None:
    id = add(warehouse, FULL)
    held = claimed(warehouse, id)
    batch(warehouse, held)
    with transaction(warehouse), warehouse.cursor() as cursor:
        begin_scan(cursor, held)
    assert runs(warehouse, "rows_read::int, status", id) == [(0, "RUNNING")]
    silence(warehouse, "one")

    swept(warehouse)
    request(warehouse, id)

    assert runs(warehouse, "status", id) == [("FAILED",)]
    assert ask(warehouse, "select count(*) from etl.etl_batches") == [(1,)]
