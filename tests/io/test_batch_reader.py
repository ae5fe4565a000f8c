"""Connections that only read, and what a query gives."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from work_data_hub.errors import ConfigError, InvalidPipeline, SourceLost
from work_data_hub.io.batch_reader import describe, reader_connection
from work_data_hub.io.postgres import Connection
from work_data_hub.io.roles import BATCH_READER, make_roles

pytestmark = pytest.mark.integration

FILMS = "select id as film_id, title from content.film_work"


def reader_of(
    url: str, *, reader_url: str | None = None, may_read_as_anyone: bool = True
) -> tuple[Connection, str | None]:
    return reader_connection(
        url,
        reader_url=reader_url,
        may_read_as_anyone=may_read_as_anyone,
        statement_timeout_seconds=30,
        application_name="wdh batch reader tests",
    )


@pytest.fixture
def reader(warehouse_url: str) -> Iterator[Connection]:
    connection, _ = reader_of(warehouse_url, reader_url=warehouse_url)
    with closing(connection):
        yield connection


@pytest.fixture
def with_roles(warehouse: Connection) -> None:
    make_roles(warehouse, passwords={})


def ask(connection: Connection, statement: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (answer,) = cursor.fetchone() or (None,)
    connection.rollback()
    return answer


def test_a_query_is_described_by_its_columns_in_order(reader: Connection) -> None:
    columns = describe(
        reader,
        "select id as film_id, rating::numeric(5,2), title::varchar(9) as short, updated_at, rating as exact,"
        " 1 as number from content.film_work -- the end",
    )

    assert [(column.name, column.type) for column in columns] == [
        ("film_id", "uuid"),
        ("rating", "numeric(5,2)"),
        ("short", "character varying(9)"),
        ("updated_at", "timestamp with time zone"),
        ("exact", "numeric"),
        ("number", "integer"),
    ]


def test_a_column_of_a_table_is_described_with_its_precision(warehouse: Connection, reader: Connection) -> None:
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute("create table public.seen (at timestamptz(3), day date)")

    columns = describe(reader, "select seen.at as moment, day from public.seen")

    assert [column.type for column in columns] == ["timestamp(3) with time zone", "date"]


@pytest.mark.parametrize(
    "query",
    [
        "select 1 as a, ':name' as b, '%' as c, '%s' as d, $$it's \"x\"$$ as e, ';' as f",
        "select 1 as a -- a comment that ends nowhere",
        "values (1, 'x')",
        "with films as (select 1 as a) select * from films",
    ],
)
def test_a_query_stands_as_it_was_written(reader: Connection, query: str) -> None:
    assert describe(reader, query)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select 1 as a; drop table content.film_work", "multi-query"),
        ("select 1 as a) as source; drop table content.film_work; --", "syntax error"),
        ("select 1 as a) as source union select 2 from (select 3", "syntax error"),
        ("with gone as (delete from content.film_work returning *) select * from gone", "read-only transaction"),
        ("delete from content.film_work returning id", "read-only transaction"),
        ("select id from content.film_work for update", "read-only transaction"),
        ("show timezone", "syntax error"),
        ("select titel from content.film_work", 'column "titel" does not exist'),
        ("select * from content.nothing", 'relation "content.nothing" does not exist'),
        ("select 1 / 0 as a", "division by zero"),
        ("", "multi-query"),
    ],
)
def test_what_is_not_one_reading_query_is_refused_in_the_servers_words(
    reader: Connection, query: str, words: str
) -> None:
    with pytest.raises(InvalidPipeline, match=words) as refused:
        describe(reader, query)

    assert refused.value.hint
    assert ask(reader, "select count(*) from content.film_work") == 0


def test_describing_leaves_no_transaction_open(reader: Connection) -> None:
    describe(reader, FILMS)

    assert reader.info.transaction_status == psycopg2.extensions.TRANSACTION_STATUS_IDLE


def test_a_reader_writes_nothing(reader: Connection) -> None:
    with reader.cursor() as cursor, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        cursor.execute("insert into content.film_work (id, title) values (gen_random_uuid(), 'x')")


def test_a_reader_cannot_begin_to_write_in_the_midst_of_its_transaction(reader: Connection) -> None:
    with reader.cursor() as cursor:
        cursor.execute("select 1")
        with pytest.raises(psycopg2.Error, match="must be set before any query"):
            cursor.execute("set transaction read write")


def test_a_reader_sees_one_state_of_the_database(reader: Connection) -> None:
    with reader.cursor() as cursor:
        cursor.execute("select current_setting('transaction_isolation'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("repeatable read", "30s")


def test_queries_run_in_the_role_of_readers_where_it_may_be_taken(warehouse_url: str, with_roles: None) -> None:
    connection, warning = reader_of(warehouse_url)

    with closing(connection):
        assert ask(connection, "select current_user") == BATCH_READER
        assert [column.name for column in describe(connection, FILMS)] == ["film_id", "title"]
    assert "ETL_READER_URL" in (warning or "")


def test_where_runs_are_in_earnest_a_role_that_a_query_could_leave_is_not_enough(
    warehouse_url: str, with_roles: None
) -> None:
    with pytest.raises(ConfigError, match="wdh db roles") as refused:
        reader_of(warehouse_url, may_read_as_anyone=False)

    assert refused.value.field == "ETL_READER_URL"


def test_the_role_of_readers_sees_no_targets(warehouse_url: str, with_roles: None) -> None:
    connection, _ = reader_of(warehouse_url)

    with closing(connection), pytest.raises(InvalidPipeline, match="permission denied") as refused:
        describe(connection, "select * from analytics.film_dim")

    assert "wdh db roles" in str(refused.value)


def test_without_the_role_queries_run_as_the_user_and_that_is_said(warehouse_url: str) -> None:
    connection, warning = reader_of(warehouse_url)

    with closing(connection):
        assert ask(connection, "select current_user") == "postgres"
    assert "all rights of postgres" in (warning or "")
    assert "ETL_READER_URL" in (warning or "")


def test_without_the_role_nobody_reads_where_that_is_not_allowed(warehouse_url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        reader_of(warehouse_url, may_read_as_anyone=False)

    assert refused.value.field == "ETL_READER_URL"


def test_a_server_that_does_not_answer_may_answer_later(warehouse_url: str) -> None:
    password = psycopg2.extensions.parse_dsn(warehouse_url)["password"]

    with pytest.raises(SourceLost) as lost:
        reader_of(warehouse_url, reader_url=f"postgresql://postgres:{password}@127.0.0.1:1/wdh")

    assert password not in str(lost.value)
