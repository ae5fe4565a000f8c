"""The index sink against a fake Elasticsearch that fails on demand: what is written, set aside, sent again."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from tests.fake_elasticsearch import FakeElasticsearch, Fault, Index
from tests.hub import PROJECT

from work_data_hub.domain.batch.documents import Document, document_of
from work_data_hub.domain.batch.run import Counts, DeadLetter, Page, Written
from work_data_hub.domain.batch.targets import TARGETS, IndexTarget
from work_data_hub.errors import BatchError, ConfigError, InvalidPipeline, SinkUnavailable
from work_data_hub.io import batch_index_sink
from work_data_hub.io.batch_index_sink import IndexSink, document_version
from work_data_hub.io.elasticsearch_access import IndexAccess

pytestmark = pytest.mark.unit

Row = dict[str, Any]


def index_target(name: str) -> IndexTarget:
    found = TARGETS[name]
    assert isinstance(found, IndexTarget)
    return found


FILMS, RATINGS = index_target("es:film_dim"), index_target("es:film_rating_agg")


def film(number: int, *, title: str = "", rating: Any = Decimal("7.5")) -> Row:
    return {"film_id": f"f{number}", "title": title or f"film {number}", "rating": rating}


def films(number: int) -> list[Row]:
    return [film(one) for one in range(number)]


def page(rows: Sequence[Row], *, rescanned: int = 0) -> Page:
    return Page(columns=(), rows_read=len(rows), rows=rows, rows_rescanned=rescanned)


class Stopped(Exception):
    pass


class Waits(list[int]):
    """Remembers the rounds that were waited for."""

    def __call__(self, attempt: int) -> None:
        self.append(attempt)


@pytest.fixture
def fake() -> FakeElasticsearch:
    return FakeElasticsearch()


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeElasticsearch, str]]:
    fake = FakeElasticsearch()
    with fake.serving() as url:
        yield fake, url


@pytest.fixture
def url(fake: FakeElasticsearch) -> Iterator[str]:
    with fake.serving() as url:
        yield url


@pytest.fixture
def sink(url: str) -> Iterator[IndexSink]:
    sink = IndexSink(IndexAccess(url=url, timeout_seconds=5), FILMS)
    yield sink
    sink.close()


@pytest.fixture
def waits() -> Waits:
    return Waits()


def write(sink: IndexSink, rows: Sequence[Row], *, version: int = 1) -> Written:
    return sink.write(page(rows), version=version, wait=Waits())


def test_documents_stand_under_their_key_with_the_columns_of_the_target_alone(
    sink: IndexSink, fake: FakeElasticsearch
) -> None:
    done = write(sink, [film(1) | {"film_id": UUID(int=1), "updated_at": datetime(2026, 1, 1, tzinfo=UTC)}])

    assert done == Written(counts=Counts(read=1, written=1, inserted=1))
    assert fake.documents("film_dim") == {
        "00000000-0000-0000-0000-000000000001": {
            "film_id": "00000000-0000-0000-0000-000000000001",
            "title": "film 1",
            "rating": 7.5,
        }
    }


def test_a_missing_index_is_made_with_its_mapping_and_noted(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, films(1))
    write(sink, films(1))

    assert fake.indexes["film_dim"].mapping == {"dynamic": "strict", "properties": FILMS.mapping}
    assert sink.notes == ("index film_dim was not there and was made; it has what is written from now on",)


def test_an_index_that_is_there_stays_as_it_is(sink: IndexSink, fake: FakeElasticsearch) -> None:
    fake.indexes["film_dim"] = Index(mapping={"properties": FILMS.mapping})
    write(sink, films(1))

    assert fake.indexes["film_dim"].mapping == {"properties": FILMS.mapping}
    assert sink.notes == ()


def test_an_index_made_by_another_in_the_meantime_is_taken(sink: IndexSink, fake: FakeElasticsearch) -> None:
    fake.indexes["film_dim"] = Index(mapping={"properties": FILMS.mapping})
    fake.hidden_times = 1

    assert write(sink, films(1)).counts.written == 1


def test_an_index_that_vanishes_under_a_run_ends_it(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, films(1))
    del fake.indexes["film_dim"]

    with pytest.raises(BatchError, match="index_not_found") as caught:
        write(sink, films(1))
    assert not isinstance(caught.value, SinkUnavailable)
    assert fake.indexes == {}


def test_the_same_rows_again_are_the_same_documents_and_count_as_written(
    sink: IndexSink, fake: FakeElasticsearch
) -> None:
    write(sink, films(20), version=1)
    before = fake.documents("film_dim")
    done = write(sink, films(20), version=2)

    assert done.counts == Counts(read=20, written=20, updated=20)
    assert fake.documents("film_dim") == before


@pytest.mark.performance
def test_fifty_thousand_rows_twice_are_the_same_documents(sink: IndexSink, fake: FakeElasticsearch) -> None:
    rows = films(50_000)
    for version in (1, 2):
        counts = [write(sink, rows[start : start + 1000], version=version).counts for start in range(0, 50_000, 1000)]
        assert sum(count.written for count in counts) == 50_000
        assert fake.documents("film_dim") == {row["film_id"]: row | {"rating": 7.5} for row in rows}


def test_a_page_written_again_under_its_own_version_is_taken(sink: IndexSink) -> None:
    write(sink, films(3), version=7)

    assert write(sink, films(3), version=7).counts.written == 3


def test_a_stale_writer_changes_nothing_and_is_counted(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, [film(1, title="new")], version=8)
    done = write(sink, [film(1, title="old"), film(2)], version=7)

    assert done == Written(counts=Counts(read=2, written=1, inserted=1, stale=1))
    assert fake.documents("film_dim")["f1"]["title"] == "new"


def test_of_rows_with_one_key_the_last_wins_in_one_action(sink: IndexSink, fake: FakeElasticsearch) -> None:
    done = write(sink, [film(1, title="a"), film(2), film(1, title="b"), film(1, title="c")])

    assert fake.bulks == [["f1", "f2"]]
    assert fake.documents("film_dim")["f1"]["title"] == "c"
    assert done.counts == Counts(read=4, written=4, inserted=2, updated=2)


def test_a_poison_row_leaves_the_one_of_its_key_before_it(sink: IndexSink, fake: FakeElasticsearch) -> None:
    done = write(sink, [film(1, title="good"), film(1, title="bad", rating="seven")])

    assert fake.documents("film_dim")["f1"]["title"] == "good"
    assert (done.counts.written, done.counts.dlq) == (1, 1)


def test_rows_the_mapping_refuses_are_dead_letters_with_its_words(sink: IndexSink, fake: FakeElasticsearch) -> None:
    done = write(sink, [film(1), film(2, rating="seven"), film(3)])

    assert list(fake.documents("film_dim")) == ["f1", "f3"]
    assert done.counts == Counts(read=3, written=2, inserted=2, dlq=1)
    assert done.dead == (
        DeadLetter(
            payload={"film_id": "f2", "title": "film 2", "rating": "seven"},
            error="document_parsing_exception: failed to parse field [rating] of type [float]",
            key="f2",
            place=1,
        ),
    )


@pytest.mark.parametrize(
    ("row", "error"),
    [
        (film(1, rating=float("nan")), "rating: NaN and infinity cannot be indexed"),
        (film(1, rating=Decimal("NaN")), "rating: NaN and infinity cannot be indexed"),
        (film(1, rating=Decimal("1e999")), "rating: NaN and infinity cannot be indexed"),
        (film(1, rating=b"7"), "rating: a value of type bytes cannot be indexed"),
        (film(1, rating=timedelta(1)), "rating: a value of type timedelta cannot be indexed"),
        (film(1) | {"film_id": None}, "film_id is null, and a document needs an id"),
        (film(1) | {"film_id": ""}, "film_id is no id: it must have 1 to 512 bytes"),
        (film(1) | {"film_id": "影" * 171}, "film_id is no id: it must have 1 to 512 bytes"),
        ({"film_id": "f1"}, "the row has no title"),
    ],
)
def test_what_no_document_can_hold_is_a_dead_letter(sink: IndexSink, row: Row, error: str) -> None:
    done = write(sink, [row, film(2)])

    assert [letter.error for letter in done.dead] == [error]
    assert (done.counts.written, done.counts.dlq) == (1, 1)


def test_a_title_that_is_no_text_is_a_dead_letter(sink: IndexSink) -> None:
    row = film(1, title="half a \ud83c") | {"film_id": "f\0\ud83c"}
    done = write(sink, [row, film(2)])

    assert (done.dead[0].payload["title"], done.dead[0].key) == ("half a \\ud83c", "f\\x00\\ud83c")


def test_a_required_column_that_every_row_lacks_is_the_definitions_fault(sink: IndexSink) -> None:
    with pytest.raises(InvalidPipeline, match="no title"):
        write(sink, [{"film_id": "f1"}, {"film_id": "f2"}])


def test_a_column_the_query_lacks_is_not_in_the_document(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, [{"film_id": "f1", "title": "one"}])

    assert fake.documents("film_dim") == {"f1": {"film_id": "f1", "title": "one"}}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("8.70"), b"8.7"),
        (Decimal("0.1"), b"0.1"),
        (None, b"null"),
        (7, b"7"),
        (date(2026, 11, 21), b'"2026-11-21"'),
        ([Decimal("1.5"), None], b'["1.5",null]'),
    ],
)
def test_values_become_json(value: Any, text: bytes) -> None:
    document = document_of({"film_id": "f1", "title": "影", "rating": value}, target=FILMS)

    assert isinstance(document, Document)
    assert document.source == b'{"film_id":"f1","title":"' + "影".encode() + b'","rating":' + text + b"}"


@pytest.mark.parametrize(
    ("count", "is_taken"), [(3, True), (Decimal("3.00"), True), (3.0, True), (Decimal("3.5"), False)]
)
def test_whole_numbers_stay_whole(count: Any, is_taken: bool) -> None:
    document = document_of({"film_id": "f1", "avg_rating": 7.5, "rating_count": count}, target=RATINGS)

    assert isinstance(document, Document) is is_taken
    if isinstance(document, Document):
        assert document.source.endswith(b'"rating_count":3}')


def test_bodies_are_bounded_by_bytes(sink: IndexSink, fake: FakeElasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_index_sink, "MOST_BODY_BYTES", 2_000)
    rows = [*films(50), film(50, title="x" * 5_000), film(51)]

    assert write(sink, rows).counts.written == 52
    assert [size for size in fake.bulk_bytes if size > 2_000] == [max(fake.bulk_bytes)]
    assert [ids for ids in fake.bulks if "f50" in ids] == [["f50"]]


def test_bodies_are_bounded_by_documents(
    sink: IndexSink, fake: FakeElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_index_sink, "MOST_BODY_DOCUMENTS", 10)
    write(sink, films(25))

    assert [len(ids) for ids in fake.bulks] == [10, 10, 5]


def test_a_request_too_large_is_sent_in_halves_and_a_document_too_large_set_aside(
    sink: IndexSink, fake: FakeElasticsearch
) -> None:
    fake.most_bytes = 1_000
    done = write(sink, [*films(20), film(20, title="x" * 1_000)])

    assert len(fake.documents("film_dim")) == 20
    assert [letter.key for letter in done.dead] == ["f20"]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_documents_refused_for_now_are_sent_again_and_no_others(
    sink: IndexSink, fake: FakeElasticsearch, waits: Waits, status: int
) -> None:
    fake.faults = [Fault(times=2, items={"f1": status, "f3": status})]
    done = sink.write(page(films(5)), version=1, wait=waits)

    assert fake.bulks == [["f0", "f1", "f2", "f3", "f4"], ["f1", "f3"], ["f1", "f3"]]
    assert done.counts == Counts(read=5, written=5, inserted=5)
    assert waits == [1, 2]


def test_documents_refused_for_ever_make_the_sink_unavailable(
    sink: IndexSink, fake: FakeElasticsearch, waits: Waits
) -> None:
    fake.faults = [Fault(times=99, items={"f1": 429})]

    with pytest.raises(SinkUnavailable, match="429"):
        sink.write(page(films(3)), version=1, wait=waits)
    assert waits == [1, 2, 3]
    assert len(fake.bulks) == 4


def test_all_kinds_of_answers_in_one_request_add_up(sink: IndexSink, fake: FakeElasticsearch, waits: Waits) -> None:
    fake.faults = [Fault(items={"f1": 429, "f2": 400, "f3": 409, "f4": 503})]
    done = sink.write(page(films(6)), version=1, wait=waits)

    assert done.counts == Counts(read=6, written=4, inserted=4, dlq=1, stale=1)
    assert sorted(fake.documents("film_dim")) == ["f0", "f1", "f4", "f5"]


def test_a_stop_while_waiting_goes_through(sink: IndexSink, fake: FakeElasticsearch) -> None:
    def stop(attempt: int) -> None:
        raise Stopped

    fake.faults = [Fault(times=99, items={"f1": 429})]
    with pytest.raises(Stopped):
        sink.write(page(films(3)), version=1, wait=stop)


@pytest.mark.parametrize(
    "fault",
    [Fault(status=429), Fault(status=502), Fault(status=503), Fault(is_cut=True), Fault(delay_seconds=30)],
    ids=["429", "502", "503", "cut", "slow"],
)
def test_a_page_tried_again_after_a_failure_ends_in_the_same_set(
    url: str, fake: FakeElasticsearch, fault: Fault
) -> None:
    sink = IndexSink(IndexAccess(url=url, timeout_seconds=2), FILMS)
    fake.faults = [replace(fault)]
    with pytest.raises(SinkUnavailable):
        write(sink, films(50))
    done = write(sink, films(50))
    sink.close()

    assert done.counts.written == 50
    assert fake.documents("film_dim") == {
        f"f{one}": {"film_id": f"f{one}", "title": f"film {one}", "rating": 7.5} for one in range(50)
    }


def test_nobody_listening_is_a_sink_unavailable() -> None:
    with FakeElasticsearch().serving() as url:
        pass
    with pytest.raises(SinkUnavailable, match="ConnectionError"):
        write(IndexSink(IndexAccess(url=url), FILMS), films(1))


@pytest.mark.parametrize(("item", "hint"), [(401, "ELASTICSEARCH_PASSWORD"), (403, "PASSWORD"), (404, "full run")])
def test_other_refusals_end_the_run_with_what_to_do(
    sink: IndexSink, fake: FakeElasticsearch, item: int, hint: str
) -> None:
    fake.faults = [Fault(items={"f1": item})]

    with pytest.raises(BatchError, match=hint) as caught:
        write(sink, films(3))
    assert not isinstance(caught.value, SinkUnavailable)


def test_a_wrong_password_ends_the_run_and_stands_nowhere(capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeElasticsearch(credentials=("etl", "right"))
    with fake.serving() as url:
        access = IndexAccess(url=url, user="etl", password=SecretStr("canary-wrong"))
        with pytest.raises(BatchError, match="ELASTICSEARCH_PASSWORD") as caught:
            write(IndexSink(access, FILMS), films(1))

    shown = f"{caught.value!r} {caught.value} {caught.value.__cause__!r} {access!r} {capsys.readouterr()}"
    assert "canary" not in shown
    assert not isinstance(caught.value, SinkUnavailable)


def test_the_right_password_writes() -> None:
    fake = FakeElasticsearch(credentials=("etl", "pässwort:1"))
    with fake.serving() as url:
        access = IndexAccess(url=url, user="etl", password=SecretStr("pässwort:1"))
        assert write(IndexSink(access, FILMS), films(1)).counts.written == 1


def test_half_a_pair_of_credentials_is_refused() -> None:
    with pytest.raises(ConfigError, match="ELASTICSEARCH_PASSWORD"):
        IndexAccess(url="http://search:9200", user="etl")


@pytest.mark.parametrize(
    ("url", "node"),
    [
        ("https://search", "https://search:443"),
        ("http://search/es", "http://search:80/es"),
        ("http://[::1]:9200", "http://[::1]:9200"),
    ],
)
def test_the_client_sees_a_port(url: str, node: str) -> None:
    assert IndexAccess(url=url).node == node


def test_a_target_outside_the_allow_list_is_refused(url: str) -> None:
    with pytest.raises(InvalidPipeline, match="es:other"):
        IndexSink(IndexAccess(url=url), replace(FILMS, name="es:other"))


def test_rows_looked_at_again_count_as_read_only_when_they_changed(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, films(3), version=1)
    rows = [film(0), film(1, title="late"), film(7), film(9)]
    done = sink.write(page(rows, rescanned=3), version=2, wait=Waits())

    assert done.counts == Counts(read=3, written=3, inserted=2, updated=1, rescanned=1)
    assert fake.documents("film_dim")["f1"]["title"] == "late"


def test_rows_looked_at_again_keep_out_who_read_them_in_between(sink: IndexSink, fake: FakeElasticsearch) -> None:
    write(sink, [film(1, title="X")], version=1)
    sink.write(page([film(1, title="X")], rescanned=1), version=3, wait=Waits())

    assert write(sink, [film(1, title="Y")], version=2).counts.stale == 1


def test_a_server_too_slow_gets_smaller_requests(
    url: str, fake: FakeElasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_index_sink, "MOST_BODY_DOCUMENTS", 8)
    sink = IndexSink(IndexAccess(url=url, timeout_seconds=2), FILMS)
    fake.faults = [Fault(delay_seconds=30)]
    with pytest.raises(SinkUnavailable, match="ELASTICSEARCH_TIMEOUT"):
        write(sink, films(10))
    write(sink, films(10))
    sink.close()

    assert [len(ids) for ids in fake.bulks] == [8, 4, 4, 2]


def test_an_empty_page_sends_no_documents(sink: IndexSink, fake: FakeElasticsearch) -> None:
    assert write(sink, []) == Written(counts=Counts())
    assert fake.bulks == []


def test_a_later_claim_beats_an_earlier_one_whatever_its_batch() -> None:
    earlier = datetime(2026, 11, 21, tzinfo=UTC)
    later = earlier + timedelta(milliseconds=1)

    assert document_version(claimed_at=earlier, seq=0) < document_version(claimed_at=earlier, seq=1)
    assert document_version(claimed_at=earlier, seq=2**21) < document_version(claimed_at=later, seq=0)
    assert document_version(claimed_at=datetime(2200, 1, 1, tzinfo=UTC), seq=2**40) < 2**63 - 1


@given(
    rows=st.lists(
        st.builds(
            film,
            st.integers(0, 8),
            title=st.sampled_from(["a", "b", "c"]),
            rating=st.sampled_from([None, 1, Decimal("7.5"), float("nan"), "seven", "7"]),
        ),
        max_size=30,
    ),
    items=st.dictionaries(st.sampled_from([f"f{n}" for n in range(9)]), st.sampled_from([429, 503, 400, 409])),
)
@settings(max_examples=40, deadline=None)
def test_every_row_is_written_set_aside_or_stale(
    served: tuple[FakeElasticsearch, str], rows: list[Row], items: dict[str, int]
) -> None:
    fake, url = served
    fake.indexes.clear()
    fake.faults = [Fault(items=items)]
    sink = IndexSink(IndexAccess(url=url), FILMS)
    counts = write(sink, rows).counts
    sink.close()

    assert counts.written + counts.dlq + counts.stale == counts.read == len(rows)
    assert counts.inserted + counts.updated == counts.written
    assert counts.inserted == len(fake.documents("film_dim"))


@pytest.mark.parametrize(("point", "bodies"), [("before_copy", 0), ("inside_copy", 1)])
def test_a_killed_writer_leaves_what_a_second_one_completes(
    url: str, fake: FakeElasticsearch, point: str, bodies: int
) -> None:
    program = textwrap.dedent(
        """
        import sys
        from tests.io.test_batch_index_sink import *
        from work_data_hub.io.faults import Faults
        batch_index_sink.MOST_BODY_DOCUMENTS = 10
        sink = IndexSink(IndexAccess(url=sys.argv[1]), FILMS)
        sink.write(page(films(30)), version=1, wait=Waits(), faults=Faults.parse(sys.argv[2]))
        """
    )
    killed = subprocess.run([sys.executable, "-c", program, url, point], cwd=PROJECT, env=dict(os.environ), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(fake.bulks) == bodies

    write(IndexSink(IndexAccess(url=url), FILMS), films(30), version=2)
    assert len(fake.documents("film_dim")) == 30
