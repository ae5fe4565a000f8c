"""Totals in the invented month: what they state is what the sheet holds, but for the one that is off."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.sample.faults import Fault
from work_data_hub.domain.sample.layouts import AWARDS, INCOME, PERFORMANCE, TRUSTEE
from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop

pytestmark = pytest.mark.unit


def written(folder: Path, *faults: str, domain: str = PERFORMANCE.domain) -> SampleDrop:
    return write_sample_drop(
        folder, period="202410", rows=60, faults=faults, versions=("V1",), only=(domain,), fault_domain=domain
    )


def rows(drop: SampleDrop) -> list[tuple[Any, ...]]:
    sheet = drop.sheets[0]
    return list(openpyxl.load_workbook(sheet.file)[sheet.sheet].iter_rows(values_only=True))


def is_total(row: tuple[Any, ...]) -> bool:
    return str(row[0]) in ("小计", "合　计：")


def total(cells: list[Any]) -> Decimal:
    numbers = [parse_number(str(cell)) for cell in cells if cell is not None]
    return sum((number for number in numbers if number), Decimal(0))


@pytest.mark.parametrize("layout", [PERFORMANCE, INCOME, AWARDS[0], TRUSTEE], ids=lambda layout: layout.sheet)
def test_totals_state_the_sums_of_the_sheet(tmp_path: Path, layout: Any) -> None:
    drop = written(tmp_path, "total_rows", domain=layout.domain)
    data = [row for row in rows(drop)[1:] if not is_total(row)]
    *parts, whole = [row for row in rows(drop) if is_total(row)]

    assert (len(parts), len(data)) == (3, drop.sheets[0].rows)
    for heading in layout.amounts:
        at = layout.position(heading)
        assert total([whole[at]]) == drop.sheets[0].sums[heading]
        assert total([part[at] for part in parts]) == drop.sheets[0].sums[heading]


def test_the_wrong_total_is_off_where_it_is_said_to_be(tmp_path: Path) -> None:
    drop = written(tmp_path, "wrong_total")
    (planted,) = drop.planted
    stated = openpyxl.load_workbook(planted.file)[planted.sheet][planted.cell].value

    assert (planted.fault, planted.row) == (Fault.WRONG_TOTAL, len(rows(drop)))
    assert total([stated]) - drop.sheets[0].sums[PERFORMANCE.amounts[0]] == 1000


def test_planted_cells_keep_their_addresses_between_totals(tmp_path: Path) -> None:
    drop = written(tmp_path, "total_rows", "boolean_in_amount")
    sheet = openpyxl.load_workbook(drop.sheets[0].file)[drop.sheets[0].sheet]

    assert len(drop.planted) == 3
    assert all(isinstance(sheet[planted.cell].value, bool) for planted in drop.planted)
