"""A month with faults at known places, and the hand that corrects its rejects workbook."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from tests.performance_rows import refined
from tests.sheets import write_rows
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.corrections import Corrections, apply, corrections
from work_data_hub.domain.period import Period
from work_data_hub.domain.returned import OriginalFile, Quarantined, Returned, RunFacts
from work_data_hub.io.config_files import source_for
from work_data_hub.io.headings import known_headings
from work_data_hub.io.readers import read_workbooks
from work_data_hub.io.rejects_workbook import write_rejects
from work_data_hub.io.returned_workbook import read_returned
from work_data_hub.io.source_files import direct_file

CONFIG = Path(__file__).parent.parent / "config"
DOMAIN = DOMAINS["annuity_performance"]
SHEET = "规模明细"
HEADINGS = (
    *("月度", "业务类型", "计划类型", "计划代码", "计划名称", "客户名称", "期初资产规模", "期末资产规模", "投资收益"),
    *("备注", "当期收益率", "机构", "子企业号"),
)
# Heading, what is written there, and the rule it breaks.
FAULTS: tuple[tuple[str, Any, str], ...] = (
    ("期末资产规模", "待确认", "WDH-V201"),
    ("月度", None, "WDH-V102"),
    ("当期收益率", "4321%", "WDH-V202"),
    ("计划名称", "计划" * 150, "WDH-V301"),
    ("投资收益", "#N/A", "WDH-V401"),
    ("期初资产规模", True, "WDH-V403"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One bad cell: its Excel row, what was planted and what belongs there."""

    row: int
    heading: str
    rule: str
    good: Any

    @property
    def cell(self) -> str:
        return f"{chr(ord('A') + HEADINGS.index(self.heading))}{self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyMonth:
    """A written workbook and its faults; `total` is the sum of 投资收益 when every fault is corrected."""

    path: Path
    rows: int
    faults: tuple[Fault, ...]
    total: Decimal

    @property
    def good(self) -> dict[int, dict[str, Any]]:
        """By Excel row: the headings to correct and their values."""
        return {fault.row: {fault.heading: fault.good} for fault in self.faults}


def good_row(number: int) -> list[Any]:
    """The cells of one good row, each row another."""
    return [
        *(
            "202410",
            "企年受托",
            "单一计划",
            f"S{number % 997:04d}",
            f"第{number}号计划",
            f"第{number % 499}纺织有限公司",
        ),
        *(100.25 + number, 110.5 + number, 10.25, f"内部{number:06d}", 0.05, "北京", f"{number:05d}"),
    ]


def write_month(data: Path, *, rows: int = 200, faulty: int = 12, version: str = "V1", seed: int = 7) -> FaultyMonth:
    """Write October 2024 with `faulty` rows that hold one fault each."""
    cells = [good_row(number) for number in range(rows)]
    faults = []
    for number, at in enumerate(sorted(random.Random(seed).sample(range(rows), faulty))):
        heading, bad, rule = FAULTS[number % len(FAULTS)]
        column = HEADINGS.index(heading)
        faults.append(Fault(row=at + 2, heading=heading, rule=rule, good=cells[at][column]))
        cells[at][column] = bad
    folder = data / "202410" / "收集数据" / "数据采集" / version
    folder.mkdir(parents=True, exist_ok=True)
    path = write_rows(folder / f"24年10月年金规模收入数据{version}.xlsx", [HEADINGS, *cells], sheet=SHEET)
    return FaultyMonth(path=path, rows=rows, faults=tuple(faults), total=Decimal("10.25") * rows)


def correct(
    workbook: Path,
    good: Mapping[int, Mapping[str, Any]],
    *,
    waived: Collection[int] = (),
    deleted: Collection[int] = (),
    shuffled: bool = False,
    sheet: str = SHEET,
) -> Path:
    """Correct a rejects workbook by hand: cells by source row and heading; saved under another name."""
    book = load_workbook(workbook)
    page = book[sheet]
    columns = {str(cell.value): at for at, cell in enumerate(page[1], start=1)}
    for line in range(2, page.max_row + 1):
        row = int(str(page.cell(line, columns["来源行 · row"]).value))
        for heading, value in good.get(row, {}).items():
            page.cell(line, columns[heading]).value = value
        if row in waived:
            page.cell(line, columns["状态 · status"]).value = "放弃 · waived"
    for line in range(page.max_row, 1, -1):
        if int(str(page.cell(line, columns["来源行 · row"]).value)) in deleted:
            page.delete_rows(line)
    if shuffled:
        shuffle(page)
    corrected = workbook.with_name(f"改好 {workbook.name}")
    book.save(corrected)
    return corrected


def shuffle(page: Worksheet) -> None:
    """Sort the rows anew, every row as a whole."""
    rows = [[cell.value for cell in row] for row in page.iter_rows(min_row=2)]
    random.Random(3).shuffle(rows)
    for line, row in enumerate(rows, start=2):
        for column, value in enumerate(row, start=1):
            page.cell(line, column).value = value


def send_out(source: Path, *, given: Corrections | None = None, name: str = "r") -> Path:
    """Write the rejects workbook of a source workbook beside it, as a run would."""
    found = direct_file(source, source=source_for(CONFIG, DOMAIN.name))
    shas = {file.label: file.sha256 for file in found.files}
    sent_back = given or corrections()
    bronze = apply(read_workbooks(found, domain=DOMAIN), sent_back, sha_by_label=shas).bronze
    facts = RunFacts(
        run_id="first",
        domain=DOMAIN.name,
        period=Period.parse("202410"),
        files=tuple(
            OriginalFile(path=str(f.path), label=f.label, sha256=f.sha256, version=f.version) for f in found.files
        ),
    )
    rows = Quarantined(
        facts=facts,
        bronze=bronze,
        rejects=refined(bronze).rejects,
        headings=known_headings(DOMAIN, accepted={}),
        given=sent_back,
    )
    return write_rejects(source.parent / "rejects", name=name, rows=rows)


def take_back(workbook: Path) -> Returned:
    """What the owner changed in a rejects workbook."""
    return read_returned(workbook, domains=DOMAINS)
