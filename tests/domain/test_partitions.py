"""Which parts a table is to have."""

from datetime import date

import pytest

from work_data_hub.domain.partitions import Part, Span, parts_for

pytestmark = pytest.mark.unit
TODAY = date(2024, 10, 5)


def test_parts_reach_from_the_oldest_month_to_the_end_of_next_year() -> None:
    parts = parts_for([date(2023, 12, 1), date(2024, 9, 1)], today=TODAY, by=Span.YEAR)

    assert [part.suffix for part in parts] == ["2023", "2024", "2025"]


def test_parts_by_month_leave_no_gap_and_do_not_overlap() -> None:
    parts = parts_for([date(2024, 1, 31)], today=TODAY, by=Span.MONTH)

    assert (parts[0].suffix, parts[-1].suffix, len(parts)) == ("202401", "202512", 24)
    assert [part.end for part in parts[:-1]] == [part.begin for part in parts[1:]]
    assert {part.span for part in parts} == {Span.MONTH}


def test_a_table_without_rows_begins_today() -> None:
    assert parts_for([], today=TODAY, by=Span.YEAR) == (
        Part(date(2024, 1, 1), date(2025, 1, 1)),
        Part(date(2025, 1, 1), date(2026, 1, 1)),
    )


def test_a_month_to_come_is_followed_by_a_year() -> None:
    assert parts_for([date(2030, 2, 1)], today=TODAY, by=Span.YEAR)[-1].suffix == "2031"
