"""A checkpoint outlives a change of the query, and whoever looks at the runs since is told what that means."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from tests.batch_store import FULL, INCREMENTAL, add, batch, claimed, close, runs

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import RunStatus, Status
from work_data_hub.io.batch_history import set_state
from work_data_hub.io.batch_pipelines import update_pipeline
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration

NARROW = replace(INCREMENTAL, source_query="select film_id, title, updated_at from films where rating > 5")
FIRST, SECOND = Place(value="2025-01-01", id="1"), Place(value="2025-02-01", id="2")
ENDS = {RunStatus.SUCCESS: Status.IDLE, RunStatus.FAILED: Status.FAILED}


def ran(connection: Connection, id: UUID, *places: Place, ends: RunStatus = RunStatus.SUCCESS) -> list[str]:
    """The warnings of a run that comes to these places and then ends so."""
    held = claimed(connection, id)
    before = held.checkpoint
    for seq, place in enumerate(places):
        batch(connection, held, seq, until=place, before=before)
        before = place
    close(connection, held, ends, ENDS[ends])
    warnings: list[Any] = runs(connection, "warnings", id)[-1][0]
    return warnings


def change(connection: Connection, id: UUID, pipeline: Pipeline) -> None:
    with transaction(connection), connection.cursor() as cursor:
        assert update_pipeline(cursor, id, pipeline, actor="tester") is not None


def reset(connection: Connection, id: UUID) -> None:
    with transaction(connection), connection.cursor() as cursor:
        assert set_state(cursor, id, None, actor="tester")


def test_runs_of_a_changed_query_say_that_rows_before_are_not_read_until_one_goes_well(warehouse: Connection) -> None:
    id = add(warehouse, NARROW)
    assert ran(warehouse, id, FIRST) == []
    change(warehouse, id, INCREMENTAL)

    failed, succeeded = ran(warehouse, id, ends=RunStatus.FAILED), ran(warehouse, id, SECOND)

    assert [len(failed), len(succeeded)] == [1, 1]
    assert "rows up to 2025-01-01 that qualify only now are not read" in failed[0]
    assert ran(warehouse, id) == []


def test_nothing_is_said_of_a_change_that_takes_no_other_rows(warehouse: Connection) -> None:
    id = add(warehouse, NARROW)
    ran(warehouse, id, FIRST)
    change(warehouse, id, replace(NARROW, batch_size=7, description="of this year"))

    assert ran(warehouse, id) == []


def test_nothing_is_said_once_the_checkpoint_was_reset(warehouse: Connection) -> None:
    id = add(warehouse, NARROW)
    ran(warehouse, id, FIRST)
    change(warehouse, id, INCREMENTAL)
    reset(warehouse, id)

    stopped_half_way = ran(warehouse, id, FIRST, ends=RunStatus.FAILED)

    assert [stopped_half_way, ran(warehouse, id, SECOND)] == [[], []]


def test_nothing_is_said_of_a_pipeline_that_reads_all_rows_each_time(warehouse: Connection) -> None:
    id = add(warehouse, FULL)
    ran(warehouse, id)
    change(warehouse, id, replace(FULL, source_query="select film_id, title from films where rating > 5"))

    assert ran(warehouse, id) == []
