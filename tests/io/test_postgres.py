from contextlib import closing

import psycopg2
import pytest

from work_data_hub.errors import MalformedUrl, SchemaDrift, WarehouseError
from work_data_hub.io.postgres import (
    Connection,
    connect,
    limit_session,
    masked_url,
    plain_url,
    read_only,
    transaction,
    warehouse_errors,
)

pytestmark = pytest.mark.integration

SECRET = "s3cret-canary"  # pragma: allowlist secret


def count(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from public.sample_data")
        found = cursor.fetchone()
    connection.rollback()
    return int(found[0]) if found else 0


def insert(connection: Connection, number: int = 1) -> None:
    with connection.cursor() as cursor:
        cursor.execute("insert into public.sample_data (id, name) values (%s, 'x')", (number,))


def test_connection_says_who_it_is_and_notices_a_lost_client(warehouse_url: str) -> None:
    connection = connect(warehouse_url, application_name="wdh etl somebody")
    with connection.cursor() as cursor:
        cursor.execute(
            "select current_setting('application_name'), current_setting('client_connection_check_interval')"
        )
        assert cursor.fetchone() == ("wdh etl somebody", "1s")
    connection.close()


def test_connection_begins_outside_a_transaction(warehouse_url: str) -> None:
    connection = connect(warehouse_url)

    assert connection.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    connection.close()


def test_transaction_commits_what_ends_well(warehouse: Connection) -> None:
    with transaction(warehouse):
        insert(warehouse)

    warehouse.rollback()
    assert count(warehouse) == 1


def test_transaction_rolls_back_on_any_error(warehouse: Connection) -> None:
    def interrupted() -> None:
        with transaction(warehouse):
            insert(warehouse)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert count(warehouse) == 0


def test_read_only_transaction_cannot_write(warehouse: Connection) -> None:
    with pytest.raises(WarehouseError, match="read-only"), warehouse_errors(), read_only(warehouse):
        insert(warehouse)

    assert count(warehouse) == 0


def test_read_only_transaction_ends_with_its_block(warehouse: Connection) -> None:
    with read_only(warehouse):
        pass

    assert warehouse.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE
    insert(warehouse)


@pytest.mark.parametrize(
    "statement",
    [
        "select 1 from business.no_such_table",
        "select no_such_column from public.sample_data",
        "select 1 from nowhere.t",
    ],
)
def test_missing_object_is_drift_naming_the_command(warehouse: Connection, statement: str) -> None:
    with pytest.raises(SchemaDrift, match="wdh db migrate"), warehouse_errors(), warehouse.cursor() as cursor:
        cursor.execute(statement)


def test_refused_row_gives_the_servers_message_and_not_the_row(warehouse: Connection) -> None:
    cursor = warehouse.cursor()
    with pytest.raises(WarehouseError, match="null value in column") as caught, warehouse_errors():
        cursor.execute("insert into public.sample_data (id, amount) values (1, 777.77)")

    assert caught.value.field == "name"
    assert "777" not in str(caught.value)


def test_lost_connection_ends_in_one_error(warehouse_url: str, warehouse: Connection) -> None:
    lost = connect(warehouse_url)
    with warehouse.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s, 5000)", (lost.info.backend_pid,))

    with pytest.raises(WarehouseError), warehouse_errors(), transaction(lost):
        insert(lost)


@pytest.mark.parametrize(
    "place",
    ["127.0.0.1:1/wdh", "no-such-host.invalid/wdh", "127.0.0.1:1/wdh?password=s3cret-canary", "127.0.0.1:notaport/wdh"],
)
def test_no_password_in_a_connection_error(place: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        connect(f"postgresql://someone:{SECRET}@{place}")

    assert SECRET not in f"{caught.value} {caught.value.__cause__}"
    assert "someone" in str(caught.value)


@pytest.mark.parametrize("password", ["s3cret@canary", "s3cret/canary", "s3cret?canary", "s3cret#canary"])
def test_unescaped_password_is_explained_and_not_shown(password: str) -> None:
    with pytest.raises(WarehouseError, match="%40") as caught:
        connect(f"postgresql://someone:{password}@127.0.0.1/wdh")

    assert "s3cret" not in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://a:b@h:1/d", "postgresql://a:***@h:1/d"),
        ("postgresql://a@h/d", "postgresql://a@h/d"),
        ("postgresql://h/d?password=b&sslmode=require", "postgresql://h/d?password=***&sslmode=require"),
        ("host=h password=b", "postgresql://***"),
    ],
)
def test_masked_url(url: str, shown: str) -> None:
    assert masked_url(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "host=h password=b",
        "postgresql://[::1/wdh",
        "postgresql://h/wdh?nonsense=1",
        "postgresql://h/%zz",
        "postgresql://h:notaport/wdh",
        "postgresql://127.0.0.1:1,h:99999/wdh",
    ],
)
def test_a_url_that_is_none_is_told_from_a_server_that_is_away(url: str) -> None:
    with pytest.raises(MalformedUrl) as caught:
        connect(url)

    assert caught.value.field == "DATABASE_URL"


@pytest.mark.parametrize("place", ["127.0.0.1:1/wdh", "no-such-host.invalid/wdh"])
def test_a_server_that_is_away_may_come_back(place: str) -> None:
    with pytest.raises(WarehouseError) as caught:
        connect(f"postgresql://{place}")

    assert not isinstance(caught.value, MalformedUrl)


def test_driver_name_is_dropped_from_the_url() -> None:
    assert plain_url("postgresql+psycopg2://a:b@h/d") == "postgresql://a:b@h/d"


@pytest.mark.parametrize(("seconds", "shown"), [(600, "10min"), (2.5, "2500ms"), (0.3, "300ms"), (0.0001, "1ms")])
def test_a_limit_of_a_session_is_never_rounded_to_none(warehouse_url: str, seconds: float, shown: str) -> None:
    with closing(connect(warehouse_url)) as connection:
        limit_session(connection, statement_seconds=60, lock_seconds=seconds, idle_seconds=120)
        with connection.cursor() as cursor:
            names = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
            cursor.execute("select current_setting(name) from unnest(%s) as name", (names,))
            assert [setting for (setting,) in cursor.fetchall()] == ["1min", shown, "2min"]


def test_a_session_without_its_limits_is_not_used(warehouse_url: str) -> None:
    connection = connect(warehouse_url)

    with pytest.raises(psycopg2.Error):
        limit_session(connection, statement_seconds=1, lock_seconds=1, idle_seconds=10**9)

    assert connection.closed
