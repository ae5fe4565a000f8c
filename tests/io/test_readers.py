import contextlib
import random
import re
import zipfile
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from openpyxl import load_workbook
from tests.hub import PROJECT
from tests.performance_rows import performance_rows, refined
from tests.sheets import MAIN, texts, write_parts, write_rows, write_xml

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.source import SheetChoice, Source
from work_data_hub.errors import (
    AmbiguousWorkbook,
    HeadingsDuplicated,
    HeadingsMissing,
    NoDataRows,
    SheetMissing,
    SourceError,
    UnreadableWorkbook,
    WorkDataHubError,
)
from work_data_hub.io.cell_reports import CellReport, Content, parse_report
from work_data_hub.io.config_files import load_sources
from work_data_hub.io.readers import read_sheet, read_workbooks
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.io.source_files import direct_file

pytestmark = pytest.mark.unit

HEADINGS = {
    "月度": "月度",
    "计划代码": "计划代码",
    "计划号": "计划代码",
    "供款": "供款",
    "流失(含待遇支付)": "流失_含待遇支付",
}
HEAD = ["月度", "计划代码", "供款"]


def read(path: Path, *, sheet: str | int = "规模明细", aliases: tuple[str, ...] = (), **how: Any) -> Bronze:
    return read_sheet(
        path,
        **{
            "sheet": SheetChoice(names=(sheet, *aliases)),
            "headings": HEADINGS,
            "required": ["月度", "计划代码"],
            "numbers": {"供款", "流失_含待遇支付"},
            "file_label": "a.xlsx",
            **how,
        },
    )


def read_rows(tmp_path: Path, *rows: list[Any], **how: Any) -> Bronze:
    return read(write_rows(tmp_path / "a.xlsx", [HEAD, *rows], **how))


def refusal(path: Path, error: type[WorkDataHubError], **how: Any) -> str:
    with pytest.raises(error) as caught:
        read(path, **how)
    assert "hint:" in str(caught.value)
    return str(caught.value)


def cells(frame: Any) -> list[tuple[Any, ...]]:
    return list(frame.itertuples(index=False, name=None))


def test_rows_keep_file_sheet_and_excel_row(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, ["202410", "P01", 1.5], [None, None, None], ["202410", "P02", 2])

    assert bronze.frame["_source_row"].tolist() == [2, 4]
    assert bronze.frame["_source_file"].unique().tolist() == ["a.xlsx"]
    assert bronze.frame["_source_sheet"].unique().tolist() == ["规模明细"]
    assert bronze.frame["供款"].tolist() == [1.5, 2.0]
    assert bronze.letters == {"月度": "A", "计划代码": "B", "供款": "C"}
    assert [str(dtype) for dtype in bronze.frame.dtypes] == ["string", "string", "float64", "string", "string", "int64"]


def test_data_may_start_anywhere(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, ["202410", "P01", "x"], at=(4, 3))

    assert bronze.frame["_source_row"].tolist() == [5]
    assert bronze.letters == {"月度": "C", "计划代码": "D", "供款": "E"}
    assert cells(bronze.texts) == [(0, "供款", "x")]


def test_error_formula_true_and_blank_are_four_things(tmp_path: Path) -> None:
    rows = [["1", "A", value] for value in ("#N/A", "=1+1", True, None, "", "-")]

    bronze = read_rows(tmp_path, *rows)

    assert bronze.frame["供款"].isna().all()
    assert cells(bronze.broken) == [(0, "供款", "#N/A"), (1, "供款", "=1+1"), (2, "供款", "TRUE")]
    assert cells(bronze.texts) == [(5, "供款", "-")]


def test_the_same_four_in_a_text_column(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, *[["1", value, 1] for value in ("#REF!", "=A1", True, None, "001")])

    assert cells(bronze.broken) == [(0, "计划代码", "#REF!"), (1, "计划代码", "=A1")]
    assert bronze.frame["计划代码"].fillna("∅").tolist() == ["∅", "∅", "TRUE", "∅", "001"]


def test_positions_count_the_rows_that_are_left(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, [None, " ", "　"], ["1", "A", "x"], [None, None, None], ["1", "A", "#N/A"])

    assert bronze.frame["_source_row"].tolist() == [3, 5]
    assert (cells(bronze.texts), cells(bronze.broken)) == ([(0, "供款", "x")], [(1, "供款", "#N/A")])


def test_a_formula_below_the_last_value_is_a_row(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, ["1", "A", 1], [None, None, "=C2"])

    assert cells(bronze.broken) == [(1, "供款", "=C2")]
    assert bronze.frame["_source_row"].tolist() == [2, 3]


