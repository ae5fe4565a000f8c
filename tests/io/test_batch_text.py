"""A page that was prepared ahead is sent as one that was not, whole and in parts."""

import pytest

from work_data_hub.domain.batch.run import Column, Page
from work_data_hub.io.batch_text import RecordLines, content_hash, lines_of, prepared

pytestmark = pytest.mark.unit

COLUMNS = (Column(name="film_id", type="integer"), Column(name="title", type="text"))
RECORDS = Page(columns=COLUMNS, rows_read=3, records=("(1,a)", '(2,"b\\\\c, ""d""")', "(3,)"))


@pytest.mark.parametrize(("first", "end"), [(0, 3), (0, 1), (1, 3), (2, 3)])
def test_parts_of_a_page_prepared_ahead_are_parts_of_the_page(first: int, end: int) -> None:
    ahead, plain = (lines_of(page, columns=(), required=()) for page in (prepared(RECORDS), RECORDS))

    assert ahead.csv(first, end) == plain.csv(first, end)
    assert isinstance(ahead, RecordLines)
    assert ahead.whole is not None


@pytest.mark.parametrize(
    "page", [RECORDS, Page(columns=(), rows_read=1, rows=[{"film_id": 1}]), Page(columns=(), rows_read=0)]
)
def test_a_page_prepared_ahead_has_the_hash_of_the_page(page: Page) -> None:
    assert prepared(page).content_hash == content_hash(page)


def test_a_record_that_cannot_be_sent_is_left_to_whoever_writes_it() -> None:
    page = prepared(Page(columns=COLUMNS, rows_read=1, records=("(1,\ud800)",)))

    assert page.csv is None
    assert page.content_hash is not None
