"""Add up several test runs: `closing_line.py a.xml b.xml` prints `N passed, N failed` as its last line."""

import sys
from collections import Counter
from pathlib import Path

from defusedxml import ElementTree


def outcomes(junit_file: Path) -> Counter[str]:
    """Count passed, failed and skipped of one JUnit file; errors count as failed."""
    counted: Counter[str] = Counter()
    for suite in ElementTree.parse(junit_file).getroot().iter("testsuite"):
        number = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        counted.update(
            passed=max(number["tests"] - failed - number["skipped"], 0), failed=failed, skipped=number["skipped"]
        )
    return counted


def main(junit_files: list[Path]) -> None:
    """Print what was skipped, then the combined totals."""
    total: Counter[str] = sum((outcomes(file) for file in junit_files), Counter())
    print(f"{total['skipped']} skipped in {len(junit_files)} runs")
    print(f"{total['passed']} passed, {total['failed']} failed")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
