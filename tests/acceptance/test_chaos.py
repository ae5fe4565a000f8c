"""A load killed at random moments, again and again: the month is as before or as after, never between."""

import os
import random
import signal
import subprocess
from contextlib import closing

import pytest
from tests.hub import DOMAIN, Hub
from tests.patience import until_gone

from work_data_hub.io.postgres import connect

pytestmark = pytest.mark.chaos

ROUNDS = int(os.environ.get("WDH_CHAOS_ROUNDS", "8"))
SEED = int(os.environ.get("WDH_CHAOS_SEED", "7"))


def test_kill_at_any_moment_leaves_the_month_before_or_after(hub: Hub) -> None:
    hub.sample(rows=3_000)
    assert hub.etl("--version", "V1", "--execute").code == 0
    states = {"V1": _facts(hub)}
    assert hub.etl("--version", "V2", "--execute").code == 0
    states["V2"] = _facts(hub)
    moments = random.Random(SEED)

    for _ in range(ROUNDS):
        before, loads = _facts(hub), hub.query("select count(*) from ledger.loads")[0][0]
        version = "V1" if before == states["V2"] else "V2"
        _killed(hub, version, after_seconds=moments.uniform(0.5, 5.0))
        after = _facts(hub)
        committed = hub.query("select count(*) from ledger.loads")[0][0] - loads
        assert after == (states[version] if committed else before)
        assert committed in (0, 1)

    assert hub.etl("--execute", "--force").code == 0
    assert _facts(hub) == states["V2"]
    assert hub.query("select count(*) from public.pipeline_executions where status = 'running'") == [(0,)]


def _killed(hub: Hub, version: str, *, after_seconds: float) -> None:
    process = subprocess.Popen(
        hub.command("etl", "--domains", DOMAIN, "--period", "202410", "--execute", "--version", version),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=after_seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with closing(connect(hub.url)) as connection:
        until_gone(connection, "wdh etl")


def _facts(hub: Hub) -> tuple[int, int]:
    """The month's rows as a number that changes when any business cell does."""
    rows, content = hub.query(
        "select count(*), sum(hashtextextended("
        " (to_jsonb(f) - '{id,created_at,updated_at,_load_id,_source_file}'::text[])::text, 0)::numeric)"
        " from business.规模明细 as f"
    )[0]
    return rows, content
