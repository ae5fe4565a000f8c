"""A domain nobody had in mind: drafted from a sample in a copy of the checkout, migrated, loaded, tested."""

import json
import os
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tests.hub import PROJECT
from tests.sheets import write_rows

pytestmark = pytest.mark.integration

NAME = "branch_fees"
HEADINGS = ("月度", "合同编号", "机构", "业务类型", "费用（万元）")
ROWS = (
    (202410, "0001", "北京", "企年受托", 1234.56789),
    (202410, "0002", "火星", "企年投资", "1,000.5"),
    (202410, "0003", "上海", "企年受托", -0.5),
    (202410, "0004", None, "企年受托", None),
    ("合计", None, None, None, 2234.56789),
)
PLACES = {
    f"src/work_data_hub/domain/catalog/{NAME}.py",
    f"tests/domain/test_{NAME}.py",
    "config/data_sources.yml",
}


class Checkout:
    """A copy of the checkout, and commands run in it."""

    def __init__(self, folder: Path, *, url: str) -> None:
        self.folder, self.data = folder / "checkout", folder / "data"
        for name in _kept_files():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROJECT / name, self.folder / name)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("WDH_", "DATABASE_", "COV"))}
        self.environment = kept | {
            "PYTHONPATH": str(self.folder / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DATABASE_URL": url,
            "WDH_HOME": str(folder / "home"),
            "WDH_DATA_ROOT": str(self.data),
            "WDH_CONFIG_DIR": str(self.folder / "config"),
        }

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def wdh(self, *arguments: str) -> str:
        return self.python("work_data_hub", *arguments)

    def load(self) -> dict[str, Any]:
        arguments = ("etl", "--domains", NAME, "--period", "202410", "--execute", "--report", "json")
        return dict(json.loads(self.wdh(*arguments))["domains"][0])

    def contents(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def test_a_new_domain_touches_four_places_and_loads(tmp_path: Path, warehouse_url: str) -> None:
    checkout = Checkout(tmp_path, url=warehouse_url)
    month = checkout.data / "202410" / "收集数据" / "数据采集" / "V1"
    month.mkdir(parents=True)
    sample = write_rows(month / "【for分析】24年10月机构费用 1111.xlsx", [HEADINGS, *ROWS], sheet="机构费用")
    before = checkout.contents()

    assert "PLAN — nothing was written" in checkout.wdh("domain", "new", NAME, "--from", str(sample))
    assert checkout.contents() == before
    checkout.wdh("domain", "new", NAME, "--from", str(sample), "--execute")

    changed = {name for name, content in checkout.contents().items() if before.get(name) != content}
    (migration,) = changed - PLACES
    assert migration.startswith("io/schema/migrations/versions/")
    assert changed == {*PLACES, migration}
    written = sorted(name for name in changed if name.endswith(".py"))
    checkout.python("ruff", "check", *written)
    checkout.python("ruff", "format", "--check", *written)
    checkout.python("mypy", *written)
    checkout.python("pytest", "-p", "no:cacheprovider", f"tests/domain/test_{NAME}.py")
    checkout.wdh("db", "migrate")
    assert "business.机构费用: as declared" in checkout.wdh("schema", "check")
    assert checkout.load()["status"] == "loaded"
    assert _loaded(warehouse_url) == (4, Decimal("2234.5679"), ["G00", "G00", "G01", "G02"], ["PL201", *["PL202"] * 3])
    assert checkout.load()["status"] == "unchanged"


def _loaded(url: str) -> tuple[Any, ...]:
    statement = """
        select count(*), sum("费用"), array_agg("机构代码" order by "机构代码"),
          array_agg("产品线代码" order by "产品线代码")
        from business."机构费用" where "月度" = '2024-10-01' and "合同编号" like '000%'
    """
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone() or ()
    finally:
        connection.close()


def _kept_files() -> list[str]:
    """What git would keep: tracked files, and new ones that are not ignored."""
    command = ["git", "-c", f"safe.directory={PROJECT}", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    return [name for name in listed.split("\0") if name and (PROJECT / name).is_file()]
