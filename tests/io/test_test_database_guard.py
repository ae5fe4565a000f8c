import os
import subprocess
import sys
from pathlib import Path

import pytest

from work_data_hub.errors import UsageError
from work_data_hub.io.marked_databases import is_test_database, mark_as_test, require_test_database
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = "postgresql://someone:secret@production.invalid:5432/production"


def test_marked_database_may_be_destroyed(warehouse: Connection) -> None:
    require_test_database(warehouse)


def test_name_alone_is_not_enough(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("drop table public.wdh_test_marker")

    with pytest.raises(UsageError, match="not marked"):
        require_test_database(warehouse)


def test_marker_alone_is_not_enough(warehouse_url: str) -> None:
    other = connect(warehouse_url.rsplit("/", 1)[0] + "/postgres")
    with other.cursor() as cursor:
        cursor.execute("create table public.wdh_test_marker ()")

    assert not is_test_database(other)
    other.close()


def test_other_database_cannot_be_marked(warehouse_url: str) -> None:
    other = connect(warehouse_url.rsplit("/", 1)[0] + "/postgres")

    with pytest.raises(UsageError, match="the database postgres is not marked"):
        mark_as_test(other)
    other.close()


def test_settings_of_this_session_name_no_database() -> None:
    assert get_settings().database_url is None
    assert get_settings().environment == "dev"
    assert get_settings().home.name.startswith("wdh-tests-")


@pytest.mark.parametrize(
    "shell",
    [
        {"DATABASE_URL": FOREIGN},
        {"WDH_DATABASE__URI": FOREIGN},
        {"WDH_DATABASE__HOST": "production.invalid", "WDH_DATABASE__USER": "someone", "WDH_DATABASE__DB": "production"},
        {"WDH_FAULT": "before_commit", "ENVIRONMENT": "prod"},
        {"PGHOST": "production.invalid", "PGDATABASE": "production"},
    ],
    ids=["url", "uri", "parts", "fault", "libpq"],
)
def test_no_test_sees_the_database_of_the_shell(shell: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DATABASE_URL={FOREIGN}\n")
    probe = f"{__file__}::test_settings_of_this_session_name_no_database"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), probe],
        cwd=tmp_path,
        env={**os.environ, **shell},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
