"""Runs that load wait for each other in Dagster's queue, and one that is cancelled makes way."""

from contextlib import closing

import pytest
from tests.dagster_daemon import in_time
from tests.dagster_page import launch, pools, status, terminate
from tests.dagster_up import dagster_up
from tests.hub import DOMAIN, Hub

from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import connect

pytestmark = pytest.mark.chaos


def load(url: str, month: str) -> str:
    """Load a month from the Launchpad, patient with whoever holds it."""
    asked = {"period": month, "execute": True, "lock_wait_seconds": 3_600}
    return launch(url, f"{DOMAIN}_job", {"ops": {"find": {"config": asked}}})


def is_held_back(hub: Hub, run_id: str) -> bool:
    """Whether the queue has said so of the run."""
    log = hub.home / "dagster" / "logs" / "servers.log"
    return f"Run {run_id} is blocked" in log.read_text(encoding="utf-8")


def test_loads_queue_and_a_cancelled_one_frees_its_place(hub: Hub) -> None:
    for month in ("202410", "202411"):
        hub.sample(period=month)
    with dagster_up(hub) as up, closing(connect(hub.url, application_name="wdh tests")) as holder:
        up.wait_for(f"ready: {up.url}")
        take_load_lock(holder, domain=DOMAIN, period="202410", wait_seconds=0)
        first = load(up.url, "202410")
        in_time(lambda: status(up.url, first) == "STARTED")
        second, same = load(up.url, "202411"), load(up.url, "202410")
        in_time(lambda: is_held_back(hub, second) and is_held_back(hub, same))

        assert (status(up.url, second), status(up.url, same)) == ("QUEUED", "QUEUED")
        assert pools(up.url) == {"warehouse": 1, "registry": 1}
        terminate(up.url, first)
        in_time(lambda: status(up.url, second) == "SUCCESS")
        assert status(up.url, first) == "CANCELED"
        holder.close()
        in_time(lambda: status(up.url, same) == "SUCCESS")

    assert hub.query("select period::text, count(*) from ledger.loads group by 1 order by 1") == [
        ("2024-10-01", 1),
        ("2024-11-01", 1),
    ]
    assert hub.query("select count(*) from public.pipeline_executions where status = 'running'") == [(0,)]


def test_a_load_broken_off_by_stopping_is_told_at_the_next_start(hub: Hub) -> None:
    hub.sample()
    with closing(connect(hub.url, application_name="wdh tests")) as holder:
        take_load_lock(holder, domain=DOMAIN, period="202410", wait_seconds=0)
        with dagster_up(hub) as up:
            up.wait_for(f"ready: {up.url}")
            run_id = load(up.url, "202410")
            in_time(lambda: status(up.url, run_id) == "STARTED")
    with dagster_up(hub, name="next") as again:
        again.wait_for(f"ready: {again.url}")

        assert status(again.url, run_id) in ("FAILURE", "CANCELED")
        assert hub.query("select count(*) from ledger.loads") == [(0,)]
    assert up.process.returncode == again.process.returncode == 0
    assert f"closed {run_id}: its process was killed before anything was committed" in again.said