def test_an_error_in_an_undeclared_column_breaks_nothing(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [[*HEAD, "注"], ["1", "A", 1, "#N/A"], ["1", "A", 1, "=1"]])

    bronze = read(path)

    assert (len(bronze.frame), len(bronze.broken), bronze.unknown_headings) == (2, 0, ("注",))
    assert bronze.untitled == ()


@pytest.mark.parametrize("heading", [None, " ", "\u202e\u200b"], ids=["none", "blank", "invisible"])
@pytest.mark.parametrize("at", [(1, 1), (4, 3)], ids=["A1", "C4"])
def test_values_below_a_blank_heading_are_counted(tmp_path: Path, heading: str | None, at: tuple[int, int]) -> None:
    rows: list[list[Any]] = [
        [HEAD[0], heading, *HEAD[1:], None, heading],
        ["1", 7, "A", 1, None, "x"],
        ["1", "#N/A", "A", 1, None, " "],
        ["1", None, "A", 1, None, "=A1"],
        [None, "y", None, None, None, None],
    ]

    bronze = read(write_rows(tmp_path / "a.xlsx", rows, at=at))

    found = {column.letter: column.filled for column in bronze.untitled}
    assert found == ({"B": 3, "F": 2} if at == (1, 1) else {"D": 3, "H": 2})
    assert bronze.rows_read == 3
    assert bronze.unknown_headings == ()
    assert bronze.untitled[0].words == f"column {'BD'[at[1] // 2]} has no heading and 3 filled cells; it was not read"


def test_cells_with_a_format_only_are_no_values(tmp_path: Path) -> None:
    row = "".join(f'<c r="{letter}2" s="0"/>' for letter in ("D", "E", "AZ"))
    rows = texts(1, *HEAD) + texts(2, "1", "A", "1").replace("</row>", f"{row}</row>")

    assert read(write_xml(tmp_path / "a.xlsx", rows)).untitled == ()


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("001", "001"),
        ("6222021234567890445", "6222021234567890445"),
        (202410, "202410"),
        (date(2024, 10, 1), "2024-10-01 00:00:00"),
        (datetime(2024, 10, 1, 8, 5), "2024-10-01 08:05:00"),
        ("NA", "NA"),
        ("null", "null"),
        (' "引号" \\ 换\n行 ', ' "引号" \\ 换\n行 '),
        ("甲\u200b乙", "甲\u200b乙"),
    ],
)
def test_text_columns_keep_what_is_written(tmp_path: Path, written: Any, text: str) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx", {"default_date_format": "yyyy-mm-dd"}) as workbook:
        sheet = workbook.add_worksheet("规模明细")
        sheet.write_row(0, 0, HEAD)
        write = sheet.write_string if isinstance(written, str) else sheet.write
        write(1, 1, written)

    assert read(tmp_path / "a.xlsx").frame["计划代码"].tolist() == [text]


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1,234.50", "1,234.50"),
        ("１２３", "１２３"),
        ('a"b\\c\nd　\u200be', 'a"b\\c\nd　\u200be'),
        (datetime(2024, 10, 1), "2024-10-01 00:00:00"),
        (time(8, 5), "1899-12-31 08:05:00"),
        (timedelta(days=1.5), "1900-01-01 12:00:00"),
        ("nan", "nan"),
        ("-Infinity", "-inf"),
        ("1234567890123456.78", "1234567890123456.78"),
        ("100000000000.12345678", "100000000000.12345678"),
        ("10000000000.00004999", "10000000000.00004999"),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("-5117843926338.299804688", "-5117843926338.299804688"),
    ],
)
def test_what_no_float_holds_is_kept_as_text(tmp_path: Path, written: Any, text: str) -> None:
    bronze = read_rows(tmp_path, ["1", "A", 7], ["1", "A", written])

    assert cells(bronze.texts) == [(1, "供款", text)]
    assert bronze.frame["供款"].fillna(0).tolist() == [7, 0]


AMOUNTS = [0.0536276200399991, 1e-10, 1 / 3, -2.5, 13427003576.35, 123456789012.5, 2e15, 1.5e22, 0]
AMOUNTS += [5117843926338.3, 723387291989.18, -68763338245997.6]


@pytest.mark.parametrize("amount", AMOUNTS)
@pytest.mark.parametrize("beside", ["A", "1234567890.12345678"])
def test_floats_are_exact(tmp_path: Path, amount: float, beside: str) -> None:
    bronze = read_rows(tmp_path, ["1", beside, amount])

    assert bronze.frame["供款"].tolist() == [amount]
    assert bronze.texts.empty


