"""The invented month: the same for the same seed, exact in its sums, faulty only where it says so."""

import zlib
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zipfile import BadZipFile, ZipFile

import openpyxl
import pytest
import python_calamine
from typer import Typer
from typer.testing import CliRunner

from work_data_hub.cli.sample import HELP
from work_data_hub.cli.sample import sample as command
from work_data_hub.cli.sample_run import run
from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import month_forms
from work_data_hub.domain.sample.faults import Fault, Reach
from work_data_hub.domain.sample.layouts import DOMAINS, LAYOUTS, PERFORMANCE
from work_data_hub.domain.sample.names import DIRT, company_names
from work_data_hub.domain.sample.plans import plan_book
from work_data_hub.errors import ConfigError, UsageError
from work_data_hub.io.sample_drop import SampleDrop, SampleSheet, write_sample_drop

pytestmark = pytest.mark.unit

ROWS = 1_500
CELL_FAULTS = [fault for fault in Fault if fault.reach is Reach.CELL]
Cells = list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> SampleDrop:
    return write_sample_drop(tmp_path_factory.mktemp("drop"), period="202410", rows=ROWS)


def faulty(folder: Path, *faults: str, rows: int = 60) -> SampleDrop:
    return write_sample_drop(
        folder, period="202410", rows=rows, faults=faults, versions=("V1",), only=(PERFORMANCE.domain,)
    )


@cache
def cells(file: Path, sheet: str) -> Cells:
    return list(openpyxl.load_workbook(file, read_only=True)[sheet].iter_rows(values_only=True))


def total(values: list[Any]) -> Decimal:
    """Add up cells as the warehouse shall: exact, each rounded half up to four decimals."""
    numbers = [parse_number(str(value)) for value in values if value is not None]
    return sum((number.quantize(Decimal("0.0001"), ROUND_HALF_UP) for number in numbers if number), Decimal(0))


def detail(drop: SampleDrop) -> SampleSheet:
    return drop.sheet(PERFORMANCE.domain)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_sample_drop(tmp_path / name, period="202410", rows=60)

    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_another_seed_gives_other_cells(tmp_path: Path) -> None:
    sheets = [
        detail(write_sample_drop(tmp_path / str(seed), period="202410", rows=60, seed=seed, versions=("V1",)))
        for seed in (7, 8)
    ]

    assert sheets[0].sums != sheets[1].sums


def test_months_of_one_seed_report_the_same_plans(tmp_path: Path, drop: SampleDrop) -> None:
    later = write_sample_drop(tmp_path, period="202511", rows=ROWS, versions=("V1",), only=(PERFORMANCE.domain,))
    names = [{row[4] for row in cells(detail(month).file, "规模明细")[1:]} for month in (drop, later)]
    known = {plan.name for plan in plan_book(7).plans}

    assert names[0] | names[1] <= known
    assert detail(later).file.name == "【for年金机构经营分析】25年11月年金规模及收入数据 1208.xlsx"


def test_folders_and_names_are_those_of_a_real_month(drop: SampleDrop) -> None:
    found = {str(path.relative_to(drop.folder)) for path in drop.files}

    assert {
        "收集数据/数据采集/V1/【for年金机构经营分析】24年10月年金规模收入数据 1108.xlsx",
        "收集数据/数据采集/V2/【for年金机构经营分析】24年10月年金规模收入数据 1111.xlsx",
        "收集数据/数据采集/V2/~$【for年金机构经营分析】24年10月年金规模收入数据 1111.xlsx",
        "收集数据/业务收集/V1/【导入模板】台账登记.xlsx",
        "收集数据/业务收集/V1/每月业务收集-10月/受托业绩.xlsx",
    } <= found
    assert {path for path in drop.folder.rglob("*") if path.is_file()} == set(drop.files)


def test_headings_and_row_counts_are_as_listed(drop: SampleDrop) -> None:
    headings = {layout.sheet: layout.headings for layout in LAYOUTS}
    for sheet in drop.sheets:
        first, *rows = cells(sheet.file, sheet.sheet)
        assert (first, len(rows)) == (headings[sheet.sheet], sheet.rows)


