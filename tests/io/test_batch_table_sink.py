"""The table sink on a real PostgreSQL: last wins, unchanged rows stay, poison is set aside, values are exact."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import errors, sql
from psycopg2.extras import Json

from work_data_hub.domain.batch.run import Column, Counts, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, TableTarget
from work_data_hub.errors import InvalidPipeline, TooManyDeadLetters
from work_data_hub.io.batch_table_sink import TableSink
from work_data_hub.io.batch_text import record_values
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

TABLES = {name: target for name, target in TARGETS.items() if isinstance(target, TableTarget)}
FILM_DIM, RATING_AGG = TABLES["analytics.film_dim"], TABLES["analytics.film_rating_agg"]
SPACE = UUID("00000000-0000-0000-0000-0000000000f1")
FILMS = "select film_id::uuid, title::text, rating::numeric from (values {}) as films (film_id, title, rating)"


def key(number: int) -> str:
    return str(uuid5(SPACE, str(number)))


def films(*rows: tuple[int | None, str | None, str | None]) -> sql.Composable:
    """A query that gives these films."""
    literals = [
        sql.SQL("({})").format(
            sql.SQL(", ").join(map(sql.Literal, (None if row[0] is None else key(row[0]), row[1], row[2])))
        )
        for row in rows
    ]
    return sql.SQL(FILMS).format(sql.SQL(", ").join(literals))


def page_of(connection: Connection, query: str | sql.Composable, **facts: Any) -> Page:
    """The query's rows as the reader gives them: texts of records."""
    with transaction(connection), connection.cursor() as cursor:
        text = sql.SQL(query) if isinstance(query, str) else query
        cursor.execute(sql.SQL("select * from ({}) as source limit 0").format(text))
        described = list(cursor.description or ())
        columns = []
        for one in described:
            cursor.execute("select format_type(%s, null)", (one.type_code,))
            columns.append(Column(name=one.name, type=(cursor.fetchone() or ("",))[0]))
        cursor.execute(sql.SQL("select source::text from ({}) as source").format(text))
        records = [row[0] for row in cursor.fetchall()]
    return Page(columns=tuple(columns), rows_read=len(records), records=records, **facts)


def values_page(*rows: dict[str, Any], **facts: Any) -> Page:
    """Rows as a transform leaves them."""
    return Page(columns=(), rows=rows, **{"rows_read": len(rows), **facts})


def film(number: int, **values: Any) -> dict[str, Any]:
    return {"film_id": key(number), "title": f"Film {number}", **values}


def write(connection: Connection, page: Page, *, target: TableTarget = FILM_DIM, **options: Any) -> Written:
    """Write one page in a transaction of its own."""
    sink = TableSink(target, page.columns, is_transformed=page.rows is not None, **options)
    with transaction(connection), connection.cursor() as cursor:
        return sink.write(cursor, page)


def ask(connection: Connection, statement: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
    with transaction(connection), connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


def titles(connection: Connection) -> list[tuple[Any, ...]]:
    return ask(connection, "select title, rating from analytics.film_dim order by title")


# What is written


def test_rows_are_inserted_then_unchanged_then_updated(warehouse: Connection) -> None:
    first, again = films((1, "a", "1"), (2, "b", None)), films((1, "a", "1"), (2, "b", "5"), (3, "c", "2"))

    assert write(warehouse, page_of(warehouse, first)).counts == Counts(read=2, written=2, inserted=2)
    assert write(warehouse, page_of(warehouse, first)).counts == Counts(read=2, written=2, unchanged=2)
    assert write(warehouse, page_of(warehouse, again)).counts == Counts(
        read=3, written=3, inserted=1, updated=1, unchanged=1
    )
    assert titles(warehouse) == [("a", 1), ("b", 5), ("c", 2)]


def test_an_unchanged_row_keeps_its_time_and_a_changed_one_does_not(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "1"), (2, "b", "1"))))
    before = ask(warehouse, "select title, updated_at from analytics.film_dim order by title")
    write(warehouse, page_of(warehouse, films((1, "a", "1"), (2, "b", "2"))))
    after = ask(warehouse, "select title, updated_at from analytics.film_dim order by title")

    assert before[0] == after[0]
    assert before[1][1] < after[1][1]


def test_of_rows_with_one_key_the_last_one_counts(warehouse: Connection) -> None:
    rows = [(number % 3, f"title {number}", "1") for number in range(900)]
    written = write(warehouse, page_of(warehouse, films(*rows)))

    assert written.counts == Counts(read=900, written=900, inserted=3, unchanged=897)
    assert [title for title, _ in titles(warehouse)] == ["title 897", "title 898", "title 899"]


