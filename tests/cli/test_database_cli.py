import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2 import extensions
from tests.batch_roles import forget_roles
from typer.testing import CliRunner

from work_data_hub.cli.database import app
from work_data_hub.errors import WarehouseError, WorkDataHubError
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.migrations import downgrade, expected_head
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.io.roles import ROLES
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration


@pytest.fixture
def named(warehouse_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """DATABASE_URL names the test's database."""
    monkeypatch.setenv("DATABASE_URL", warehouse_url)
    get_settings.cache_clear()
    yield warehouse_url
    get_settings.cache_clear()


@pytest.fixture
def home(server_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No DATABASE_URL, and a home of its own."""
    monkeypatch.setenv("WDH_HOME", str(server_home))
    get_settings.cache_clear()
    yield server_home
    get_settings.cache_clear()


def run(*arguments: str) -> tuple[str, BaseException | None]:
    result = CliRunner().invoke(app, [*arguments])
    return result.stdout, result.exception


def said(*arguments: str) -> str:
    output, error = run(*arguments)
    assert error is None, error
    return output


def refused(*arguments: str) -> tuple[str, WorkDataHubError]:
    output, error = run(*arguments)
    assert isinstance(error, WorkDataHubError)
    return output, error


def password_of(url: str) -> str:
    return str(extensions.parse_dsn(url)["password"])


def test_check_lists_what_is_there(named: str) -> None:
    output = said("check")

    assert "ok      table business.规模明细: select, insert, delete" in output
    assert f"ok      migration head: {expected_head()}" in output
    assert "MISSING" not in output


def test_check_fails_on_a_missing_table_and_still_lists_all(named: str, warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("drop table business.规模明细")
    warehouse.commit()

    output, error = refused("check")
    assert error.exit_code == 5
    assert "MISSING table business.规模明细: does not exist" in output
    assert "ok      table ledger.loads" in output


def test_check_names_the_command_for_an_old_head(named: str) -> None:
    downgrade(named, "0004")

    output, error = refused("check")
    assert "MISSING migration head: 0004" in output
    assert "wdh db migrate" in str(error)


def test_check_names_the_missing_privileges(named: str, warehouse: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("drop role if exists wdh_test_reader")
        cursor.execute("create role wdh_test_reader login password 'pw'")
        cursor.execute("grant usage on schema business to wdh_test_reader")
        cursor.execute("grant select on business.规模明细 to wdh_test_reader")
    warehouse.commit()
    monkeypatch.setenv("DATABASE_URL", named.replace(f"postgres:{password_of(named)}@", "wdh_test_reader:pw@"))
    get_settings.cache_clear()

    output, _ = refused("check")
    assert "MISSING table business.规模明细: lacks insert, delete" in output
    assert "MISSING schema ledger: exists, but is closed to this user" in output
    with warehouse.cursor() as cursor:
        cursor.execute("drop owned by wdh_test_reader; drop role wdh_test_reader")
    warehouse.commit()


def test_url_hides_the_password_unless_asked(named: str) -> None:
    assert password_of(named) not in said("url")
    assert said("url", "--show-password").strip() == named


@pytest.mark.parametrize("command", ["start", "status", "ping", "check", "url"])
def test_no_command_prints_the_password(named: str, command: str) -> None:
    assert password_of(named) not in said(command)


def test_start_with_a_named_database_starts_nothing(named: str, home: Path) -> None:
    assert "nothing to start" in said("start")
    assert not EmbeddedPostgres(home).exists()


def test_migrate_says_from_where_to_where(named: str) -> None:
    downgrade(named, "0002")

    assert said("migrate").strip() == f"migration: 0002 → {expected_head()}"
    assert said("migrate").strip() == f"migration: {expected_head()} (nothing to do)"


def test_embedded_server_from_start_to_stop(home: Path) -> None:
    assert "none yet" in said("status")
    assert "running: postgresql://postgres:***@127.0.0.1:" in said("start")
    assert "migration: none" in said("status")
    assert "none → " in said("migrate")
    assert "MISSING" not in said("check")
    assert said("stop").strip() == "stopped"
    assert "stopped; `wdh db start` starts it" in said("status")


def test_check_without_any_database_says_so(home: Path) -> None:
    _, error = refused("check")

    assert isinstance(error, WarehouseError)
    assert "wdh db migrate" in str(error)
    assert not EmbeddedPostgres(home).exists()


def test_roles_can_do_their_work_and_no_more(
    named: str, warehouse: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_ROLE_PASSWORD_WDH_APP", "app-canary")
    output = said("roles")

    assert "wdh_app: " in output
    # Roles belong to the whole server: another test may have made this one.
    assert re.search("etl_reader: (made|was there), cannot log in; set WDH_ROLE_PASSWORD_ETL_READER", output)
    assert "app-canary" not in output
    application = connect(named.replace(f"postgres:{password_of(named)}@", "wdh_app:app-canary@"))
    assert granted(application, "business.规模明细", "delete") == (True, False)
    application.close()
    assert said("roles").count("was there") == len(ROLES)
    forget_roles(warehouse)


def granted(connection: Connection, table: str, privilege: str) -> tuple[bool, ...]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select has_table_privilege(%s, %s), has_schema_privilege('business', 'CREATE')", (table, privilege)
        )
        return tuple(cursor.fetchone() or ())
