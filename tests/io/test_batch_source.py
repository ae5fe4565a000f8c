"""The rows of a query, page by page."""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from work_data_hub.domain.batch.pipeline import Mode, NullKey, Pipeline, Strategy
from work_data_hub.domain.batch.run import Cursor, Page
from work_data_hub.errors import BatchError, InvalidPipeline, SourceLost
from work_data_hub.io.batch_reader import reader_connection
from work_data_hub.io.batch_source import Source, open_source
from work_data_hub.io.postgres import Connection, connect

pytestmark = pytest.mark.integration

NUMBERS = "select n, 'row ' || n as title from generate_series(1, 10) as n"
FILMS = "select id as film_id, title, rating, updated_at, film_work.xmin as version from content.film_work"


def pipeline(query: str, *, batch_size: int = 4, **options: Any) -> Pipeline:
    return Pipeline(name="films", target_table="analytics.any", source_query=query, batch_size=batch_size, **options)


def incremental(query: str = FILMS, *, key: str = "updated_at", id_key: str = "film_id", **options: Any) -> Pipeline:
    return pipeline(query, mode=Mode.INCREMENTAL, incremental_key=key, incremental_id_key=id_key, **options)


@pytest.fixture
def reader(warehouse_url: str) -> Iterator[Connection]:
    connection, _ = reader_connection(
        warehouse_url,
        reader_url=warehouse_url,
        may_read_as_anyone=True,
        statement_timeout_seconds=600,
        application_name="wdh batch reader tests",
    )
    with closing(connection):
        yield connection


def opened(
    reader: Connection,
    definition: Pipeline,
    *,
    since: Cursor | None = None,
    resume_at: Cursor | None = None,
    as_records: bool = True,
) -> Source:
    return open_source(reader, definition, checkpoint=since, resume_at=resume_at, as_records=as_records)


def read(reader: Connection, definition: Pipeline, **places: Any) -> list[Page]:
    with closing(opened(reader, definition, **places)) as source:
        return list(source.pages())


def records(pages: list[Page]) -> list[str]:
    return [record for page in pages for record in page.records or ()]


def write(warehouse: Connection, statement: str, *values: Any) -> None:
    with warehouse, warehouse.cursor() as cursor:
        cursor.execute(statement, values or None)


def add_films(warehouse: Connection, *moments: str | None) -> list[str]:
    """One film a moment, with ids in the same order; returns the ids."""
    ids = [str(uuid.UUID(int=number + 1)) for number in range(len(moments))]
    write(
        warehouse,
        "insert into content.film_work (id, title, updated_at)"
        " select id, 'film', moment from unnest(%s::uuid[], %s::timestamptz[]) as film (id, moment)",
        ids,
        list(moments),
    )
    return ids


def ids_of(pages: list[Page]) -> list[str]:
    return [record[1:37] for record in records(pages)]


def test_a_full_run_reads_all_rows_in_the_querys_order(reader: Connection) -> None:
    pages = read(reader, pipeline(NUMBERS + " order by n desc"))

    assert [page.rows_read for page in pages] == [4, 4, 2]
    assert records(pages)[:2] == ['(10,"row 10")', '(9,"row 9")']
    assert {page.cursor for page in pages} == {None}


def test_rows_come_as_dictionaries_where_records_are_not_asked_for(reader: Connection) -> None:
    (page,) = read(reader, pipeline("select 1 as n, 1.50 as amount, null as nothing"), as_records=False)

    assert page.rows == [{"n": 1, "amount": Decimal("1.50"), "nothing": None}]
    assert page.records is None


def test_an_ordered_run_gives_dictionaries_of_the_querys_columns_only(
    warehouse: Connection, reader: Connection
) -> None:
    add_films(warehouse, "2024-01-01")

    (page,) = read(reader, incremental(strategy=Strategy.OVERLAP), as_records=False)

    assert page.rows is not None
    assert list(page.rows[0]) == [column.name for column in page.columns]


def test_a_record_is_read_back_as_the_row_that_it_was(warehouse: Connection, reader: Connection) -> None:
    titles = ['say "hi", (really)', "back\\slash", "", "两行\n文字", "a'b%s"]
    write(
        warehouse,
        "insert into content.film_work (id, title) select gen_random_uuid(), t from unnest(%s) as t",
        titles,
    )

    found = records(read(reader, pipeline("select id, title, rating, updated_at from content.film_work")))

    with warehouse.cursor() as cursor:
        cursor.execute(
            "select (r::content.film_work).* from unnest(%s) as r except select * from content.film_work", (found,)
        )
        assert (len(found), cursor.fetchall()) == (5, [])


