"""What decides in CI whether a run is good must itself be right."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

HERE = Path(__file__).parent
GOOD = {"domain": 95, "io": 75, "orchestration": 65}


def run_script(name: str, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(HERE / name), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def coverage_file(folder: Path, percent: dict[str, int]) -> Path:
    files = {
        f"src/work_data_hub/{layer}/a.py": {"summary": {"covered_lines": covered, "num_statements": 100}}
        for layer, covered in percent.items()
    }
    file = folder / "coverage.json"
    file.write_text(json.dumps({"files": files}), encoding="utf-8")
    return file


def junit_file(folder: Path, name: str, **numbers: int) -> Path:
    attributes = " ".join(f'{key}="{number}"' for key, number in numbers.items())
    file = folder / name
    file.write_text(f"<testsuites><testsuite {attributes}/></testsuites>", encoding="utf-8")
    return file


def test_layers_above_their_floors_pass(tmp_path: Path) -> None:
    assert run_script("coverage_floor.py", coverage_file(tmp_path, GOOD)).returncode == 0


@pytest.mark.parametrize(("layer", "covered"), [("domain", 90), ("io", 70), ("orchestration", 60)])
def test_a_layer_at_its_floor_is_too_thin(tmp_path: Path, layer: str, covered: int) -> None:
    done = run_script("coverage_floor.py", coverage_file(tmp_path, {**GOOD, layer: covered}))
    assert done.returncode == 1
    assert f"coverage of {layer}: {covered}.0 %" in done.stdout


def test_a_layer_without_measurement_is_too_thin(tmp_path: Path) -> None:
    without_io = {layer: covered for layer, covered in GOOD.items() if layer != "io"}
    assert run_script("coverage_floor.py", coverage_file(tmp_path, without_io)).returncode == 1


def test_totals_of_several_runs_are_the_last_line(tmp_path: Path) -> None:
    first = junit_file(tmp_path, "a.xml", tests=10, failures=1, errors=1, skipped=2)
    second = junit_file(tmp_path, "b.xml", tests=3, failures=0, errors=0, skipped=0)
    assert run_script("closing_line.py", first, second).stdout.splitlines()[-1] == "9 passed, 2 failed"