def test_a_later_row_wins_over_an_earlier_one_that_the_target_has(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "old", "1"))))
    written = write(warehouse, page_of(warehouse, films((1, "old", "1"), (1, "new", "1"))))

    assert written.counts == Counts(read=2, written=2, updated=1, unchanged=1)
    assert titles(warehouse) == [("new", 1)]


def test_a_row_that_was_deleted_softly_comes_back(warehouse: Connection) -> None:
    page = page_of(warehouse, films((1, "a", "1")))
    write(warehouse, page)
    ask(warehouse, "update analytics.film_dim set deleted_at = now()")

    assert write(warehouse, page).counts == Counts(read=1, written=1, updated=1)
    assert ask(warehouse, "select deleted_at from analytics.film_dim") == [(None,)]


def test_columns_that_the_query_lacks_are_left_alone(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "7.5"))))
    query = sql.SQL("select film_id, title || '!' as title, 1 as other, null::text as position from ({}) as f").format(
        films((1, "a", None))
    )
    write(warehouse, page_of(warehouse, query))

    assert titles(warehouse) == [("a!", Decimal("7.5"))]


def test_values_of_other_types_are_cast_to_those_of_the_table(warehouse: Connection) -> None:
    query = "select %s as film_id, 8.25::numeric as avg_rating, 3.00::numeric as rating_count".replace(
        "%s", f"'{key(1).upper()}'::text"
    )
    write(warehouse, page_of(warehouse, query), target=RATING_AGG)

    assert ask(warehouse, "select film_id::text, avg_rating, rating_count from analytics.film_rating_agg") == [
        (key(1), 8.25, 3)
    ]


def test_two_pipelines_share_a_connection(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "1"))))
    query = sql.SQL("select film_id, 1::float8 as avg_rating, 2 as rating_count from ({}) as f").format(
        films((1, "a", "1"))
    )
    write(warehouse, page_of(warehouse, query), target=RATING_AGG)
    write(warehouse, page_of(warehouse, films((2, "b", "1"))))

    assert len(titles(warehouse)) == 2


def test_an_empty_page_writes_nothing_and_counts_what_was_read(warehouse: Connection) -> None:
    assert write(warehouse, values_page(rows_read=5)).counts == Counts(read=5)


def test_the_caller_decides_whether_a_page_stays(warehouse: Connection) -> None:
    page = page_of(warehouse, films((1, "a", "1")))
    sink = TableSink(FILM_DIM, page.columns)
    for _ in range(2):
        with warehouse.cursor() as cursor:
            assert sink.write(cursor, page).counts.inserted == 1
        warehouse.rollback()

    assert titles(warehouse) == []


def test_a_key_that_another_session_adds_meanwhile_is_updated(warehouse: Connection, warehouse_url: str) -> None:
    write(warehouse, page_of(warehouse, films((2, "equal", "1"), (3, "gone", "1"), (4, "old", "1"))))
    ask(warehouse, "update analytics.film_dim set deleted_at = now() where title = 'gone'")
    before = ask(warehouse, "select title, updated_at from analytics.film_dim where title = 'equal'")
    rows = films((1, "ours", "1"), (2, "equal", "1"), (3, "gone", "1"), (4, "new", "1"), (5, "x", None), (5, "y", None))
    page = page_of(warehouse, rows, rows_rescanned=2)
    with closing(connect(warehouse_url)) as other:
        with other.cursor() as cursor:
            cursor.execute("insert into analytics.film_dim (film_id, title) values (%s, 'theirs')", (key(1),))
        counts = written_while(other, warehouse, page)

    assert counts == Counts(read=5, written=5, inserted=1, updated=3, unchanged=1, rescanned=1)
    assert [title for title, _ in titles(warehouse)] == ["equal", "gone", "new", "ours", "y"]
    assert ask(warehouse, "select title, updated_at from analytics.film_dim where title = 'equal'") == before
    assert ask(warehouse, "select count(*) from analytics.film_dim where deleted_at is not null") == [(0,)]


