"""Every error: its exit code, its one line, its facts."""

import pytest

from work_data_hub import errors
from work_data_hub.errors import DataError, HeadingsMissing, WorkDataHubError

pytestmark = pytest.mark.unit


def every_error() -> list[type[WorkDataHubError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, WorkDataHubError)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("WorkDataHubError", 1),
        ("ConfigError", 2),
        ("UsageError", 2),
        ("SourceError", 3),
        ("WorkbookNotFound", 3),
        ("AmbiguousWorkbook", 3),
        ("UnsafePath", 3),
        ("UnreadableWorkbook", 3),
        ("SheetMissing", 3),
        ("HeadingsMissing", 3),
        ("HeadingsDuplicated", 3),
        ("NoDataRows", 3),
        ("WrongMonth", 3),
        ("DataError", 4),
        ("ShrinkRefused", 4),
        ("TotalsDiffer", 4),
        ("WarehouseError", 5),
        ("SchemaDrift", 5),
        ("LoadLocked", 6),
        ("DirectoryError", 7),
        ("HookFailed", 8),
    ],
)
def test_each_error_has_its_exit_code(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


@pytest.mark.parametrize("kind", every_error())
def test_each_error_says_what_it_means_and_stands_on_the_page(kind: type[WorkDataHubError]) -> None:
    assert kind.__doc__
    assert kind.__name__ in (errors.__doc__ or "")


def test_an_error_with_all_facts_prints_them_on_one_line() -> None:
    error = DataError(
        "the amount\ncannot be read",
        operation="parse cells",
        domain="annuity_performance",
        file="规模.xlsx",
        sheet="规模明细",
        cell="K7",
        row_number=7,
        field="期末资产规模",
        input_data="1O0",
        rule="a number",
        hint="write digits only",
    )

    assert str(error) == (
        "[DATA_ERROR] 规模.xlsx › 规模明细!K7: the amount cannot be read | Domain: annuity_performance | Row: 7 "
        "| Field: 期末资产规模 | value '1O0' | rule a number | hint: write digits only"
    )
    assert (error.error_type, error.operation) == ("DATA_ERROR", "parse cells")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (WorkDataHubError("it failed"), "[WORK_DATA_HUB_ERROR] it failed"),
        (DataError("bad", row_number=0, field=""), "[DATA_ERROR] bad | Row: 0 | Field:"),
        (HeadingsMissing("no 月度", file="a.xlsx"), "[HEADINGS_MISSING] a.xlsx: no 月度"),
        (HeadingsMissing("no 月度", sheet="S"), "[HEADINGS_MISSING] S: no 月度"),
        (DataError("bad", input_data="a\nb"), "[DATA_ERROR] bad | value 'a\\nb'"),
    ],
)
def test_parts_without_a_fact_are_left_out(error: WorkDataHubError, line: str) -> None:
    assert str(error) == line