def test_large_amounts_are_exact_in_gold(tmp_path: Path) -> None:
    amounts = [5117843926338.3, 723387291989.18, 68763338245997.6]
    path = write_rows(tmp_path / "a.xlsx", [["供款"], *[[amount] for amount in amounts]])
    read_amounts = read(path, required=["供款"])
    bronze = performance_rows(供款=read_amounts.frame["供款"].tolist())

    assert read_amounts.texts.empty
    assert refined(bronze).gold["供款"].tolist() == [Decimal(str(amount)) for amount in amounts]


LONG = "1234567890.00004999"
LONG_CELLS = [
    f't="inlineStr"><is><t>{LONG}</t></is>',
    f't="inlineStr"><is><t xml:space="preserve">{LONG}</t></is>',
    f't="inlineStr"><is><r><t>{LONG[:9]}</t></r><r><t>{LONG[9:]}</t></r></is>',
    f't="str"><v>{LONG}</v>',
    f't="str"><f>A1&amp;"1"</f><v>{LONG}</v>',
    f't="str"><f t="shared" si="0"/><v>{LONG}</v>',
]


@pytest.mark.parametrize("cell", LONG_CELLS)
@pytest.mark.parametrize("prefix", ["", "x:"])
def test_long_texts_in_the_sheet_itself_are_kept_as_written(tmp_path: Path, cell: str, prefix: str) -> None:
    row = f'<row r="2"><c r="A2" s="0"/><c r="B2"><v>7</v></c><c r="C2" s="0" {cell}</c></row>'
    rows = re.sub("<(/?)", rf"<\1{prefix}", f"<sheetData>{texts(1, *HEAD)}{row}</sheetData>")
    name = f"xmlns:{prefix[:-1]}" if prefix else "xmlns"
    sheet = f'<{prefix}worksheet {name}="{MAIN}">{rows}</{prefix}worksheet>'

    bronze = read(write_parts(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet}))

    assert cells(bronze.texts) == [(0, "供款", LONG)]


def test_long_shared_texts_in_runs_are_kept_as_written(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        sheet = workbook.add_worksheet("规模明细")
        sheet.write_row(0, 0, HEAD)
        sheet.write_row(1, 0, ["202410", "P01"])
        sheet.write_rich_string(1, 2, LONG[:9], workbook.add_format({"bold": True}), LONG[9:])

    assert cells(read(tmp_path / "a.xlsx").texts) == [(0, "供款", LONG)]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (110101199003071000, "110101199003071000"),
        (6222021234567890000, "6222021234567890000"),
        (1234567890123450, "1234567890123450"),
        (1e22, "10000000000000000000000"),
        ("110101199003071008", "110101199003071008"),
        ("6222021234567889920", "6222021234567889920"),
        ("6222021234567890012", "6222021234567890012"),
    ],
)
@pytest.mark.parametrize("beside", ["A", "6222021234567890012"])
def test_codes_typed_as_numbers_have_the_digits_excel_shows(
    tmp_path: Path, written: Any, code: str, beside: str
) -> None:
    bronze = read_rows(tmp_path, ["1", beside, 1], [None, None, None], ["1", written, 2])

    assert bronze.frame["计划代码"].tolist() == [beside, code]


def test_merged_texts_are_filled_and_amounts_are_not_repeated(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [HEAD, ["1", "A", 5], ["1", None, None], ["1", None, 7], ["1", None, 8]])
    workbook = load_workbook(path)
    workbook["规模明细"].merge_cells("B2:B4")
    workbook["规模明细"].merge_cells("C2:C3")
    workbook.save(path)

    bronze = read(path)

    assert bronze.frame["计划代码"].fillna("∅").tolist() == ["A", "A", "A", "∅"]
    assert bronze.frame["供款"].sum() == 20


def test_a_broken_merged_cell_breaks_each_of_its_rows(tmp_path: Path) -> None:
    rows = texts(1, *HEAD) + '<row r="2"><c r="A2"><v>1</v></c><c r="B2" t="e"><v>#N/A</v></c></row>'
    rows += '<row r="3"><c r="A3"><v>1</v></c></row>'
    path = write_xml(tmp_path / "a.xlsx", rows, after='<mergeCells><mergeCell ref="B2:B3"/></mergeCells>')

    assert cells(read(path).broken) == [(0, "计划代码", "#N/A"), (1, "计划代码", "#N/A")]


