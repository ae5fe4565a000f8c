from datetime import date

import pytest

from work_data_hub.domain.period import Period
from work_data_hub.errors import ConfigError

pytestmark = pytest.mark.unit


def test_a_period_knows_its_forms() -> None:
    period = Period.parse("202402")

    assert (period.year, period.month, period.yyyymm, str(period)) == (2024, 2, "202402", "2024-02")
    assert (period.first_day, period.last_day) == (date(2024, 2, 1), date(2024, 2, 29))


def test_a_day_belongs_to_its_period() -> None:
    assert Period.of(date(2024, 10, 31)) == Period.parse("202410")


def test_periods_sort_by_time() -> None:
    assert sorted(map(Period.parse, ["202501", "202412", "202402"])) == list(
        map(Period.parse, ["202402", "202412", "202501"])
    )


@pytest.mark.parametrize("written", ["200001", "210012"])
def test_the_first_and_the_last_month_are_periods(written: str) -> None:
    assert Period.parse(written).yyyymm == written


@pytest.mark.parametrize(
    "written",
    [
        "",
        "2024",
        "2024-10",
        "202400",
        "202413",
        "199912",
        "210101",
        "２０２４１０",
        " 202410",
        "202410\n",
        "20241001",
        "十月",
    ],
)
def test_anything_but_six_digits_of_a_real_month_is_refused(written: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Period.parse(written)

    assert refused.value.input_data == written
    assert "202410" in str(refused.value.hint)


def test_an_impossible_month_cannot_be_built() -> None:
    with pytest.raises(ConfigError):
        Period(2024, 13)
