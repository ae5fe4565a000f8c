from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.dates import parse_day

pytestmark = pytest.mark.unit

FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
DAYS = st.dates(date(2000, 1, 1), date(2100, 12, 31))


@pytest.mark.parametrize(
    "written",
    [
        *("20251015", "20251015.0", "2025-10-15", "2025/10/15", "2025.10.15", "2025年10月15日", "2025年10月15"),
        *(
            "25年10月15日",
            "25年10月15",
            "2025年10月15号",
            "2025 年 10 月 15 日",
            "２０２５年１０月１５日",
            "２０２５－１０－１５",
        ),
        *("2025-10-15 00:00:00", "2025-10-15T00:00:00", "2025-10-15 23:59:59.999999", "2025-10-15T23:59:59Z"),
        *("2025-10-15T00:00:00+08:00", "2025/10/15 0:00", "20251015 00:00:00", "2025年10月15日 08:30"),
        *("45945", "45945.0", "45945.75", " 45945 ", "\u30002025-10-15\u3000", "2025年\u300010月\u300015日"),
    ],
)
def test_days_are_read(written: str) -> None:
    assert parse_day(written) == date(2025, 10, 15)


@pytest.mark.parametrize(
    "written",
    [
        *("202501", "202501.0", "202501.", "2025-01", "2025-1", "2025/01", "2025/1", "2025.01", "2025.1"),
        *("2025年1月", "2025年01月", "2025年1月份", "25年1月", "２０２５０１", "２０２５．０１", "45658"),
    ],
)
def test_a_month_is_its_first_day(written: str) -> None:
    assert parse_day(written) == date(2025, 1, 1)


def test_the_zero_of_october_counts() -> None:
    assert parse_day("2025.10") == date(2025, 10, 1)


@pytest.mark.parametrize("written", ["", " ", "-", "—", "/", "N/A", "nan", "None", "无", "暂无", "空白", "（空白）"])
def test_placeholders_are_no_day(written: str) -> None:
    assert parse_day(written) is None


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("2023.13", "month from 1 to 12"),
        ("202500", "month from 1 to 12"),
        ("251015", "month from 1 to 12"),  # six digits are YYYYMM, never YYMMDD
        ("2025-02-29", "the month has"),
        ("20250431", "the month has"),
        ("2025-10-0", "the month has"),
        ("1999-12-31", "2000 to 2100"),
        ("2101-01", "2000 to 2100"),
        ("50年1月", "2000 to 2100"),  # 1950
        ("36525", "2000 to 2100"),  # the serial of 1999-12-31
        ("73416", "2000 to 2100"),
        ("2025", "year alone"),
        ("2025年", "year alone"),
        ("2025.0", "month from 1 to 12"),
        ("十月", "a date such as"),
        ("2025/10-15", "a date such as"),
        ("15/10/2025", "a date such as"),
        ("2025-10-15 25:00:00", "a date such as"),
        ("202510.5", "a date such as"),
        ("٢٠٢٥١٠", "a date such as"),
        ("202510\x00", "a date such as"),
        ("0", "a date such as"),
        ("-45566", "a date such as"),
    ],
)
def test_impossible_dates_are_refused_with_their_rule(written: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_day(written)


def test_a_serial_is_refused_where_none_may_stand() -> None:
    with pytest.raises(ValueError, match="a date such as"):
        parse_day("45566", serials=False)


@pytest.mark.parametrize(("serial", "day"), [("36526", date(2000, 1, 1)), ("73415", date(2100, 12, 31))])
def test_serials_reach_from_2000_to_2100(serial: str, day: date) -> None:
    assert parse_day(serial) == day


@settings(deadline=None)
@given(DAYS)
def test_every_written_form_of_a_day_reads_back(day: date) -> None:
    y, m, d = day.year, day.month, day.day
    forms = [f"{y}{mark}{m}{mark}{d}" for mark in "-/."] + [f"{y}{mark}{m:02}{mark}{d:02}" for mark in "-/."]
    forms += [f"{y}{m:02}{d:02}", f"{y}{m:02}{d:02}.0", f"{y}年{m}月{d}日", f"{y}年{m:02}月{d:02}", f"{day} 00:00:00"]
    forms += [f"{day}T12:30:00.5", str((day - date(1899, 12, 30)) / timedelta(days=1))]
    forms += [f"{y % 100:02}年{m}月{d}日"] if y < 2050 else []

    for form in forms:
        assert parse_day(form) == day
        assert parse_day(form.replace("T", " ").translate(FULL_WIDTH)) == day


@settings(deadline=None)
@given(DAYS)
def test_every_written_form_of_a_month_reads_back(day: date) -> None:
    y, m = day.year, day.month
    forms = [f"{y}{m:02}", f"{y}{m:02}.0", f"{y}年{m}月", f"{y}年{m:02}月"]
    forms += [f"{y}{mark}{m}" for mark in "-/."] + [f"{y}{mark}{m:02}" for mark in "-/."]

    assert {parse_day(form) for form in forms} == {day.replace(day=1)}


@settings(deadline=None)
@given(st.text() | st.from_regex(r"[0-9年月日./ :-]{1,20}", fullmatch=True))
def test_any_text_is_a_day_a_blank_or_refused(text: str) -> None:
    try:
        read = parse_day(text)
    except ValueError:
        return
    assert read is None or 2000 <= read.year <= 2100
