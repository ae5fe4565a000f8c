"""What came back, held against what is kept."""

from pathlib import Path

import pandas as pd
import pytest
from tests.faulty_months import SHEET, FaultyMonth, correct, send_out, take_back, write_month

from work_data_hub.domain.corrections import Corrections, corrections
from work_data_hub.domain.returned import Returned
from work_data_hub.domain.settled import not_applied, refuse_outdated, settled
from work_data_hub.errors import DataError

pytestmark = pytest.mark.unit


@pytest.fixture
def month(tmp_path: Path) -> FaultyMonth:
    return write_month(tmp_path, rows=40, faulty=2)


def kept(returned: Returned, row: int, value: str | None, **more: object) -> Corrections:
    """One correction of 期末资产规模 as load 7 keeps it."""
    sha256 = returned.facts.files[0].sha256
    cell = {"file_sha256": sha256, "sheet": SHEET, "row": row, "column": "期末资产规模", "value": value, "load_id": 7}
    return corrections(cells=pd.DataFrame([cell | more]))


def test_a_workbook_that_showed_what_stands_may_change_it(month: FaultyMonth) -> None:
    row = month.faults[0].row
    stored = kept(take_back(send_out(month.path)), row, "还是未定")
    returned = take_back(correct(send_out(month.path, given=stored), {row: {"期末资产规模": 5}}))

    now = settled(returned, stored)

    assert now.outdated.empty
    assert now.returned.changes[["found", "value"]].values.tolist() == [["还是未定", "5"]]


@pytest.mark.parametrize(("stands", "told"), [("111", "111 stands there now"), (None, "空白 · blank stands there now")])
def test_a_change_tells_what_stands(month: FaultyMonth, stands: str | None, told: str) -> None:
    row = month.faults[0].row
    returned = take_back(correct(send_out(month.path), {row: {"期末资产规模": 5}}))

    with pytest.raises(DataError) as caught:
        refuse_outdated(settled(returned, kept(returned, row, stands)))

    assert f"{told}, by load 7" in caught.value.message
    assert (caught.value.sheet, caught.value.cell) == (SHEET, month.faults[0].cell)


def test_the_same_again_is_no_change(month: FaultyMonth) -> None:
    row = month.faults[0].row
    returned = take_back(correct(send_out(month.path), {row: {"期末资产规模": 5}}))

    now = settled(returned, kept(returned, row, "5"))

    assert (now.returned.is_untouched, now.returned.remarks) == (True, ("taken over before: 1 corrected cell",))


def test_each_replaced_file_is_named_with_its_load(month: FaultyMonth) -> None:
    returned = take_back(send_out(month.path))
    sha256 = returned.facts.files[0].sha256

    (one,) = not_applied(kept(returned, 3, "5", file="a.xlsx"), load_by_file={sha256: 7})

    assert one == "1 corrected cell of load 7 (file a.xlsx) does not apply to this file: check that it holds it"
