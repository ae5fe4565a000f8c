"""Hold each layer to its coverage: `coverage_floor.py coverage.json` exits 1 when a layer is too thin."""

import json
import sys
from pathlib import Path

FLOORS = {"domain": 90.0, "io": 70.0, "orchestration": 60.0}  # percent; a layer must be above


def layer_of(file: str) -> str:
    """`src/work_data_hub/io/queries/x.py` → `io`."""
    parts = Path(file.replace("\\", "/")).parts
    return parts[parts.index("work_data_hub") + 1]


def measure(report: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, float]:
    """Percent of lines and branches covered, one entry a layer that has anything to cover."""
    totals: dict[str, list[int]] = {}
    for file, entry in report["files"].items():
        summary = entry["summary"]
        total = totals.setdefault(layer_of(file), [0, 0])
        total[0] += summary["covered_lines"] + summary.get("covered_branches", 0)
        total[1] += summary["num_statements"] + summary.get("num_branches", 0)
    return {layer: 100 * covered / wanted for layer, (covered, wanted) in totals.items() if wanted}


def main(report_path: Path) -> int:
    """Print one line a layer; return 1 when one is at or below its floor, or was not measured."""
    measured = measure(json.loads(report_path.read_text(encoding="utf-8")))
    too_thin = [layer for layer, floor in FLOORS.items() if measured.get(layer, 0.0) <= floor]
    for layer, floor in FLOORS.items():
        verdict = "too thin" if layer in too_thin else "ok"
        print(f"coverage of {layer}: {measured.get(layer, 0.0):.1f} %, must be above {floor:.0f} %: {verdict}")
    return 1 if too_thin else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
