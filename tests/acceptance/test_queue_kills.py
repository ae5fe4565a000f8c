"""Workers of the lookup queue killed again and again: no request is lost, done twice or stuck."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from tests.hub import Hub
from tests.lookup_requests import ask_database, let_rests_end, queue_names, queue_place, watch_queue

from work_data_hub.domain.identity.queue_rules import NO_SUCH_COMPANY, WORKER_GONE
from work_data_hub.domain.sample.companies import sample_company
from work_data_hub.io.company_directory import CompanyDirectory
from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.orchestration.identity_queue import drain_queue
from work_data_hub.orchestration.queue_worker import DrainRequest

ROUNDS = int(os.environ.get("WDH_CHAOS_ROUNDS", "20"))
SEED = int(os.environ.get("WDH_CHAOS_SEED", "7"))

_TOWNS, _SIGNS, _KINDS = ("济南", "青岛", "杭州", "宁波"), "阳月星晨金银铜铁海江", ("纺织", "食品", "机床")
_KNOWN = tuple(f"{town}{sign}光{kind}有限公司" for town in _TOWNS for sign in _SIGNS for kind in _KINDS)
_NAMES = (*_KNOWN, *(f"火星{sign}商行" for sign in _SIGNS))
IDS = {name: str(600_000_001 + number) for number, name in enumerate(_KNOWN)}
# Twenty deaths: four at each point, met by chance, and four by the clock.
_FAULTS = ("after_claim:0.7", "after_ask:0.3", "before_item_commit:0.3", "after_item_commit:0.3", "") * 4
_UNFINISHED = "select 1 from enterprise.enrichment_requests where status in ('pending', 'processing')"

# Workers are forked from a process that has imported everything, so that many of them can be killed in seconds.
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


@pytest.fixture
def registry() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator([sample_company(name, company_id=company_id) for name, company_id in IDS.items()])
    with simulator.serving() as url:
        yield simulator, url


@pytest.mark.integration
def test_twenty_killed_workers_lose_repeat_and_block_nothing(
    warehouse: Connection, warehouse_url: str, registry: tuple[Simulator, str], tmp_path: Path
) -> None:
    simulator, url = registry
    watch_queue(warehouse)
    queue_names(warehouse, *_NAMES)
    moments = random.Random(SEED)
    kills = 0
    for fault in _FAULTS:
        kills += _killed_worker(warehouse_url, url, tmp_path, fault=fault, after_seconds=moments.uniform(0.1, 0.6))
    # The first takes over what the last one killed left behind, the second asks for what rests after that.
    for _ in range(2):
        let_rests_end(warehouse)
        last = _worker(warehouse_url, url, tmp_path, "")
        last.join()
        assert last.exitcode == 0

    assert kills == 20
    _nothing_lost(warehouse)
    _nothing_done_twice(warehouse)
    # A kill wastes at most the one ask that was under way.
    assert len(_NAMES) <= simulator.count("search") <= len(_NAMES) + kills


@pytest.mark.integration
def test_ctrl_c_ends_a_drain_with_130_and_leaves_nothing_in_hand(
    warehouse: Connection, hub: Hub, registry: tuple[Simulator, str]
) -> None:
    simulator, url = registry
    simulator.fail("slow", seconds=0.1)
    queue_names(warehouse, *_NAMES)
    worker = _command(hub, url)
    while simulator.count("search") < 2:
        assert worker.poll() is None

    # Like somebody at the keyboard: Python loses a signal that comes while it collects garbage.
    while worker.poll() is None:
        worker.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            worker.wait(timeout=3)

    assert worker.returncode == 130
    statuses = Counter(status for _, status, _ in _ends(warehouse))
    assert statuses["processing"] == 0
    assert statuses["done"] >= 1
    assert statuses["pending"] > 100
    assert ask_database(warehouse, "select sum(attempts) from enterprise.enrichment_requests") == [(0,)]


@pytest.mark.chaos
def test_workers_killed_two_at_a_time_at_any_moment(
    warehouse: Connection, hub: Hub, registry: tuple[Simulator, str]
) -> None:
    simulator, url = registry
    simulator.fail("slow", seconds=0.02)
    simulator.fail("503", share=0.05, seed=SEED)
    watch_queue(warehouse)
    queue_names(warehouse, *_NAMES)
    moments = random.Random(SEED)
    for _ in range(ROUNDS):
        workers = [_command(hub, url) for _ in range(2)]
        for worker in workers:
            _kill(worker, after_seconds=moments.uniform(0.5, 4.0))
        let_rests_end(warehouse)
    simulator.recover()
    while ask_database(
        warehouse, "select 1 from enterprise.enrichment_requests where status in ('pending', 'processing')"
    ):
        assert _command(hub, url).wait() == 0
        let_rests_end(warehouse)

    _nothing_lost(warehouse, given_up_for=("503", WORKER_GONE))
    _nothing_done_twice(warehouse)


def work(database: str, registry: str, home: Path, fault: str) -> None:
    """A worker's whole life, in a process of its own."""
    access = DirectoryAccess(
        base_url=registry, token=SAMPLE_TOKEN, retry_max=0, rate_limit=100_000, rate_window_seconds=1
    )
    place = queue_place(database, home, faults=Faults.parse(fault))
    with closing(CompanyDirectory(access)) as directory:
        done = drain_queue(DrainRequest(batch_size=5), place, registry=directory, lease_seconds=3_600)
    sys.exit(0 if done.error is None else done.error.exit_code)


