"""The chart of customers: what it shows, of which months, and in which file."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from work_data_hub.errors import UsageError
from work_data_hub.io.customer_chart import write_chart
from work_data_hub.io.customer_chart_panels import panels_of, shown
from work_data_hub.io.snapshot_store import STATUS_COUNTS

pytestmark = pytest.mark.unit

OCTOBER, NOVEMBER, JANUARY = date(2024, 10, 31), date(2024, 11, 30), date(2025, 1, 31)


def counts(*months: date, customers: int = 1200, aum: str = "123456789012.3456") -> pd.DataFrame:
    rows = [(month, customers + at, 900, 80, 12, 15, 4, 7, Decimal(aum)) for at, month in enumerate(months)]
    return pd.DataFrame(rows, columns=list(STATUS_COUNTS))


def page(tmp_path: Path, table: pd.DataFrame) -> str:
    write_chart(tmp_path / "chart.html", table)
    return (tmp_path / "chart.html").read_text(encoding="utf-8")


def test_a_picture_is_a_png(tmp_path: Path) -> None:
    write_chart(tmp_path / "chart.PNG", counts(OCTOBER, NOVEMBER))

    assert (tmp_path / "chart.PNG").read_bytes().startswith(b"\x89PNG\r\n")


def test_a_page_has_each_number_of_each_month_newest_first(tmp_path: Path) -> None:
    rows = re.findall(r"<tr><td>(.*?)</td></tr>", page(tmp_path, counts(OCTOBER, NOVEMBER)))

    assert [row.split("</td><td>") for row in rows] == [
        ["2024-11", "1,201", "900", "80", "1,235", "15", "12", "4", "7"],
        ["2024-10", "1,200", "900", "80", "1,235", "15", "12", "4", "7"],
    ]


def test_a_page_fetches_nothing(tmp_path: Path) -> None:
    written = page(tmp_path, counts(OCTOBER, NOVEMBER))

    assert not re.search(r"https?:|<script|<link|@import|url\(|src=", written)


def test_a_page_says_everything_in_both_languages(tmp_path: Path) -> None:
    written = page(tmp_path, counts(OCTOBER))

    heads = re.findall(r"<th>([^<]+)<small>([^<]+)</small></th>", written)
    assert len(heads) == 9
    assert ("战客", "Strategic") in heads
    assert all(re.search(r"[一-龥]", chinese) and re.search("[A-Z]", english) for chinese, english in heads)


def test_a_line_does_not_lead_over_a_month_that_is_not_there() -> None:
    customers = panels_of(counts(OCTOBER, NOVEMBER, JANUARY))[0]

    assert [[int(value) for _, value in piece] for piece in customers.pieces] == [[1200, 1201], [1202]]


@pytest.mark.parametrize("format_", ["png", "html"])
@pytest.mark.parametrize("table", [counts(OCTOBER), counts(OCTOBER, customers=0, aum="0"), counts(OCTOBER, aum="-5")])
def test_one_month_nothing_and_less_than_nothing_can_be_drawn(
    tmp_path: Path, format_: str, table: pd.DataFrame
) -> None:
    write_chart(tmp_path / f"chart.{format_}", table)

    assert (tmp_path / f"chart.{format_}").stat().st_size > 1_000


def test_values_stay_inside_their_drawing(tmp_path: Path) -> None:
    written = page(tmp_path, counts(OCTOBER, NOVEMBER, aum="-5000000000"))

    heights = [float(y) for y in re.findall(r'cy="([-0-9.]+)"', written)]
    assert len(heights) == 16
    assert all(10 <= y <= 128 for y in heights)


@pytest.mark.parametrize(
    ("value", "text"),
    [("12345", "12,345"), ("0", "0"), ("1234.56", "1,235"), ("12.346", "12.35"), ("0.0123", "0.0123")],
)
def test_amounts_have_as_many_decimals_as_their_size_asks_for(value: str, text: str) -> None:
    assert shown(Decimal(value)) == text


@pytest.mark.parametrize(
    ("most", "top"), [(0, 2), (1, 2), (7, 8), (10, 10), (11, 12), (99, 100), (101, 120), (10_929, 12_000)]
)
def test_an_axis_ends_at_a_round_number(most: int, top: float) -> None:
    assert panels_of(counts(OCTOBER, customers=most))[0].top == top


@pytest.mark.parametrize("name", ["chart.pdf", "chart", "nowhere/chart.png"])
def test_another_kind_of_file_or_no_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        write_chart(tmp_path / name, counts(OCTOBER))

    assert refused.value.field == "--plot"
    assert refused.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_chart_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    (tmp_path / "chart.html").write_text("old")

    assert "old" not in page(tmp_path, counts(OCTOBER))[:20]
    assert [file.name for file in tmp_path.iterdir()] == ["chart.html"]