def test_sums_are_exact(drop: SampleDrop) -> None:
    for sheet in drop.sheets:
        first, *rows = cells(sheet.file, sheet.sheet)
        read = {name: total([row[first.index(name)] for row in rows]) for name in sheet.sums}
        assert read == sheet.sums


@pytest.mark.parametrize("domain", DOMAINS[:4])
def test_every_row_belongs_to_the_month(drop: SampleDrop, domain: str) -> None:
    for sheet in (found for found in drop.sheets if found.domain == domain):
        months = [row[0] for row in cells(sheet.file, sheet.sheet)[1:]]
        days = {value.date() if isinstance(value, datetime) else parse_day(str(value)) for value in months}
        assert days == {date(2024, 10, 1)}


def test_every_form_of_a_month_occurs(drop: SampleDrop) -> None:
    written = {row[0] for row in cells(detail(drop).file, "规模明细")[1:]}
    expected = {datetime(2024, 10, 1) if isinstance(form, date) else form for form in month_forms(Period(2024, 10))}

    assert expected <= written
    assert {202410, "2024年10月", "2024-10", "2024/10", "24年10月", "20241001", "２０２４年１０月", 45566} <= written


@pytest.mark.parametrize("mark", [",", "，", "万", "亿", "(", "（", "５", "¥", "-", "%", "％"])
def test_every_kind_of_number_text_occurs(drop: SampleDrop, mark: str) -> None:
    columns = slice(PERFORMANCE.position("期初资产规模"), PERFORMANCE.position("当期收益率") + 1)
    texts = [cell for row in cells(detail(drop).file, "规模明细")[1:] for cell in row[columns] if isinstance(cell, str)]

    assert any(mark in text for text in texts)


def test_numbers_of_more_than_two_decimals_occur(drop: SampleDrop) -> None:
    column = PERFORMANCE.position("供款")
    numbers = [row[column] for row in cells(detail(drop).file, "规模明细")[1:] if isinstance(row[column], float)]

    assert any(round(number, 2) != number for number in numbers)


def test_blank_codes_and_customers_and_unknown_branches_occur(drop: SampleDrop) -> None:
    rows = cells(detail(drop).file, "规模明细")[1:]

    assert None in {row[8] for row in rows}
    assert {None, "(空白)", "火星", "北分"} <= {row[18] for row in rows}
    assert None in {row[3] for row in rows}
    assert {"1P0290", "1P0807"} & {row[3] for row in rows}


@pytest.mark.parametrize("soil", DIRT)
def test_dirt_does_not_change_who_is_meant(soil: Callable[[str], str]) -> None:
    names = company_names(Random(1), 200)

    assert [normalise_name(soil(name)) for name in names] == [normalise_name(name) for name in names]


def test_v2_changes_ten_rows_removes_three_and_adds_two(drop: SampleDrop) -> None:
    first, second = (
        Counter(cells(drop.sheet(PERFORMANCE.domain, version).file, "规模明细")) for version in ("V1", "V2")
    )

    assert (first - second).total() == 10 + 3
    assert (second - first).total() == 10 + 2


def test_the_fast_reader_reads_the_same_cells(drop: SampleDrop) -> None:
    sheet = detail(drop)
    fast = python_calamine.load_workbook(sheet.file).get_sheet_by_name("规模明细").to_python()
    slow = cells(sheet.file, "规模明细")

    codes = [[row[3] or None for row in rows] for rows in (fast, slow)]
    assert len(fast) == len(slow)
    assert codes[0] == codes[1]


def test_company_ids_are_an_added_column_and_change_nothing_else(tmp_path: Path) -> None:
    files = [
        detail(write_sample_drop(tmp_path / str(ids), period="202410", rows=60, versions=("V1",), company_ids=ids)).file
        for ids in (False, True)
    ]
    without, with_ids = (cells(file, "规模明细") for file in files)

    assert with_ids[0][-1] == "公司代码"
    assert any(row[-1] for row in with_ids[1:])
    assert [row[:-1] for row in with_ids] == without


