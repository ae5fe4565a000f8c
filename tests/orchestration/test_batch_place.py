"""Where pipelines read: with a login that no query can leave, which the embedded server makes by itself."""

import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr
from tests.batch_roles import Logins, logins_of
from tests.batch_store import FULL, add, ask, claimed

from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.errors import ConfigError, InvalidPipeline
from work_data_hub.io.batch_reader import describe, reader_connection
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.roles import BATCH_READER, make_reader
from work_data_hub.orchestration.batch_place import BatchPlace, batch_place, reading_place
from work_data_hub.orchestration.batch_run import run_claim
from work_data_hub.settings import Settings

pytestmark = pytest.mark.integration

QUERY = "select id as film_id, title, rating from content.film_work"
THEIRS = "pw-of-an-operator"  # pragma: allowlist secret
WHO = "select current_user::text, session_user::text"
# Functions that run a text as a query, and calls that a comment hides.
RESET = "select count(*) from ts_stat($$select to_tsvector(set_config('role', 'none', false))$$)"
CLIMBS = [
    RESET,
    RESET.replace("none", "postgres"),
    RESET.replace("'role', 'none'", "'session_authorization', 'postgres'"),
    "select query_to_xml('select set_config(''role'', ''none'', false)', true, true, '')",
    "select ts_rewrite('a'::tsquery, 'select ''a''::tsquery, set_config(''role'', ''none'', false)::tsquery')",
    "select set_config/* /* */ */('role', 'none', false)",
    "select '--' || set_config/**/('role', 'none', false)",
    "reset role",
    "reset session authorization",
]


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose server is made by the first who needs it; the server's user can enter it."""
    with tempfile.TemporaryDirectory(prefix="wdh-home-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "home"
        EmbeddedPostgres(Path(folder) / "home").stop()


@pytest.fixture
def place(home: Path) -> BatchPlace:
    return batch_place(Settings(home=home))


@pytest.fixture
def owner(place: BatchPlace) -> Iterator[Connection]:
    with closing(connect(place.database_url, application_name="wdh tests")) as connection:
        yield connection


def reader_of(place: BatchPlace) -> tuple[Connection, str | None]:
    return reader_connection(
        place.database_url,
        reader_url=place.reader_url,
        may_read_as_anyone=place.may_read_as_anyone,
        statement_timeout_seconds=30,
        application_name="wdh batch reader tests",
    )


def who_reads(connection: Connection) -> tuple[Any, ...]:
    (found,) = ask(connection, WHO)
    return found


def test_the_embedded_server_reads_with_a_login_of_its_own(place: BatchPlace, owner: Connection) -> None:
    connection, warning = reader_of(place)

    with closing(connection):
        assert who_reads(connection) == (BATCH_READER, BATCH_READER)
        assert [column.name for column in describe(connection, QUERY)] == ["film_id", "title", "rating"]
        for target in ("analytics.film_dim", "etl.etl_pipelines", "customer.contract_years"):
            with pytest.raises(InvalidPipeline, match="permission denied"):
                describe(connection, f"select * from {target}")
    assert warning is None
    assert ask(owner, "select rolsuper or rolcreaterole from pg_roles where rolname = %s", BATCH_READER) == [(False,)]


@pytest.mark.parametrize("climb", CLIMBS)
def test_no_query_leaves_that_login(place: BatchPlace, climb: str) -> None:
    connection, _ = reader_of(place)

    with closing(connection):
        with suppress(psycopg2.Error):
            ask(connection, climb)
        assert who_reads(connection) == (BATCH_READER, BATCH_READER)
        with pytest.raises(InvalidPipeline, match="permission denied"):
            describe(connection, "select * from analytics.film_dim")


def test_a_run_on_the_embedded_server_has_nothing_to_warn_of(place: BatchPlace, owner: Connection) -> None:
    with transaction(owner), owner.cursor() as cursor:
        seed_films(cursor, scale=0)
    claim = claimed(owner, add(owner, replace(FULL, source_query=QUERY)))

    assert run_claim(claim, place, stop=threading.Event(), lost=threading.Event()) is RunStatus.SUCCESS

    assert ask(owner, "select rows_written::int, warnings from etl.etl_runs") == [(10, [])]


def test_the_readers_password_is_kept_for_its_owner_and_shown_nowhere(
    home: Path, place: BatchPlace, capfd: pytest.CaptureFixture[str]
) -> None:
    kept = EmbeddedPostgres(home).folder / "reader_password"
    again = batch_place(Settings(home=home))
    password = parse_dsn(again.reader_url or "")["password"]

    assert again.reader_url == place.reader_url
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text() == password
    log = (EmbeddedPostgres(home).data / "server.log").read_text()
    for shown in (repr(again), log, *capfd.readouterr()):
        assert password not in shown


@pytest.mark.parametrize("loss", ["gone", "empty", "another"])
def test_a_password_that_was_lost_is_made_again(home: Path, place: BatchPlace, loss: str) -> None:
    kept = EmbeddedPostgres(home).folder / "reader_password"
    if loss == "gone":
        kept.unlink()
    else:
        kept.write_text("" if loss == "empty" else "never-set")

    connection, _ = reader_of(batch_place(Settings(home=home)))

    with closing(connection):
        assert who_reads(connection) == (BATCH_READER, BATCH_READER)
    assert kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_password_that_somebody_else_gave_is_not_replaced_in_silence(
    home: Path, place: BatchPlace, owner: Connection, caplog: pytest.LogCaptureFixture, is_kept: bool
) -> None:
    make_reader(owner, password=THEIRS)
    kept = EmbeddedPostgres(home).folder / "reader_password"
    if not is_kept:
        kept.unlink()
    caplog.clear()

    batch_place(Settings(home=home))

    told = caplog.text
    assert told.count("reader.password_replaced") == 1
    assert "ETL_READER_URL" in told
    assert THEIRS not in told
    assert kept.read_text() not in told


def test_nothing_is_said_where_the_kept_password_holds(
    home: Path, place: BatchPlace, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    ask(owner, f"revoke select on content.film_work from {BATCH_READER}")
    caplog.clear()

    for _ in range(2):
        batch_place(Settings(home=home))

    assert "reader.password_replaced" not in caplog.text


def test_nothing_is_said_of_a_role_without_a_password(
    home: Path, place: BatchPlace, owner: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    ask(owner, f"alter role {BATCH_READER} nologin password null")
    caplog.clear()

    batch_place(Settings(home=home))

    assert "reader.password_replaced" not in caplog.text


def test_what_the_reader_lacks_is_granted_at_the_next_start(home: Path, place: BatchPlace, owner: Connection) -> None:
    ask(owner, f"revoke select on content.film_work from {BATCH_READER}")
    ask(owner, "create table content.made_later (id int)")
    before, _ = reader_of(place)
    with closing(before), pytest.raises(InvalidPipeline, match="permission denied"):
        describe(before, QUERY)

    after, _ = reader_of(batch_place(Settings(home=home)))

    with closing(after):
        assert describe(after, QUERY)
        assert describe(after, "select id from content.made_later")


@pytest.fixture
def logins(warehouse: Connection, warehouse_url: str) -> Iterator[Logins]:
    with logins_of(warehouse, warehouse_url) as found:
        yield found


def test_on_another_server_a_role_that_was_taken_can_be_left_and_the_run_says_so(
    warehouse: Connection, warehouse_url: str, logins: Logins
) -> None:
    place = batch_place(Settings(database_url=SecretStr(warehouse_url)))
    claim = claimed(warehouse, add(warehouse, replace(FULL, source_query=QUERY)))
    connection, warning = reader_of(place)

    with closing(connection):
        assert who_reads(connection) == (BATCH_READER, "postgres")
        ask(connection, RESET)
        assert who_reads(connection) == ("postgres", "postgres")
    assert run_claim(claim, place, stop=threading.Event(), lost=threading.Event()) is RunStatus.SUCCESS
    ((warnings,),) = ask(warehouse, "select warnings from etl.etl_runs")
    assert warnings == [warning]
    assert "ETL_READER_URL" in warnings[0]


def test_on_another_server_the_login_that_is_named_reads(warehouse_url: str, logins: Logins) -> None:
    reader_url = SecretStr(logins.url_of(BATCH_READER))
    settings = Settings(
        environment="prod",
        database_url=SecretStr(warehouse_url),
        etl_reader_url=reader_url,
        alias_salt=SecretStr("salt-of-this-test"),
    )

    connection, warning = reader_of(reading_place(settings))

    with closing(connection):
        with suppress(psycopg2.Error):
            ask(connection, RESET)
        assert who_reads(connection) == (BATCH_READER, BATCH_READER)
    assert warning is None


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_outside_dev_nobody_reads_without_that_login(warehouse_url: str, environment: Any) -> None:
    settings = Settings(
        environment=environment, database_url=SecretStr(warehouse_url), alias_salt=SecretStr("salt-of-this-test")
    )

    with pytest.raises(ConfigError, match="wdh db roles") as refused:
        reading_place(settings)

    assert refused.value.field == "ETL_READER_URL"
    assert batch_place(settings).reader_url is None