def test_false_dimension_and_trailing_styles_cost_nothing(tmp_path: Path) -> None:
    styled = "".join(f'<row r="{row}"><c r="A{row}" s="0"/></row>' for row in range(3, 9000))
    rows = texts(1, *HEAD) + texts(2, "202410", "P01") + styled

    bronze = read(write_xml(tmp_path / "a.xlsx", rows, before='<dimension ref="A1:XFD1048576"/>'))

    assert len(bronze.frame) == 1


def test_a_prefixed_sheet_reads_the_same(tmp_path: Path) -> None:
    rows = (
        (texts(1, *HEAD) + texts(2, "202410", "P01", "x"))
        .replace("</", "</x:")
        .replace("<", "<x:")
        .replace("<x:/x:", "</x:")
    )
    sheet = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>'

    bronze = read(write_parts(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet}))

    assert bronze.frame["计划代码"].tolist() == ["P01"]


@pytest.mark.parametrize("heading", [" 计划\n代码 ", "计划号", "计 划　号", "计划代码\u200b"])
def test_headings_match_whatever_their_blanks(tmp_path: Path, heading: str) -> None:
    path = write_rows(tmp_path / "a.xlsx", [["月度", heading, "流失（含待遇支付）"], ["1", "A", 2]])

    assert read(path).frame[["计划代码", "流失_含待遇支付"]].to_numpy().tolist() == [["A", 2.0]]


@pytest.mark.parametrize(
    ("headings", "cell"),
    [
        ([*HEAD, "供款 "], "D1"),
        ([*HEAD, "计划号"], "D1"),
        ([*HEAD, "备注", " 备注"], "E1"),
        ([*HEAD, "Ａmt", "amt"], "E1"),
    ],
)
def test_two_headings_of_one_meaning_are_refused(tmp_path: Path, headings: list[str], cell: str) -> None:
    path = write_rows(tmp_path / "a.xlsx", [headings, ["1", "A", 1, 2, 3]])

    assert f"a.xlsx › 规模明细!{cell}" in refusal(path, HeadingsDuplicated)


def test_a_missing_heading_names_those_there_are(tmp_path: Path) -> None:
    message = refusal(write_rows(tmp_path / "a.xlsx", [["月度", "供款"], ["1", 2]]), HeadingsMissing)

    assert "lacks 计划代码 or 计划号; row 1 has: 月度, 供款" in message


def test_a_title_row_is_recognised(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [["2024年10月规模"], [None], HEAD, ["1", "A", 2]])

    assert "the headings stand in row 3; delete the rows above them" in refusal(path, HeadingsMissing)


@pytest.mark.parametrize(
    "rows",
    [[], [HEAD], [HEAD, [None, " ", None]], [HEAD, [None] * 3, [""] * 3]],
    ids=["empty", "head", "blank", "texts"],
)
def test_a_sheet_without_rows_is_refused(tmp_path: Path, rows: list[list[Any]]) -> None:
    refusal(write_rows(tmp_path / "a.xlsx", rows), NoDataRows)


def test_a_missing_sheet_names_those_there_are(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [HEAD], sheet="别的")

    assert "the sheets are: 别的" in refusal(path, SheetMissing)
    refusal(path, SheetMissing, sheet=1)


def test_a_sheet_may_be_known_by_an_alias_a_number_or_other_blanks(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [HEAD, ["1", "A", 1]], sheet="规模明细 （终稿）")

    for name in ("规模明细(终稿)", 0):
        assert read(path, sheet=name).rows_read == 1
    assert read(path, sheet="规模明细", aliases=("规模明细(终稿)",)).rows_read == 1


def test_a_repeated_heading_row_is_data_to_be_judged_later(tmp_path: Path) -> None:
    bronze = read_rows(tmp_path, HEAD, ["1", "A", 1])

    assert cells(bronze.texts) == [(0, "供款", "供款")]
    assert len(bronze.frame) == 2


def test_shared_texts_are_headings_too(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "a.xlsx") as workbook:
        workbook.add_worksheet("说明").write_row(0, 0, ["先看这里"])
        sheet = workbook.add_worksheet("规模明细")
        sheet.write_row(0, 0, HEAD)
        sheet.write_row(1, 0, ["202410", "P01", 3])

    assert read(tmp_path / "a.xlsx").frame["供款"].tolist() == [3.0]