def test_an_empty_source_has_no_pages(reader: Connection) -> None:
    assert read(reader, pipeline(FILMS)) == read(reader, pipeline(FILMS, unique_key="film_id")) == []
    assert read(reader, incremental()) == []


def test_pages_come_before_the_query_has_come_to_its_end(reader: Connection) -> None:
    source = opened(reader, pipeline("select 1 / (7 - n) as a from generate_series(1, 10) as n", batch_size=3))

    pages = source.pages()

    assert [next(pages).rows_read, next(pages).rows_read] == [3, 3]
    with pytest.raises(BatchError, match="division by zero"):
        next(pages)
    source.close()


def test_a_run_sees_the_source_as_it_was_when_it_was_opened(warehouse: Connection, reader: Connection) -> None:
    add_films(warehouse, *["2024-01-01"] * 6)
    with closing(opened(reader, pipeline(FILMS, batch_size=2))) as source:
        pages = source.pages()
        seen = next(pages).rows_read
        write(warehouse, "delete from content.film_work")

        assert seen + sum(page.rows_read for page in pages) == 6


def test_a_query_stands_as_it_was_written(reader: Connection) -> None:
    query = "select 1 as n, ':name %s % ;' as a, $$it's$$ as b -- the end"

    assert records(read(reader, pipeline(query))) == ['(1,":name %s % ;",it\'s)']
    assert records(read(reader, pipeline(query, unique_key="n"))) == ['(1,":name %s % ;",it\'s)']


def test_a_column_called_as_we_call_the_query_is_a_column(reader: Connection) -> None:
    assert records(read(reader, pipeline("select 'web' as source, 1 as n"))) == ["(web,1)"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", ["-5", "2", "10", "200"]),
        ("text", ["10", "9", "a'b", "ä"]),
        ("numeric(6,2)", ["-1.50", "2.00", "10.25", "10.26"]),
        ("uuid", [str(uuid.UUID(int=number)) for number in (1, 2, 300, 4000)]),
        ("date", ["2023-12-31", "2024-01-01", "2024-01-02", "2024-02-01"]),
    ],
)
def test_a_full_run_by_a_unique_key_goes_on_behind_any_page(reader: Connection, kind: str, values: list[str]) -> None:
    rows = ", ".join(f"('{value.replace(chr(39), chr(39) * 2)}'::{kind})" for value in reversed(values))
    definition = pipeline(f"select k from (values {rows}) as v (k)", unique_key="k", batch_size=1)

    pages = read(reader, definition)

    assert [page.cursor for page in pages] == [Cursor(id=value) for value in values]
    for number, page in enumerate(pages, start=1):
        assert records(read(reader, definition, resume_at=page.cursor)) == records(pages[number:])


@pytest.mark.parametrize(
    ("kind", "values", "places"),
    [
        (
            "timestamptz",
            ["2024-01-01 00:00:00+00", "2024-01-01 00:00:00.000001+00", "2024-01-01 01:00:00.5+00"],
            [
                "2024-01-01T00:00:00.000000+00:00",
                "2024-01-01T00:00:00.000001+00:00",
                "2024-01-01T01:00:00.500000+00:00",
            ],
        ),
        (
            "timestamptz",
            ["-infinity", "0044-03-15 00:00:00+00 BC", "12024-01-01 00:00:00.000001+00"],
            ["-infinity", "0044-03-15T00:00:00.000000+00:00 BC", "12024-01-01T00:00:00.000001+00:00"],
        ),
        (
            "timestamp",
            ["2024-01-01 00:00:00", "2024-01-01 00:00:00.123456", "2024-01-02 00:00:00"],
            ["2024-01-01T00:00:00.000000", "2024-01-01T00:00:00.123456", "2024-01-02T00:00:00.000000"],
        ),
        ("date", ["2024-01-01", "2024-01-02", "2024-02-01"], None),
        ("bigint", ["-1", "9", "9007199254740993"], None),
        ("numeric", ["0.1", "0.10000000000000000001", "3"], None),
        ("float8", ["-0.1", "0.1", "0.30000000000000004"], None),
        ("text", ["10", "9", "年"], None),
    ],
)
def test_an_incremental_run_goes_on_behind_any_page_by_any_key(
    reader: Connection, kind: str, values: list[str], places: list[str] | None
) -> None:
    rows = ", ".join(f"('{value}'::{kind}, {id_})" for value in reversed(values) for id_ in (20, 3))
    strategy = Strategy.SAFE if "12024" not in str(values) else Strategy.OVERLAP
    definition = incremental(
        f"select k, id from (values {rows}) as v (k, id)",
        key="k",
        id_key="id",
        batch_size=1,
        strategy=strategy,
        overlap_seconds=Decimal(0),
    )
    one(reader, "select set_config('timezone', 'Asia/Shanghai', false)")
    reader.commit()

    pages = read(reader, definition)

    assert [page.cursor for page in pages] == [
        Cursor(value=place, id=id_) for place in places or values for id_ in ("3", "20")
    ]
    for number, page in enumerate(pages, start=1):
        rest = [page for page in read(reader, definition, since=page.cursor) if not page.rows_rescanned]
        assert records(rest) == records(pages[number:])