def test_only_writes_the_named_domain(tmp_path: Path) -> None:
    drop = write_sample_drop(tmp_path, period="202410", rows=60, only=("annual_loss",))

    assert {sheet.domain for sheet in drop.sheets} == {"annual_loss"}


@pytest.mark.parametrize("fault", CELL_FAULTS)
def test_cell_faults_stand_where_the_drop_says(tmp_path: Path, fault: Fault) -> None:
    good, bad = faulty(tmp_path / "good"), faulty(tmp_path / "bad", fault)
    sheets = [openpyxl.load_workbook(detail(drop).file)["规模明细"] for drop in (good, bad)]
    differing = [cell.coordinate for row in sheets[1] for cell in row if cell.value != sheets[0][cell.coordinate].value]

    assert sorted(differing) == sorted(planted.cell for planted in bad.planted)
    assert len(bad.planted) == detail(bad).faulty_rows == 3


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("text_in_amount", "待确认"),
        ("future_date", "2099年12月"),
        ("wrong_month", 202409),
        ("blank_month", None),
        ("error_cell", "#N/A"),
        ("uncached_formula", "=SUM(J2:K2)"),
        ("boolean_in_amount", True),
        ("rate_out_of_range", "4321%"),
        ("too_long_text", "企业年金计划" * 50),
    ],
)
def test_what_a_planted_cell_holds(tmp_path: Path, fault: str, expected: object) -> None:
    drop = faulty(tmp_path, fault)
    place = drop.planted[0]

    assert openpyxl.load_workbook(place.file)[place.sheet][place.cell].value == expected


def test_a_nul_character_reaches_the_reader(tmp_path: Path) -> None:
    place = faulty(tmp_path, "nul_character").planted[0]
    rows = python_calamine.load_workbook(place.file).get_sheet_by_name(place.sheet).to_python()

    assert "\x00" in str(rows[place.row - 1][PERFORMANCE.position("计划名称")])


def test_an_uncached_formula_has_no_value_in_the_file(tmp_path: Path) -> None:
    place = faulty(tmp_path, "uncached_formula").planted[0]
    with ZipFile(place.file) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").decode()

    assert f'<c r="{place.cell}"><f>SUM(J2:K2)</f></c>' in sheet


def test_sums_leave_out_faulty_rows(tmp_path: Path) -> None:
    drop = faulty(tmp_path, "blank_month", "text_in_amount")
    sheet, bad = detail(drop), {place.row for place in drop.planted}
    rows = [
        row for number, row in enumerate(cells(sheet.file, "规模明细"), start=1) if number > 1 and number not in bad
    ]

    assert (len(bad), sheet.faulty_rows) == (6, 6)
    assert sheet.sums["期末资产规模"] == total([row[PERFORMANCE.position("期末资产规模")] for row in rows])


def test_faults_go_into_the_last_version_only(tmp_path: Path) -> None:
    drop = write_sample_drop(tmp_path, period="202410", rows=60, faults=("error_cell",))

    assert {place.file.parent.name for place in drop.planted} == {"V2"}


def test_faults_can_go_into_another_domain(tmp_path: Path) -> None:
    drop = write_sample_drop(
        tmp_path, period="202410", rows=60, faults=("text_in_amount",), fault_domain="annuity_income"
    )

    assert {place.sheet for place in drop.planted} == {"收入明细"}


@pytest.mark.parametrize(
    ("fault", "rows", "first"),
    [
        ("missing_column", 61, tuple(name for name in PERFORMANCE.headings if name != "期末资产规模")),
        ("duplicate_heading", 61, (*PERFORMANCE.headings, "　期末资产规模 ")),
        ("title_row", 62, ("年金规模明细数据表",)),
        ("header_only", 1, PERFORMANCE.headings),
        ("shrunken", 37, PERFORMANCE.headings),
    ],
)
def test_sheet_faults(tmp_path: Path, fault: str, rows: int, first: tuple[str, ...]) -> None:
    read = cells(detail(faulty(tmp_path, fault)).file, "规模明细")

    assert (len(read), read[0][: len(first)]) == (rows, first)