def test_a_row_that_another_session_makes_equal_meanwhile_is_not_touched(
    warehouse: Connection, warehouse_url: str
) -> None:
    write(warehouse, page_of(warehouse, films((1, "old", "1"))))
    page = page_of(warehouse, films((1, "new", "1")))
    with closing(connect(warehouse_url)) as other:
        with other.cursor() as cursor:
            cursor.execute("update analytics.film_dim set title = 'new' returning (select txid_current())::text")
            ((theirs,),) = cursor.fetchall()
        written_while(other, warehouse, page)

    assert ask(warehouse, "select title, xmin::text from analytics.film_dim") == [("new", theirs)]


@pytest.mark.parametrize("moved", ["", ", drop column title, add column title text not null"], ids=["same", "other"])
def test_a_target_in_parts_of_whatever_column_order_takes_the_same(
    warehouse: Connection, warehouse_url: str, moved: str
) -> None:
    ask(
        warehouse,
        f"""
        alter table analytics.film_dim rename to film_dim_aside;
        create table analytics.film_dim (like analytics.film_dim_aside including all) partition by hash (film_id);
        create table analytics.film_part (like analytics.film_dim_aside including all);
        alter table analytics.film_part alter column title set not null{moved};
        alter table analytics.film_dim attach partition analytics.film_part for values with (modulus 1, remainder 0)
        """,
    )
    write(warehouse, page_of(warehouse, films((2, "old", "1"))))
    page = page_of(warehouse, films((1, "ours", "1"), (2, "new", "1"), (3, "third", "1")))
    with closing(connect(warehouse_url)) as other:
        with other.cursor() as cursor:
            cursor.execute("insert into analytics.film_dim (film_id, title) values (%s, 'theirs')", (key(1),))
        counts = written_while(other, warehouse, page)

    assert counts == Counts(read=3, written=3, inserted=1, updated=2)
    assert [title for title, _ in titles(warehouse)] == ["new", "ours", "third"]


def written_while(other: Connection, warehouse: Connection, page: Page) -> Counts:
    """What the write counts that begins while the other session's transaction is open, and waits for its commit."""
    with ThreadPoolExecutor(1) as thread:
        written = thread.submit(write, warehouse, page)
        while not is_waiting(other) and not written.done():
            pass
        other.commit()
        return written.result().counts


