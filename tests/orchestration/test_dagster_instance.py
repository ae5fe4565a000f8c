"""Dagster's home, its page and its storage: what a run of the command line makes of them."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance
from pydantic import SecretStr
from tests.hub import DOMAIN, Hub
from tests.patience import until

from work_data_hub.errors import ConfigError, WarehouseError
from work_data_hub.orchestration.dagster_instance import dagster_environment, dagster_home, dagster_instance
from work_data_hub.settings import Settings, get_settings

CANARY = "s3cret"
_EXECUTE = ["etl", "--domains", DOMAIN, "--period", "202410", "--execute"]


@pytest.fixture(autouse=True)
def _environment_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance opened in this process puts its home into the environment; the next test must not inherit it."""
    monkeypatch.setenv("DAGSTER_HOME", "")


@pytest.mark.unit
def test_a_dagster_page_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    settings = get_settings().model_copy(update={"home": tmp_path, "dagster_home": None})
    page = dagster_home(settings) / "dagster.yaml"
    assert "telemetry" in page.read_text(encoding="utf-8")

    page.write_text("# mine\n", encoding="utf-8")

    assert dagster_home(settings).joinpath("dagster.yaml").read_text(encoding="utf-8") == "# mine\n"


OPEN = """
import sys, time
from pathlib import Path
from work_data_hub.orchestration.dagster_instance import dagster_instance
from work_data_hub.settings import get_settings
home = Path(sys.argv[1])
settings = get_settings().model_copy(update={"home": home, "dagster_home": None})
print("here", flush=True)
sys.stdin.readline()
with dagster_instance(settings) as instance:
    print(instance.get_runs_count())
"""


@pytest.mark.integration
def test_processes_that_open_a_new_home_at_once_all_get_it(tmp_path: Path) -> None:
    opening = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in opening:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
    for process in opening:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.communicate()[0] for process in opening] == ["0\n"] * 4


@pytest.mark.integration
def test_what_writes_facts_is_limited_from_the_first_look_of_the_queue(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    with dagster_instance(settings) as new:
        limits = {pool.name: (pool.limit, pool.from_default) for pool in new.event_log_storage.get_pool_limits()}
        new.event_log_storage.set_concurrency_slots("warehouse", 2)
    with dagster_instance(settings) as again:
        kept = {pool.name: pool.limit for pool in again.event_log_storage.get_pool_limits()}

    assert limits == {"warehouse": (1, True), "registry": (1, True)}
    assert kept == {"warehouse": 2, "registry": 1}


@pytest.mark.integration
def test_ctrl_c_prints_no_traceback(hub: Hub) -> None:
    hub.sample(rows=5_000)
    # A terminal's Ctrl-C reaches every process of the group.
    process = subprocess.Popen(
        hub.command(*_EXECUTE),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    running = "select count(*) from public.pipeline_executions where status = 'running'"
    until(lambda: hub.query(running) == [(1,)])
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate()

    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr


@pytest.mark.unit
def test_only_the_command_line_does_without_compute_logs(tmp_path: Path) -> None:
    settings = _settings(tmp_path)

    with dagster_instance(settings) as ours:
        assert type(ours.compute_log_manager).__name__ == "NoOpComputeLogManager"
    with DagsterInstance.from_config(str(dagster_home(settings))) as of_the_pages:
        assert type(of_the_pages.compute_log_manager).__name__ == "LocalComputeLogManager"


def _settings(home: Path, **changes: object) -> Settings:
    return get_settings().model_copy(update={"home": home, "dagster_home": None, **changes})


@pytest.mark.unit
def test_a_dagster_home_that_cannot_be_made_is_a_setting_to_correct(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")

    for home in (Path("/proc/nope"), tmp_path / "taken"):
        with pytest.raises(ConfigError) as caught:
            dagster_home(_settings(tmp_path, dagster_home=home))
        assert (caught.value.field, caught.value.file) == ("DAGSTER_HOME", str(home))
        assert caught.value.hint


@pytest.mark.unit
@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("storage: [s3cret", "not YAML at line 1"),
        ("- s3cret\n", "CheckError"),
        ("stroage: s3cret\n", "stroage, field not defined"),
        ("telemetry:\n  enabled: s3cret\n", "telemetry.enabled, runtime type mismatch"),
        ("storage:\n  sqlite:\n    base_dir: /proc/s3cret\n", "FileNotFoundError"),
        ("storage:\n  postgres:\n    postgres_url: s3cret\n", "ArgumentError"),
        ("\udcff s3cret\n", "UnicodeDecodeError"),
    ],
)
def test_a_broken_dagster_page_is_named_without_its_values(tmp_path: Path, page: str, reason: str) -> None:
    settings = _settings(tmp_path)
    path = dagster_home(settings) / "dagster.yaml"
    path.write_bytes(page.encode("utf-8", "surrogateescape"))

    with pytest.raises(ConfigError, match=reason) as caught, dagster_instance(settings):
        pass

    assert (caught.value.file, caught.value.field) == (str(path), "DAGSTER_HOME")
    assert caught.value.hint
    assert CANARY not in str(caught.value)


@pytest.mark.unit
def test_an_unreachable_history_is_said_at_once_without_its_password(tmp_path: Path) -> None:
    url = SecretStr(f"postgresql://wdh:{CANARY}@127.0.0.1:1/history")

    with pytest.raises(WarehouseError) as caught:
        dagster_environment(_settings(tmp_path, dagster_pg_url=url))

    assert caught.value.field == "WDH_DAGSTER_PG_URL"
    assert caught.value.hint
    assert "DATABASE_URL" not in caught.value.hint
    assert CANARY not in str(caught.value)


@pytest.mark.integration
def test_an_execute_without_its_history_writes_nothing(hub: Hub) -> None:
    hub.sample()
    answers = [
        hub.process(*_EXECUTE, DAGSTER_HOME="/proc/nope"),
        hub.process(*_EXECUTE, WDH_DAGSTER_PG_URL=f"postgresql://wdh:{CANARY}@127.0.0.1:1/history"),
    ]

    assert [answer.code for answer in answers] == [2, 5]
    assert not any("Traceback" in answer.stderr or CANARY in answer.stderr for answer in answers)
    assert hub.query("select count(*) from business.规模明细") == [(0,)]
