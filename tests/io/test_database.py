from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from work_data_hub.errors import ConfigError, SchemaDrift
from work_data_hub.io.database import warehouse_url
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.migrations import downgrade, require_head
from work_data_hub.io.postgres import connect
from work_data_hub.orchestration.places import describe_database
from work_data_hub.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def settings(server_home: Path) -> Settings:
    """Settings of a home without a database, and without DATABASE_URL."""
    return Settings(home=server_home)


@pytest.fixture
def scratch_url(request: pytest.FixtureRequest) -> str:
    """The URL of the test's own database; its usual name is the function's under test."""
    return str(request.getfixturevalue("warehouse_url"))


def named(settings: Settings, url: str) -> Settings:
    return Settings(home=settings.home, database_url=SecretStr(url))


def test_plan_without_any_database_makes_none(settings: Settings) -> None:
    assert warehouse_url(settings, for_execute=False) is None
    assert not settings.home.exists()


def test_execute_makes_and_migrates_the_embedded_one(settings: Settings) -> None:
    url = warehouse_url(settings, for_execute=True)

    assert url is not None
    with closing(connect(url)) as connection:
        require_head(connection)


def test_plan_starts_a_stopped_server_that_has_tables(settings: Settings) -> None:
    url = warehouse_url(settings, for_execute=True)
    EmbeddedPostgres(settings.home).stop()

    assert warehouse_url(settings, for_execute=False) == url


def test_plan_does_not_migrate_an_empty_server(settings: Settings) -> None:
    EmbeddedPostgres(settings.home).start()

    assert warehouse_url(settings, for_execute=False) is None


def test_named_database_is_taken_as_it_is(settings: Settings, scratch_url: str) -> None:
    downgrade(scratch_url, "0003")

    url = warehouse_url(named(settings, scratch_url), for_execute=True)
    assert url == scratch_url
    with closing(connect(url)) as connection, pytest.raises(SchemaDrift):
        require_head(connection)
    assert not settings.home.exists()


@pytest.mark.parametrize("environment", ["staging", "prod"])
@pytest.mark.parametrize("for_execute", [True, False])
def test_nothing_is_started_outside_dev(settings: Settings, environment: str, for_execute: bool) -> None:
    strict = settings.model_copy(update={"environment": environment})

    with pytest.raises(ConfigError, match="DATABASE_URL is required"):
        warehouse_url(strict, for_execute=for_execute)
    assert not settings.home.exists()


@pytest.mark.parametrize(
    ("url", "described"),
    [
        (None, None),
        ("postgresql://a:secret@h:5433/d", {"name": "d", "server": "h:5433"}),
        ("postgresql://a:secret@h/d?sslmode=require", {"name": "d", "server": "h:5432"}),
        ("postgresql://a:secret@h1:1,h2:2/d", {"name": "d", "server": "h1:1,h2:2"}),
    ],
)
def test_description_has_no_password(url: str | None, described: dict[str, str] | None) -> None:
    assert describe_database(url) == described