def is_waiting(connection: Connection) -> bool:
    """Whether a session waits for the transaction of this one."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_locks where not granted and locktype = 'transactionid'")
        return cursor.fetchone() != (0,)


# Values


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20) | st.text(
    "\"\\,()\r\n\t. N'{}", max_size=12
)


@given(st.lists(st.none() | TEXTS, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_arrives_as_it_was(warehouse: Connection, texts: list[str | None]) -> None:
    ask(warehouse, "truncate analytics.film_dim")
    query = sql.SQL("select * from ({}) as f where true").format(
        films(*[(number, text or "", None) for number, text in enumerate(texts)])
    )
    write(warehouse, page_of(warehouse, query))
    stored = dict(ask(warehouse, "select film_id::text, title from analytics.film_dim"))
    assert stored == {key(number): text or "" for number, text in enumerate(texts)}

    write(warehouse, values_page(*[film(number, title=(text or "") + "+") for number, text in enumerate(texts)]))
    stored = dict(ask(warehouse, "select film_id::text, title from analytics.film_dim"))
    assert stored == {key(number): (text or "") + "+" for number, text in enumerate(texts)}


@given(st.lists(st.none() | TEXTS, min_size=2, max_size=6))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_text_of_a_record_is_read_as_it_was_written(warehouse: Connection, texts: list[str | None]) -> None:
    row = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Literal(text)) for text in texts)
    found = ask(warehouse, sql.SQL("select row({})::text").format(row))[0][0]

    assert record_values(found) == tuple(texts)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("numeric", Decimal("12345678901234567890.123456789012345678901")),
        ("numeric", Decimal("1E+30")),
        ("double precision", 0.1 + 0.2),
        ("double precision", float("inf")),
        ("timestamptz", datetime(2026, 11, 21, 3, 4, 5, 678901, tzinfo=UTC)),
        ("date", date(1, 2, 3)),
        ("uuid", UUID(key(1))),
        ("bytea", b'\x00\\\xff"'),
        ("boolean", False),
        ("bigint", -(2**63)),
        ("integer", None),
        ("text", ""),
    ],
)
def test_python_values_are_exact(warehouse: Connection, kind: str, value: Any) -> None:
    ask(warehouse, sql.SQL("alter table analytics.film_dim alter rating type {} using null").format(sql.SQL(kind)))
    write(warehouse, values_page(film(1, rating=value)))
    (stored,) = ask(warehouse, "select rating from analytics.film_dim")[0]

    assert (bytes(stored) if kind == "bytea" else str(stored) if kind == "uuid" else stored) == (
        str(value) if kind == "uuid" else value
    )


def test_not_a_number_stays_not_a_number(warehouse: Connection) -> None:
    write(warehouse, values_page(film(1, rating=float("nan")), film(2, rating=Decimal("NaN"))))

    assert ask(warehouse, "select rating::text from analytics.film_dim") == [("NaN",), ("NaN",)]
    assert write(warehouse, values_page(film(1, rating=float("nan")))).counts.unchanged == 1


def test_an_optional_column_that_no_row_has_is_left_alone(warehouse: Connection) -> None:
    write(warehouse, values_page(film(1, rating=3)))
    write(warehouse, values_page(film(1, title="new", other=object())))

    assert titles(warehouse) == [("new", 3)]


# Poison


def test_poison_rows_are_set_aside_and_all_others_written(warehouse: Connection) -> None:
    bad = {0, 37, 38, 99}
    query = films(*[(number, None if number in bad else f"title {number:02}", "1") for number in range(100)])
    written = write(warehouse, page_of(warehouse, query))

    assert written.counts == Counts(read=100, written=96, inserted=96, dlq=4)
    assert [letter.key for letter in written.dead] == [key(number) for number in sorted(bad)]
    assert {letter.sqlstate for letter in written.dead} == {"23502"}
    assert written.dead[0].payload == {"film_id": key(0), "title": None, "rating": "1"}
    assert "null value" in written.dead[0].error
    assert len(titles(warehouse)) == 96


def test_a_value_that_cannot_be_cast_is_poison(warehouse: Connection) -> None:
    query = f"select '{key(1)}'::text as film_id, 'a' as title union all select 'no key', '\"b\"'"
    written = write(warehouse, page_of(warehouse, query))

    assert written.counts == Counts(read=2, written=1, inserted=1, dlq=1)
    assert (written.dead[0].sqlstate, written.dead[0].key) == ("22P02", "no key")
    assert written.dead[0].payload == {"film_id": "no key", "title": '"b"'}


def test_rows_without_a_key_are_set_aside(warehouse: Connection) -> None:
    query = films((1, "a", "1"), (None, "b", "1"), (2, "c", "1"), (None, None, None))
    written = write(warehouse, page_of(warehouse, query))

    assert written.counts == Counts(read=4, written=2, inserted=2, dlq=2)
    assert [letter.payload["title"] for letter in written.dead] == ["b", None]
    assert "film_id is null" in written.dead[0].error
    assert [title for title, _ in titles(warehouse)] == ["a", "c"]


def test_the_last_row_wins_also_around_poison(warehouse: Connection) -> None:
    rows = [(number % 2, f"title {number:02}", "1") for number in range(20)]
    written = write(warehouse, page_of(warehouse, films(*rows[:7], (5, None, None), *rows[7:])))

    assert written.counts.dlq == 1
    assert written.counts.written == 20
    assert [title for title, _ in titles(warehouse)] == ["title 18", "title 19"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"title": [1]}, "type list"),
        ({"title": "a\ud800"}, "cannot be encoded"),
        ({"title": "a\x00b"}, "0x00"),
        ({"rating": "much"}, "much"),
        ({"film_id": None}, "film_id is null"),
    ],
)
def test_a_value_that_cannot_be_written_sets_its_row_aside(
    warehouse: Connection, values: dict[str, Any], said: str
) -> None:
    written = write(warehouse, values_page(film(1), {**film(2), **values}, film(3)))

    assert written.counts == Counts(read=3, written=2, inserted=2, dlq=1)
    assert said in written.dead[0].error
    # The payload can be kept as jsonb.
    assert ask(warehouse, "select %s::jsonb ->> 'film_id'", Json(dict(written.dead[0].payload)))


def test_rows_of_a_transform_without_a_required_column_are_set_aside(warehouse: Connection) -> None:
    written = write(warehouse, values_page(film(1), {"film_id": key(2)}, {"title": "c"}))

    assert [letter.error for letter in written.dead] == ["the row has no title", "the row has no film_id"]
    assert write(warehouse, values_page({"title": "c"})).counts == Counts(read=1, dlq=1)


def test_more_poison_than_tolerated_ends_the_search(warehouse: Connection) -> None:
    page = page_of(warehouse, films(*[(number, None, "1") for number in range(100)]))

    with pytest.raises(TooManyDeadLetters, match="more than 5 rows"):
        write(warehouse, page, most_dead=5)


def test_a_table_that_is_away_is_the_callers_business(warehouse: Connection) -> None:
    page = page_of(warehouse, films((1, "a", "1")))
    sink = TableSink(FILM_DIM, page.columns)
    with transaction(warehouse), warehouse.cursor() as cursor:
        sink.write(cursor, page)
    ask(warehouse, "alter table analytics.film_dim rename to film_dim__tmp")
    for one in (sink, TableSink(FILM_DIM, page.columns)):
        with pytest.raises(errors.UndefinedTable), transaction(warehouse), warehouse.cursor() as cursor:
            one.write(cursor, page)
    ask(warehouse, "alter table analytics.film_dim__tmp rename to film_dim")

    with transaction(warehouse), warehouse.cursor() as cursor:
        assert sink.write(cursor, page).counts.unchanged == 1


# Rows that are scanned again


def test_rescanned_rows_count_only_where_they_changed_something(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "1"), (2, "b", "1"))))
    quiet = page_of(warehouse, films((1, "a", "1"), (2, "b", "1")), rows_rescanned=2)
    busy = page_of(warehouse, films((1, "a", "1"), (2, "B", "1"), (3, "c", "1"), (4, "d", "1")), rows_rescanned=3)

    assert write(warehouse, quiet).counts == Counts(rescanned=2)
    assert write(warehouse, busy).counts == Counts(read=3, written=3, inserted=2, updated=1, rescanned=1)


def test_a_new_row_that_changes_nothing_counts_as_written(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "1"), (2, "b", "1"))))
    page = page_of(warehouse, films((1, "a", "1"), (2, "b", "1")), rows_rescanned=1)

    assert write(warehouse, page).counts == Counts(read=1, written=1, unchanged=1, rescanned=1)


def test_rescanned_rows_are_told_apart_around_poison(warehouse: Connection) -> None:
    write(warehouse, page_of(warehouse, films((1, "a", "1"), (2, "b", "1"), (3, "c", "1"), (5, "e", "1"))))
    rows = films((1, "a", "1"), (2, "b", "1"), (3, "C", "1"), (4, None, "1"), (5, "e", "1"))
    written = write(warehouse, page_of(warehouse, rows, rows_rescanned=3))

    assert written.counts == Counts(read=3, written=2, updated=1, unchanged=1, rescanned=2, dlq=1)


def test_a_quiet_scan_is_quiet_also_after_a_transform_that_drops_rows(warehouse: Connection) -> None:
    write(warehouse, values_page(film(1)))

    assert write(warehouse, values_page(film(1), rows_read=4, rows_rescanned=4)).counts == Counts(rescanned=4)
    assert write(warehouse, values_page(film(2), rows_read=4, rows_rescanned=4)).counts == Counts(
        read=4, written=1, inserted=1
    )


def test_rows_that_a_transform_left_over_are_not_taken_for_rescanned_ones(warehouse: Connection) -> None:
    write(warehouse, values_page(film(1)))

    assert write(warehouse, values_page(film(1), rows_read=4, rows_rescanned=2)).counts == Counts(
        read=4, written=1, unchanged=1
    )


# What is refused, and dying


@pytest.mark.parametrize(
    "target",
    [
        TableTarget(name="etl.etl_pipelines", key="id", columns=("id", "name"), required=("id",)),
        TableTarget(name="analytics.film_dim", key="film_id", columns=("film_id", "deleted_at"), required=("film_id",)),
    ],
)
def test_only_targets_of_the_allow_list_are_written(target: TableTarget) -> None:
    with pytest.raises(InvalidPipeline, match="is not allowed"):
        TableSink(target, (Column(name="id", type="uuid"),))


def test_a_query_without_a_required_column_is_refused() -> None:
    with pytest.raises(InvalidPipeline, match="gives no title"):
        TableSink(FILM_DIM, (Column(name="film_id", type="uuid"),))


@pytest.mark.parametrize("point", ["before_copy", "inside_copy"])
def test_the_fault_points_are_passed(warehouse: Connection, point: str) -> None:
    class Reached(Exception):
        pass

    class Stops(Faults):
        def reach(self, point: str) -> None:
            if point == self.point:
                raise Reached

    page = page_of(warehouse, films((1, "a", "1")))
    sink = TableSink(FILM_DIM, page.columns)
    with pytest.raises((Reached, psycopg2.Error)), transaction(warehouse), warehouse.cursor() as cursor:
        sink.write(cursor, page, faults=Stops(point=point))

    assert titles(warehouse) == []