def test_an_error_the_reader_does_not_know_names_its_cell(tmp_path: Path) -> None:
    rows = texts(1, *HEAD) + '<row r="2"><c r="C2" t="e"><v>#SPILL!</v></c></row>'

    assert "规模明细!C2: the error #SPILL!" in refusal(write_xml(tmp_path / "a.xlsx", rows), UnreadableWorkbook)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_damaged_inside_is_one_kind_of_error(tmp_path: Path, seed: int) -> None:
    path = write_rows(tmp_path / "a.xlsx", [HEAD, ["1", "A", 1], ["1", "#N/A", "=C2"], [True, "B", "1,2"]])
    with zipfile.ZipFile(path) as archive:
        parts = {name: bytearray(archive.read(name)) for name in archive.namelist()}
    chance = random.Random(seed)
    part = parts[chance.choice(["xl/workbook.xml", "xl/styles.xml", *["xl/worksheets/sheet1.xml"] * 3])]
    for _ in range(3):
        part[chance.randrange(len(part))] = chance.choice(b'<>/"=09AZrsv ')
    damaged = write_parts(tmp_path / "b.xlsx", {name: bytes(content) for name, content in parts.items()})

    with contextlib.suppress(SourceError):
        assert len(read(damaged).frame) <= 3


def test_a_domain_is_read_by_its_declaration(tmp_path: Path) -> None:
    domain = DOMAINS["annuity_performance"]
    headings = [column.headings[0] for column in domain.read]
    path = write_rows(tmp_path / "a.xlsx", [headings, ["202410"] + ["1"] * (len(headings) - 1)], sheet="规模明细")
    source = Source(
        domain=domain.name, base_path="x", file_patterns=("*",), sheets=(SheetChoice(names=("规模明细",)),) * 2
    )

    bronze = read_workbooks(direct_file(path, source=source), domain=domain)

    assert bronze.rows_read == 2
    assert set(bronze.letters) == {column.name for column in domain.read}
    assert read_workbooks(direct_file(path, source=source), domain=domain, sheet="0").rows_read == 1


@pytest.mark.parametrize(
    ("detail", "content", "text"),
    [
        ("""Expected float but got 'String("a\\"b\\\\\\n\\u{3000}\\u{1f600}'")'""", Content.TEXT, "a\"b\\\n\u3000😀'"),
        ("""Expected float but got 'DateTimeIso("2024-01-02")'""", Content.TEXT, "2024-01-02"),
        ("Expected string but got 'Error(NA)'", Content.ERROR, "NA"),
        ("Expected string but got 'Bool(true)'", Content.BOOLEAN, "TRUE"),
    ],
)
def test_reports_of_the_reader_are_understood(detail: str, content: Content, text: str) -> None:
    assert parse_report(detail) == CellReport(content, text)


@pytest.mark.parametrize("detail", ["", "Expected float but got 'Map({})'", "Expected float but got 'String(x)'"])
def test_a_report_of_unknown_shape_is_an_error(detail: str) -> None:
    with pytest.raises(UnreadableWorkbook, match="does not know"):
        parse_report(detail)


def test_of_several_sheets_one_may_have_headings_only(tmp_path: Path) -> None:
    drop = write_sample_drop(tmp_path, period="202410", rows=100, only=["annual_loss"])
    source = load_sources(PROJECT / "config")["annual_loss"]
    path = drop.sheet("annual_loss").file
    book = load_workbook(path)
    sheets = ["企年受托流失(解约)", "企年投资流失(解约)"]
    book[sheets[1]].delete_rows(2, 1000)
    book.save(path)
    found = direct_file(path, source=source)

    bronze = read_workbooks(found, domain=DOMAINS["annual_loss"])

    assert set(bronze.frame["_source_sheet"]) == {sheets[0]}
    assert [place.endswith(sheets[1]) for place in bronze.empty_sheets] == [True]
    book[sheets[0]].delete_rows(2, 1000)
    book.save(path)
    with pytest.raises(NoDataRows):
        read_workbooks(direct_file(path, source=source), domain=DOMAINS["annual_loss"])


def test_two_sheets_that_go_by_the_names_of_one_are_refused(tmp_path: Path) -> None:
    drop = write_sample_drop(tmp_path, period="202410", rows=100, only=["annuity_income"], versions=["V1"])
    path = drop.sheet("annuity_income").file
    book = load_workbook(path)
    book.copy_worksheet(book["收入明细"]).title = "收入明细（缺少企年投资）"
    book.save(path)
    found = direct_file(path, source=load_sources(PROJECT / "config")["annuity_income"])

    with pytest.raises(AmbiguousWorkbook, match="收入明细（缺少企年投资）"):
        read_workbooks(found, domain=DOMAINS["annuity_income"])
    assert read_workbooks(found, domain=DOMAINS["annuity_income"], sheet="收入明细").rows_read > 0
