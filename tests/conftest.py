"""What every test stands on: an environment of its own, and a migrated database that may be destroyed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import parse_dsn
from pytest_postgresql import factories

from tests import elasticsearch_servers
from tests.hub import Hub
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.marked_databases import TEST_NAME, mark_as_test, require_test_database
from work_data_hub.io.migrations import upgrade
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.settings import Settings, get_settings

# Names the folder of the server programs to test against, where it is not the wheel's.
PROGRAMS = os.environ.get("WDH_TEST_PG_BIN", "")
_OF_SETTINGS = frozenset(str(field.validation_alias) for field in Settings.model_fields.values())
_OF_OTHERS = ("WDH_", "PG", "DAGSTER_", "ETL_")
# How much the storms do; no settings.
_OF_TESTS = "WDH_CHAOS_"
_HOME = pytest.StashKey[Path]()


def isolate_environment(home: Path) -> None:
    """Make settings come from tests alone: what the shell says is dropped, what `.env` says is overruled."""
    for name in list(os.environ):
        if name in _OF_SETTINGS or (name.startswith(_OF_OTHERS) and not name.startswith(_OF_TESTS)):
            del os.environ[name]
    # An empty variable means "not set", and beats the files.
    os.environ.update(dict.fromkeys((*_OF_SETTINGS, "WDH_DATABASE__URI"), ""))
    os.environ["WDH_HOME"] = str(home)
    get_settings.cache_clear()


def pytest_configure(config: pytest.Config) -> None:
    """Isolate before any test module is imported."""
    config.stash[_HOME] = Path(tempfile.mkdtemp(prefix="wdh-tests-"))
    # The server's user has to pass through.
    config.stash[_HOME].chmod(0o755)
    isolate_environment(config.stash[_HOME])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take the session's home away."""
    home = config.stash.get(_HOME, None)
    if home is not None:
        EmbeddedPostgres(home).stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(autouse=True, scope="session")
def isolated_environment() -> Iterator[None]:
    """Refuse to begin where a test module has let a database of the shell back in."""
    assert get_settings().database_url is None
    yield
    get_settings.cache_clear()


@pytest.fixture
def server_home() -> Iterator[Path]:
    """A home for an embedded server, not made yet; the server's user can enter it, unlike pytest's folders of root."""
    with tempfile.TemporaryDirectory(prefix="wdh-home-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"
        EmbeddedPostgres(Path(folder) / "home").stop()


@pytest.fixture(scope="session")
def embedded_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """One throw-away server for the whole session."""
    home = Path(tempfile.mkdtemp(prefix="wdh-test-server-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home, durable=False, programs=Path(PROGRAMS) if PROGRAMS else None)
    given = parse_dsn(server.start())
    yield SimpleNamespace(
        host=given["host"],
        port=given["port"],
        user=given["user"],
        password=given["password"],
        options="",
        maintenance_dbname="postgres",
        template_dbname="template1",
    )
    server.stop()
    shutil.rmtree(home)


def _migrate_template(**place: Any) -> None:
    url = _url(**place)
    upgrade(url)
    with closing(connect(url, application_name="wdh tests")) as connection:
        mark_as_test(connection)


def _url(*, host: str, port: int, user: str, password: str, dbname: str, **_: Any) -> str:
    return f"postgresql://{user}:{password}@{host}:{port}/{dbname}"


migrated_template = factories.postgresql_noproc(
    depends_on="embedded_server", load=[_migrate_template], dbname=TEST_NAME
)
scratch_database = factories.postgresql("migrated_template")


@pytest.fixture
def warehouse_url(migrated_template: Any, scratch_database: psycopg.Connection) -> str:
    """The URL of a migrated database that lives for one test."""
    scratch_database.close()
    info = migrated_template
    return _url(host=info.host, port=info.port, user=info.user, password=info.password, dbname=info.dbname)


@pytest.fixture
def warehouse(warehouse_url: str) -> Iterator[Connection]:
    """A connection to a migrated database that lives for one test."""
    with closing(connect(warehouse_url, application_name="wdh tests")) as connection:
        require_test_database(connection)
        yield connection


@pytest.fixture
def hub(warehouse_url: str, tmp_path: Path) -> Hub:
    """The command line on an empty data root and a migrated warehouse."""
    home = tmp_path / "home"
    home.mkdir()
    return Hub(home=home, data=tmp_path / "data", url=warehouse_url)


@pytest.fixture
def hub_of(migrated_template: Any, tmp_path: Path) -> Iterator[Callable[[str, Path], Hub]]:
    """Makes named hubs on a data root, each with a migrated warehouse of its own."""
    place = migrated_template
    server = f"postgresql://{place.user}:{place.password}@{place.host}:{place.port}"
    made: list[str] = []

    def make(name: str, data: Path) -> Hub:
        made.append(f"{TEST_NAME}_{name}")
        _act(server, "create database {} template {}", made[-1], place.template_dbname)
        (tmp_path / name).mkdir()
        return Hub(home=tmp_path / name, data=data, url=f"{server}/{made[-1]}")

    yield make
    for name in made:
        _act(server, "drop database {} with (force)", name)


def _act(server: str, statement: str, *names: str) -> None:
    with closing(psycopg2.connect(f"{server}/postgres")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@pytest.fixture
def in_hub(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub's environment as this process's own."""
    for name in ("DATABASE_URL", "WDH_HOME", "WDH_DATA_ROOT", "WDH_CONFIG_DIR"):
        monkeypatch.setenv(name, hub.environment()[name])
    get_settings.cache_clear()
    return hub


elasticsearch_url = elasticsearch_servers.elasticsearch_url
