"""Letters that wait, and the rows that overtake them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from psycopg2.extras import Json
from tests.batch_store import FULL, add, ask, claimed

from work_data_hub.domain.batch.run import Column, Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget, TableTarget
from work_data_hub.io.batch_ledger import fingerprint_of, record_batch
from work_data_hub.io.batch_letters import known_fingerprints, pass_letters
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration

FILMS = TARGETS["analytics.film_dim"]
INDEX = TARGETS["es:film_dim"]
COLUMNS = (Column(name="film_id", type="text"), Column(name="title", type="text"))
AS_OF = datetime(2026, 11, 21, 12, tzinfo=UTC)
A, B = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"


@pytest.fixture
def id(warehouse: Connection) -> UUID:
    return add(warehouse, FULL)


def page(*keys: str | None) -> Page:
    """Films with these keys, as records."""
    return Page(columns=COLUMNS, rows_read=len(keys), records=[f"({key or ''},film)" for key in keys])


def values(*keys: object) -> Page:
    """Films with these keys, as values."""
    return Page(columns=COLUMNS, rows_read=len(keys), rows=[{"film_id": key, "title": "film"} for key in keys])


def dead(place: int, title: str = "bad") -> DeadLetter:
    return DeadLetter(payload={"title": title}, error="bad", place=place)


def passed(
    warehouse: Connection,
    id: UUID,
    given: Page,
    letters: Sequence[DeadLetter] = (),
    *,
    target: TableTarget | IndexTarget = FILMS,
) -> tuple[DeadLetter, ...]:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return pass_letters(cursor, id, letters, page=given, target=target, as_of=AS_OF)


def kept(
    warehouse: Connection,
    id: UUID,
    *keys: str | None,
    titles: Sequence[str] = "abcdefg",
    target: TableTarget | IndexTarget = FILMS,
    columns: Sequence[str] = ("title",),
    as_of: datetime = AS_OF,
) -> None:
    """Letters of these keys that wait, read in a run that was claimed `as_of`."""
    for key, title in zip(keys, titles, strict=False):
        fingerprint = fingerprint_of(dead(0, title))
        statement = (
            "insert into etl.etl_dlq (pipeline_id, target, key, payload, fingerprint, error, as_of)"
            " values (%s, %s, %s, %s, %s, '', %s)"
        )
        ask(warehouse, statement, str(id), target.name, key, Json(dict.fromkeys(columns)), fingerprint, as_of)


def waiting(warehouse: Connection) -> list[Any]:
    return [key for (key,) in ask(warehouse, "select key from etl.etl_dlq where replayed_at is null order by id")]


@pytest.mark.parametrize("given", [page(A, None), page(A.upper()), values(A), values(UUID(A)), page("no uuid", A, "x")])
def test_a_row_overtakes_the_letters_of_its_key(warehouse: Connection, id: UUID, given: Page) -> None:
    other = add(warehouse, replace(FULL, name="other"))
    kept(warehouse, id, A, B, None)
    kept(warehouse, other, A)

    assert passed(warehouse, id, given) == ()
    assert waiting(warehouse) == [B, None, A]
    settled = ask(
        warehouse, "select is_superseded, replayed_at is not null from etl.etl_dlq where replayed_at is not null"
    )
    assert settled == [(True, True)]


EARLIER, LATER = AS_OF - timedelta(minutes=1), AS_OF + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("letter", "letters", "left"),
    [
        ({"as_of": EARLIER}, (), []),
        ({"as_of": EARLIER, "columns": ("title", "seen_in")}, (), []),
        ({"as_of": LATER}, (), [A]),
        ({"as_of": EARLIER, "columns": ("title", "rating")}, (), [A]),
        ({"as_of": EARLIER, "target": INDEX}, (), [A]),
        ({"as_of": EARLIER}, (dead(0),), [A]),
    ],
)
def test_a_later_row_of_another_pipeline_overtakes_what_it_has_all_of(
    warehouse: Connection, id: UUID, letter: dict[str, Any], letters: Sequence[DeadLetter], left: list[str]
) -> None:
    other = add(warehouse, replace(FULL, name="other"))
    kept(warehouse, other, A, **letter)

    passed(warehouse, id, page(A), letters)

    assert waiting(warehouse) == left


def test_a_row_that_is_refused_as_it_was_keeps_its_letter(warehouse: Connection, id: UUID) -> None:
    kept(warehouse, id, A, A, titles=["same", "another"])

    (letter,) = passed(warehouse, id, page(A), [dead(0, "same")])

    assert (letter.key, letter.is_overtaken) == (A, False)
    assert waiting(warehouse) == [A]
    assert ask(warehouse, "select is_superseded from etl.etl_dlq order by id") == [(False,), (True,)]


def test_a_row_that_another_one_follows_is_overtaken_at_once(warehouse: Connection, id: UUID) -> None:
    letters = passed(warehouse, id, page(A, B, A.upper(), B), [dead(0), dead(2), dead(3)])

    assert [(letter.key, letter.is_overtaken) for letter in letters] == [(A, True), (A, False), (B, False)]


def test_what_is_overtaken_is_recorded_and_does_not_wait(warehouse: Connection, id: UUID) -> None:
    held, letters = claimed(warehouse, id), passed(warehouse, id, page(A, B, A), [dead(0, "old"), dead(1, "new")])
    with transaction(warehouse), warehouse.cursor() as cursor:
        written = Written(counts=Counts(read=3, written=1, dlq=2), dead=letters)
        record_batch(cursor, held, seq=0, page=page(A, B, A), written=written, before=None)

    found = ask(warehouse, "select key, is_superseded, replayed_at is null, as_of from etl.etl_dlq order by id")
    assert found == [(A, True, False, held.claimed_at), (B, False, True, held.claimed_at)]


def test_ids_of_documents_are_keys_too(warehouse: Connection, id: UUID) -> None:
    kept(warehouse, id, "f1", "f2", target=INDEX)
    (letter,) = passed(warehouse, id, values("f2", "f3"), [dead(1)], target=INDEX)

    assert (letter.key, waiting(warehouse)) == ("f3", ["f1"])


def test_a_key_of_any_length_is_kept(warehouse: Connection, id: UUID) -> None:
    first, second = "k" * 100_000, "k" * 99_999
    (letter,) = passed(warehouse, id, page(first), [dead(0)])
    kept(warehouse, id, letter.key)
    passed(warehouse, id, page(second))
    assert waiting(warehouse) == [letter.key]

    passed(warehouse, id, page(first))
    assert waiting(warehouse) == []


def test_where_nothing_waits_rows_are_not_even_looked_at(warehouse: Connection, id: UUID) -> None:
    kept(warehouse, id, A)
    ask(warehouse, "update etl.etl_dlq set replayed_at = now()")

    assert passed(warehouse, id, Page(columns=(), rows_read=1, records=["no record"])) == ()


def test_letters_that_wait_are_known(warehouse: Connection, id: UUID) -> None:
    kept(warehouse, id, A, B, titles=["open", "over"])
    ask(warehouse, "update etl.etl_dlq set replayed_at = now() where key = %s", B)
    marks = [fingerprint_of(dead(0, title)) for title in ("open", "over", "never")]

    with warehouse.cursor() as cursor:
        assert known_fingerprints(cursor, id, marks) == {marks[0]}
