"""Loads spread over the workers of a real cluster of two processes: the same, or a plain error and nothing written."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import pytest
from distributed import LocalCluster
from tests.cluster_work import become, die, die_once, doubled, fail, refuse_two_and_four
from tests.faulty_months import write_month
from tests.hub import DOMAIN, Hub
from tests.patience import PATIENT_SECONDS, until

from work_data_hub import __version__
from work_data_hub.errors import ClusterError, NoDataRows
from work_data_hub.io.dask_cluster import DaskMapper, open_cluster
from work_data_hub.orchestration.spreading import Cluster, Spread

pytestmark = pytest.mark.integration

NOWHERE = {"WDH_DASK_SCHEDULER": "tcp://127.0.0.1:1", "WDH_DASK_WAIT_SECONDS": "1"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL
        ) as started,
    ):
        yield started


@contextmanager
def mapper_over(cluster: Any) -> Iterator[DaskMapper]:
    until(lambda: len(cluster.scheduler.workers) == 2)
    mapper = open_cluster(cluster.scheduler_address, run_id="test", block_rows=10, wait_seconds=PATIENT_SECONDS)
    try:
        yield mapper
    finally:
        mapper.close()


def over(cluster: Any) -> dict[str, str]:
    return {
        "WDH_DASK_SCHEDULER": cluster.scheduler_address,
        "WDH_DASK_BLOCK_ROWS": "70",
        "WDH_DASK_WAIT_SECONDS": str(PATIENT_SECONDS),
    }


def write_files(hub: Hub) -> tuple[str, ...]:
    """Three workbooks of one month with faulty cells; returns the options that load them."""
    for number, rows in enumerate((200, 150, 250)):
        written = write_month(hub.data, rows=rows, seed=number)
        written.path.rename(written.path.with_name(f"{number}{written.path.name}"))
    return ("--max-files", "3", "--max-rejects", "100%")


def without_clock(report: dict[str, Any]) -> dict[str, Any]:
    domain = {name: fact for name, fact in report["domains"][0].items() if name != "seconds"}
    return {name: fact for name, fact in report.items() if name not in ("run_id", "seconds", "domains")} | domain


def loaded(hub: Hub) -> list[tuple[Any, ...]]:
    """Every fact and every rejected cell of the newest load as text, without what each load has of its own."""
    own = "'{_load_id,id,created_at,updated_at,reject_id,load_id}'::text[]"
    facts = f"select (to_jsonb(t) - {own})::text from business.规模明细 as t order by 1"
    rejects = (
        f"select (to_jsonb(r) - {own})::text from ledger.rejected_rows as r"
        " where load_id = (select max(load_id) from ledger.rejected_rows) order by 1"
    )
    return [*hub.query(facts), *hub.query(rejects)]


def test_files_and_blocks_on_two_workers_load_what_one_machine_loads(hub: Hub, cluster: Any) -> None:
    options = write_files(hub)
    alone, spread = hub.etl(*options), hub.etl(*options, **over(cluster))
    steps = cluster.scheduler.transition_counter

    assert hub.etl("--execute", *options).code == 0
    before = loaded(hub)
    again = hub.etl("--execute", "--force", *options, **over(cluster))

    assert alone.code == 0, alone.stderr
    assert without_clock(spread.report) == without_clock(alone.report)
    assert again.code == 0, again.stderr
    assert again.domain["rows"] == {"read": 600, "rejected": 36, "loaded": 564}
    assert again.domain["tables"][0]["unchanged"] == 564
    assert loaded(hub) == before
    assert len(before) == 600
    assert cluster.scheduler.transition_counter > steps, "nothing was asked of the workers"


def test_answers_are_in_order_and_forgotten_afterwards(cluster: Any) -> None:
    with mapper_over(cluster) as mapper:
        found = list(mapper(doubled, range(20), what="read"))
        keys = set(cluster.scheduler.tasks)

    assert found == [2 * number for number in range(20)]
    assert keys == set() or all(key.startswith("test:") and ":read:" in key for key in keys)
    until(lambda: not cluster.scheduler.tasks)


def test_the_first_error_in_order_counts_with_its_facts(cluster: Any) -> None:
    with mapper_over(cluster) as mapper, pytest.raises(NoDataRows) as caught:
        list(mapper(refuse_two_and_four, range(6), what="read"))

    assert (caught.value.file, caught.value.sheet, caught.value.hint) == ("b.xlsx", "S", "look at it")
    assert caught.value.has_headings


def test_a_fault_of_the_program_is_raised_as_it_is(cluster: Any) -> None:
    with mapper_over(cluster) as mapper, pytest.raises(ZeroDivisionError):
        list(mapper(fail, range(3), what="read"))


def test_work_of_a_worker_that_dies_is_done_again(cluster: Any, tmp_path: Path) -> None:
    with mapper_over(cluster) as mapper:
        assert list(mapper(die_once, [tmp_path / "a", tmp_path / "a", tmp_path / "a"], what="read")) == [7, 7, 7]


def test_work_that_kills_every_worker_is_an_error(cluster: Any) -> None:
    with mapper_over(cluster) as mapper, pytest.raises(ClusterError, match="died again and again"):
        list(mapper(die, range(2), what="refine"))


def test_a_worker_of_another_version_is_refused_by_name(cluster: Any) -> None:
    with mapper_over(cluster) as mapper:
        workers = list(cluster.scheduler.workers)
        mapper.client.run(become, "0.0.0", workers=workers[:1])
        try:
            with pytest.raises(ClusterError, match=f"{workers[0]} runs another version: work_data_hub 0.0.0"):
                open_cluster(cluster.scheduler_address, run_id="r", block_rows=10, wait_seconds=PATIENT_SECONDS)
        finally:
            mapper.client.run(become, __version__, workers=workers[:1])


def test_a_scheduler_without_workers_is_told_of() -> None:
    with LocalCluster(n_workers=0, processes=True, dashboard_address=":0", silence_logs=logging.CRITICAL) as empty:
        address = empty.scheduler_address
        with pytest.raises(ClusterError, match=f"{address} has no worker"):
            open_cluster(address, run_id="r", block_rows=10, wait_seconds=0.5)


def test_without_its_scheduler_a_load_stops_and_writes_nothing(hub: Hub) -> None:
    options, before = write_files(hub), hub.contents()

    answer = hub.etl("--execute", *options, **NOWHERE)

    assert answer.code == 1
    assert "the scheduler at tcp://127.0.0.1:1 does not answer" in answer.domain["error"]["message"]
    assert "unset WDH_DASK_SCHEDULER" in answer.domain["error"]["hint"]
    assert hub.contents() == before


def test_what_dask_says_of_itself_stays_off_the_terminal(hub: Hub) -> None:
    write_files(hub)

    answer = hub.process("etl", "--domains", DOMAIN, "--period", "202410", "--max-files", "3", "--quiet", **NOWHERE)

    assert answer.code == 1
    assert [line[:15] for line in answer.stderr.splitlines()] == ["[CLUSTER_ERROR]"], answer.stderr


def test_a_cluster_is_asked_for_only_when_it_is_needed() -> None:
    spread = Spread(Cluster(address="tcp://127.0.0.1:1", block_rows=10, wait_seconds=0.5), run_id="r")

    spread.close()

    with pytest.raises(ClusterError):
        _ = spread.mapper