def one(connection: Connection, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        (value,) = cursor.fetchone() or (None,)
    return value


def test_a_quiet_source_has_no_pages_a_second_time(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-02", "2024-01-01")
    pages = read(reader, incremental())

    assert ids_of(pages) == ids[::-1]
    assert read(reader, incremental(), since=pages[-1].cursor) == []


def test_a_row_touched_a_moment_ago_is_found(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-01", "2024-01-02")
    place = read(reader, incremental())[-1].cursor
    write(warehouse, "update content.film_work set updated_at = now() where id = %s", ids[0])

    assert ids_of(read(reader, incremental(), since=place)) == ids[:1]


def test_rows_that_an_open_transaction_may_come_before_are_left_for_later(
    warehouse: Connection, warehouse_url: str, reader: Connection
) -> None:
    one(warehouse, "select now()")
    add = "insert into content.film_work (id, title) values (gen_random_uuid(), 'x')"
    with closing(connect(warehouse_url)) as other:
        write(other, add)

    assert read(reader, incremental()) == []
    warehouse.commit()
    assert len(records(read(reader, incremental()))) == 1


def test_a_checkpoint_without_an_id_reads_its_moment_again(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-01", "2024-01-02", "2024-01-02")

    assert ids_of(read(reader, incremental(), since=Cursor(value="2024-01-02"))) == ids[1:]


def test_overlap_looks_again_at_the_last_seconds_and_counts_that_apart(
    warehouse: Connection, reader: Connection
) -> None:
    ids = add_films(warehouse, "2024-01-01 00:00:00", "2024-01-01 00:00:50", "2024-01-01 00:01:00")
    definition = incremental(strategy=Strategy.OVERLAP, overlap_seconds=Decimal(10), batch_size=1)
    place = read(reader, definition)[-1].cursor
    write(warehouse, "update content.film_work set updated_at = '2024-01-01 00:01:01' where id = %s", ids[0])

    pages = read(reader, definition, since=place)

    assert [page.rows_rescanned for page in pages] == [1, 1, 0]
    assert ids_of(pages) == [ids[1], ids[2], ids[0]]


def test_looking_again_never_moves_the_checkpoint_back(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-01 00:00:50", "2024-01-01 00:01:00")
    definition = incremental(strategy=Strategy.OVERLAP)
    place = read(reader, definition)[-1].cursor
    write(warehouse, "delete from content.film_work where id = %s", ids[1])

    (page,) = read(reader, definition, since=place)

    assert (page.rows_rescanned, page.cursor) == (1, place)


def test_overlap_needs_a_key_that_tells_time(reader: Connection) -> None:
    with pytest.raises(InvalidPipeline, match="strategy overlap goes back some seconds, and title is text"):
        opened(reader, incremental(key="title", strategy=Strategy.OVERLAP))


def test_xmin_needs_a_key_that_is_one(reader: Connection) -> None:
    with pytest.raises(InvalidPipeline, match="strategy xmin needs a key of type xid, and title is text; give the row"):
        opened(reader, incremental(key="title", strategy=Strategy.XMIN))


def test_a_key_that_tells_no_time_is_said_to_miss_late_rows(reader: Connection) -> None:
    with closing(opened(reader, incremental(key="title"))) as source:
        assert "title is text" in source.notes[0]


def versions(batch_size: int = 2) -> Pipeline:
    return incremental(key="version", strategy=Strategy.XMIN, batch_size=batch_size)


def test_xmin_reads_what_was_written_since_whatever_it_is_stamped_with(
    warehouse: Connection, reader: Connection
) -> None:
    ids = add_films(warehouse, *["2024-01-01"] * 5)
    pages = read(reader, versions())
    write(warehouse, "update content.film_work set updated_at = '2001-01-01' where id = %s", ids[3])

    assert ids_of(pages) == ids
    assert ids_of(read(reader, versions(), since=pages[-1].cursor)) == [ids[3]]


def test_xmin_goes_on_behind_any_page(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, *["2024-01-01"] * 5)

    pages = read(reader, versions())

    assert [ids_of(read(reader, versions(), since=page.cursor)) for page in pages] == [ids[2:], ids[4:], []]


def test_xmin_leaves_what_was_written_after_an_open_transaction_for_later(
    warehouse: Connection, warehouse_url: str, reader: Connection
) -> None:
    one(warehouse, "select pg_current_xact_id()::text")
    with closing(connect(warehouse_url)) as other:
        ids = add_films(other, "2024-01-01")

    assert read(reader, versions()) == []
    warehouse.commit()
    assert ids_of(read(reader, versions())) == ids


def test_the_last_page_of_xmin_carries_the_horizon(warehouse: Connection, reader: Connection) -> None:
    add_films(warehouse, "2024-01-01", "2024-01-01", "2024-01-01")
    with closing(opened(reader, versions())) as source:
        first, last = source.pages()
        horizon = one(reader, "select pg_snapshot_xmin(pg_current_snapshot())::text")

    assert first.cursor is not None
    assert first.cursor.id is not None
    assert last.cursor == Cursor(value=horizon)


def test_xmin_leaves_what_is_not_committed_for_the_next_run(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-01", "2024-01-01")
    with warehouse.cursor() as cursor:
        cursor.execute("update content.film_work set rating = 1 where id = %s", (ids[0],))
    pages = read(reader, versions())
    warehouse.commit()

    assert ids_of(pages) == ids
    assert ids_of(read(reader, versions(), since=pages[-1].cursor)) == ids[:1]


def test_xmin_reads_all_rows_again_from_a_checkpoint_of_another_server(
    warehouse: Connection, reader: Connection
) -> None:
    ids = add_films(warehouse, "2024-01-01")

    with closing(opened(reader, versions(), since=Cursor(value=str(2**40)))) as source:
        assert ids_of(list(source.pages())) == ids
        assert "all rows are read again" in source.notes[0]


@pytest.mark.parametrize(
    ("definition", "since", "words"),
    [
        (incremental(strategy=Strategy.XMIN), None, "needs a key of type xid"),
        (versions(), Cursor(value="2024-01-01", id="1"), "checkpoint is no transaction"),
        (incremental(key="version"), None, "operator"),
        (incremental(key="updated"), None, "updated is not a column of the query"),
        (incremental(), Cursor(value="last week", id="1"), "invalid input syntax"),
        (pipeline(FILMS, unique_key="id"), None, "id is not a column of the query"),
        (pipeline("select 1 as a, 2 as a"), None, "names a twice"),
        (pipeline("select 1 as a; select 2"), None, "multi-query"),
    ],
)
def test_what_cannot_be_read_so_is_refused_before_the_first_row(
    reader: Connection, definition: Pipeline, since: Cursor | None, words: str
) -> None:
    with pytest.raises(InvalidPipeline, match=words) as refused:
        opened(reader, definition, since=since)

    assert refused.value.hint
    assert reader.info.transaction_status == TRANSACTION_STATUS_IDLE


def test_rows_without_a_key_come_first_and_move_no_checkpoint(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-02", None, "2024-01-01", None, None)

    pages = read(reader, incremental(batch_size=2, null_key=NullKey.FIRST))

    assert [page.is_keyless for page in pages] == [True, True, False]
    assert [page.cursor is None for page in pages] == [True, True, False]
    assert ids_of(pages) == [ids[1], ids[3], ids[4], ids[2], ids[0]]


def test_rows_without_a_key_are_counted_and_refused_where_the_policy_says_so(
    warehouse: Connection, reader: Connection
) -> None:
    add_films(warehouse, "2024-01-02", None, None)

    with pytest.raises(BatchError, match="2 rows have no updated_at"):
        read(reader, incremental(null_key=NullKey.ERROR))


def test_the_policy_lets_a_source_pass_in_which_every_row_has_a_key(warehouse: Connection, reader: Connection) -> None:
    ids = add_films(warehouse, "2024-01-02")

    assert ids_of(read(reader, incremental(null_key=NullKey.ERROR))) == ids


@pytest.mark.parametrize(
    "options",
    [
        {"unique_key": "id"},
        {"mode": Mode.INCREMENTAL, "incremental_key": "k", "incremental_id_key": "id"},
    ],
)
def test_a_row_without_an_id_is_refused(reader: Connection, options: dict[str, Any]) -> None:
    query = "select k, id from (values (1, 1), (1, null), (2, 2)) as v (k, id)"

    with pytest.raises(BatchError, match="a row has no id"):
        read(reader, pipeline(query, **options))


@pytest.mark.parametrize(("copies", "sizes"), [(5, [1, 5, 1]), (1, [1, 1, 1])])
def test_no_page_ends_between_rows_of_one_place(reader: Connection, copies: int, sizes: list[int]) -> None:
    values = f"values (1, 1), (2, {copies}), (3, 1)"
    query = f"select k, 7 as id, c from ({values}) as v (k, many), generate_series(1, many) as c"

    pages = read(reader, incremental(query, key="k", id_key="id", batch_size=1))

    assert [page.rows_read for page in pages] == sizes


def test_closing_ends_a_slow_query_at_once(warehouse: Connection, reader: Connection) -> None:
    source = opened(reader, pipeline("select pg_sleep(600)"))
    ends: list[str] = []
    thread = threading.Thread(target=_read_to_the_end, args=(source.pages, ends), daemon=True)
    thread.start()
    _wait_for(warehouse, "select count(*) from pg_stat_activity where state = 'active' and query like 'FETCH%'")

    source.close()
    thread.join(timeout=60)

    assert ends == ["reading was ended"]
    assert read(reader, pipeline("select 1 as a"))


def _read_to_the_end(pages: Callable[[], Iterator[Page]], ends: list[str]) -> None:
    try:
        list(pages())
    except SourceLost as error:
        ends.append(error.message)
    else:
        ends.append("no more rows")


def _wait_for(connection: Connection, count: str) -> None:
    while not one(connection, count):
        connection.rollback()
    connection.rollback()


def test_a_closed_source_does_not_look_as_if_it_were_at_its_end(reader: Connection) -> None:
    source = opened(reader, pipeline(NUMBERS))
    pages = source.pages()
    next(pages)

    source.close()

    with pytest.raises(SourceLost):
        next(pages)
    assert reader.info.transaction_status == TRANSACTION_STATUS_IDLE


def test_a_connection_that_breaks_off_is_no_end_of_rows(warehouse: Connection, reader: Connection) -> None:
    source = opened(reader, pipeline(NUMBERS))
    pages = source.pages()
    next(pages)
    one(warehouse, f"select pg_terminate_backend({reader.info.backend_pid})")

    with pytest.raises(SourceLost):
        list(pages)
    source.close()
    with pytest.raises(SourceLost):
        opened(reader, pipeline(NUMBERS))


def test_a_connection_that_was_closed_is_no_end_of_rows(reader: Connection) -> None:
    source = opened(reader, pipeline(NUMBERS))
    reader.close()

    with pytest.raises(SourceLost):
        list(source.pages())
    source.close()


def test_a_query_slower_than_allowed_may_be_tried_again(reader: Connection) -> None:
    one(reader, "select set_config('statement_timeout', '50ms', false)")
    reader.commit()
    with closing(opened(reader, pipeline("select pg_sleep(600)"))) as source, pytest.raises(SourceLost) as lost:
        list(source.pages())

    assert "ETL_STATEMENT_TIMEOUT_SECONDS" in (lost.value.hint or "")


def test_a_value_that_python_cannot_hold_is_told(reader: Connection) -> None:
    far = pipeline("select '12024-01-01'::timestamptz as at")

    assert records(read(reader, far)) == ['("12024-01-01 00:00:00+00")']
    with pytest.raises(BatchError, match="cannot be read"):
        read(reader, far, as_records=False)