def test_planted_cells_allow_for_a_title_row(tmp_path: Path) -> None:
    drop = faulty(tmp_path, "title_row", "wrong_month")
    sheet = openpyxl.load_workbook(detail(drop).file)["规模明细"]

    assert {sheet[place.cell].value for place in drop.planted} == {202409}


def test_an_empty_sheet_has_no_cell(tmp_path: Path) -> None:
    assert cells(detail(faulty(tmp_path, "empty_sheet")).file, "规模明细") == []


def test_a_wrong_sheet_has_another_name(tmp_path: Path) -> None:
    assert "规模明细" not in openpyxl.load_workbook(detail(faulty(tmp_path, "wrong_sheet")).file).sheetnames


@pytest.mark.parametrize(
    ("fault", "start", "inside"),
    [
        ("encrypted", b"\xd0\xcf\x11\xe0", "EncryptedPackage".encode("utf-16-le")),
        ("xls_renamed", b"\xd0\xcf\x11\xe0", "Workbook".encode("utf-16-le")),
        ("csv_renamed", b"\xef\xbb\xbf", "计划代码".encode()),
        ("html_renamed", b"<!DOCTYPE html>", b"<table>"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, fault: str, start: bytes, inside: bytes) -> None:
    read = detail(faulty(tmp_path, fault)).file.read_bytes()

    assert read.startswith(start)
    assert inside in read


@pytest.mark.parametrize("fault", ["corrupt", "truncated"])
def test_broken_files_cannot_be_read(tmp_path: Path, fault: str) -> None:
    file = detail(faulty(tmp_path, fault)).file

    with pytest.raises((BadZipFile, zlib.error)):
        ZipFile(file).read("xl/worksheets/sheet1.xml")


def test_a_zip_bomb_is_small_and_inflates(tmp_path: Path) -> None:
    file = detail(faulty(tmp_path, "zip_bomb")).file
    with ZipFile(file) as archive:
        sheet = archive.getinfo("xl/worksheets/sheet1.xml")

    assert file.stat().st_size < 2**20
    assert sheet.file_size > 900 * sheet.compress_size


def test_two_candidates_and_no_file(tmp_path: Path) -> None:
    counts = {
        fault: len([path for path in faulty(tmp_path / fault, fault).files if path.name.startswith("【for")])
        for fault in ("two_candidates", "no_file")
    }

    assert counts == {"two_candidates": 3, "no_file": 1}  # the mail beside the workbook is one of them


@pytest.mark.parametrize(
    "asked",
    [
        {"faults": ("typo",)},
        {"faults": ("corrupt", "truncated")},
        {"faults": ("header_only", "error_cell")},
        {"rows": 10},
        {"only": ("annuity",)},
        {"period": "202413"},
        {"fault_domain": "annual_loss", "faults": ("rate_out_of_range",)},
        {"fault_domain": "annual_loss", "faults": ("corrupt",), "only": ("annual_award",)},
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        write_sample_drop(tmp_path, **{"period": "202410", "rows": 60, **asked})

    assert list(tmp_path.iterdir()) == []


def sample(out: Path, *, force: bool) -> None:
    run(
        period="202410",
        rows=60,
        out=out,
        seed=7,
        faults=("error_cell",),
        fault_domain=PERFORMANCE.domain,
        only=(),
        versions=("V1",),
        company_ids=False,
        force=force,
    )


def test_the_command_refuses_a_month_that_is_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample(tmp_path, force=False)
    with pytest.raises(UsageError, match="--force"):
        sample(tmp_path, force=False)
    sample(tmp_path, force=True)

    printed = capsys.readouterr().out
    assert "1108.xlsx  规模明细 60 rows, 收入明细 24 rows" in printed
    assert "planted error_cell: 规模明细!P" in printed


def test_the_command_lists_its_faults() -> None:
    app = Typer()
    app.command(help=HELP)(command)
    result = CliRunner().invoke(app, ["--list-faults"])

    assert [line.split()[0] for line in result.output.splitlines()] == list(Fault)
