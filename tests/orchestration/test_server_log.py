"""What Dagster's servers say is kept plain in a file, and a human hears of each error once."""

import io
from pathlib import Path

import pytest

from work_data_hub.orchestration.server_log import FILES_BEFORE, ServerLog

pytestmark = pytest.mark.unit

RUN = "4ccef091-e6a2-42d2-952e-2a9dd32e41c7"
SAID = f"""\
\x1b[32m2026-01-31 12:00:00 +0000\x1b[0m - dagster.daemon.SensorDaemon - \x1b[34mINFO\x1b[0m - Checking for new runs
2026-01-31 12:00:01 +0000 - dagster - ERROR - a_job - {RUN} - 8223 - find - STEP_FAILURE - Execution of step failed.
dagster._core.errors.DagsterExecutionStepExecutionError: Error occurred while executing op "find"::
work_data_hub.errors.DataError: [DATA_ERROR] 规模.xlsx › 规模明细!P39: 3 of 80 rows rejected
2026-01-31 12:00:02 +0000 - dagster - ERROR - a_job - {RUN} - read - Dependencies for step read failed: ['find'].
2026-01-31 12:00:03 +0000 - dagster - ERROR - a_job - {RUN} - 8223 - RUN_FAILURE - Execution of run failed.
work_data_hub.errors.DataError: [DATA_ERROR] 规模.xlsx › 规模明细!P39: 3 of 80 rows rejected
2026-01-31 12:00:04 +0000 - dagster.daemon.SensorDaemon - ERROR - \x1b[31mSensor tick caught an error\x1b[0m
2026-01-31 12:00:05 +0000 - dagster - ERROR - An unexpected exception has occurred
2026-01-31 12:00:34 +0000 - dagster.daemon.SensorDaemon - ERROR - Sensor tick caught an error

"""


@pytest.fixture
def heard(tmp_path: Path) -> list[str]:
    told: list[str] = []
    log = ServerLog(tmp_path / "logs" / "servers.log", tell=told.append)
    log.follow(io.BytesIO(SAID.encode())).join()
    assert log.last_line.endswith("Sensor tick caught an error")
    return told


def test_a_human_hears_our_sentence_the_end_of_the_run_and_what_daemons_complain_of(heard: list[str]) -> None:
    assert heard == [
        "[DATA_ERROR] 规模.xlsx › 规模明细!P39: 3 of 80 rows rejected",
        f"dagster: a_job - {RUN} - 8223 - RUN_FAILURE - Execution of run failed.",
        "dagster.daemon.SensorDaemon: Sensor tick caught an error",
        "dagster: An unexpected exception has occurred",
    ]


def test_the_file_holds_every_line_without_colours(heard: list[str], tmp_path: Path) -> None:
    kept = (tmp_path / "logs" / "servers.log").read_text(encoding="utf-8")

    assert len(kept.splitlines()) == len(SAID.splitlines())
    assert "\x1b" not in kept


def test_the_file_of_the_start_before_is_kept(heard: list[str], tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "logs" / "servers.log", tell=heard.append)
    log.follow(io.BytesIO(b"again\n")).join()

    assert log.path.read_text(encoding="utf-8") == "again\n"
    assert "Checking for new runs" in (tmp_path / "logs" / "servers.log.1").read_text(encoding="utf-8")


def test_a_file_that_is_full_makes_way_for_the_next_and_the_oldest_goes(tmp_path: Path) -> None:
    said = "".join(f"line {number:04d} of 100 %\n" for number in range(2_000))
    log = ServerLog(tmp_path / "servers.log", tell=print, most_bytes=4_000)
    log.follow(io.BytesIO(said.encode())).join()

    older = [tmp_path / f"servers.log.{number}" for number in range(FILES_BEFORE, 0, -1)]
    kept = [path.read_text(encoding="utf-8") for path in (*older, log.path)]

    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (*older, log.path))
    assert max(map(len, kept)) <= 4_000
    assert said.endswith("".join(kept))
    assert log.last_line == "line 1999 of 100 %"