def _worker(database: str, registry: str, home: Path, fault: str) -> ForkServerProcess:
    process = _FORKS.Process(target=work, args=(database, registry, home, fault))
    process.start()
    return process


def _killed_worker(database: str, registry: str, home: Path, *, fault: str, after_seconds: float) -> bool:
    """Start a worker that dies at the fault point, or where there is none, at the moment given."""
    process = _worker(database, registry, home, fault)
    process.join(None if fault else after_seconds)
    if process.is_alive():
        process.kill()
        process.join()
    return process.exitcode == -signal.SIGKILL


def _nothing_lost(warehouse: Connection, *, given_up_for: tuple[str, ...] = ()) -> None:
    """Every name is there once and at its right end, or was given up for one of these reasons."""
    ends = _ends(warehouse)
    expected = {name: ("done", IDS[name]) if name in IDS else ("failed", NO_SUCH_COMPANY) for name in _NAMES}
    assert sorted(name for name, *_ in ends) == sorted(_NAMES)
    others = [one for one in ends if one[1:] != expected[one[0]]]
    assert [one for one in others if one[1] != "failed" or not any(why in one[2] for why in given_up_for)] == []


def _nothing_done_twice(warehouse: Connection) -> None:
    """A request ends once and stays there, and what it ended with is stored once."""
    changes = ask_database(warehouse, "select request_id, was, became from public.queue_audit")
    ended = Counter(request_id for request_id, _, became in changes if became in ("done", "failed"))
    assert set(ended.values()) == {1}
    assert [change for change in changes if change[1] in ("done", "failed")] == []
    answered = [name for name, status, end in _ends(warehouse) if status == "done" or end == NO_SUCH_COMPANY]
    stored = ask_database(warehouse, "select searched_name from enterprise.registry_searches")
    assert sorted(name for (name,) in stored) == sorted(answered)


def _ends(warehouse: Connection) -> list[tuple[str, str, str]]:
    """Each request's name and status, and its company or reason."""
    return [
        (name, status, end)
        for name, status, end in ask_database(
            warehouse,
            "select raw_name, status, coalesce(resolved_company_id, last_error, '')"
            " from enterprise.enrichment_requests",
        )
    ]


def _command(hub: Hub, registry: str) -> subprocess.Popen[bytes]:
    settings = {"WDH_EQC_BASE_URL": registry, "WDH_EQC_TOKEN": SAMPLE_TOKEN, "WDH_EQC_RATE_LIMIT": "100000"}
    return subprocess.Popen(
        hub.command("identity", "queue", "--drain", "--batch-size", "10"),
        env=hub.environment(**settings),
        cwd=hub.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _kill(worker: subprocess.Popen[bytes], *, after_seconds: float) -> None:
    deadline = time.monotonic() + after_seconds
    try:
        worker.wait(timeout=max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
