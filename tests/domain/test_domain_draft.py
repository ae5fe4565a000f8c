"""Sample columns become declarations: what is guessed, what is refused, and texts that the tools accept."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.hub import PROJECT

from work_data_hub.domain.domain_draft import Draft, Wish, draft_domain
from work_data_hub.domain.draft_columns import Sample, SampleColumn, column_name, data_rows, draft_column
from work_data_hub.domain.draft_texts import block_lines, declaration_text, file_pattern, migration_text
from work_data_hub.domain.python_text import Call, literal, written
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.tables import create_table_text
from work_data_hub.errors import UsageError

pytestmark = pytest.mark.unit


def sample(**columns: list[str | None]) -> Sample:
    """A sheet of these columns, lettered from A."""
    parts = [
        SampleColumn(heading=heading, letter=chr(ord("A") + at), cells=pd.Series(cells, dtype="string"))
        for at, (heading, cells) in enumerate(columns.items())
    ]
    return Sample(file="sample.xlsx", sheet="机构费用", columns=tuple(parts))


def draft(*, month: str = "", **columns: list[str | None]) -> Draft:
    wish = Wish(name="branch_fees", title="机构费用", table="business.机构费用", month=month)
    return draft_domain(sample(**columns), wish)


def guessed(heading: str, *cells: str | None) -> str:
    """The constructor and its options, without the name."""
    column = draft_column(SampleColumn(heading=heading, letter="A", cells=pd.Series(cells, dtype="string")), name="x")
    options = {name: value for name, value in column.call.options.items() if name != "headings"}
    return written(Call(function=column.call.function, options=options))


@pytest.mark.parametrize(
    ("heading", "cells", "call"),
    [
        ("名称", ["北京", None], "text()"),
        ("名称", ["北京", "无"], "text()"),  # a placeholder is a blank
        ("名称", ["北京", "上海"], "text(required=True, nullable=False)"),
        ("说明", ["长" * 130, None], "text(length=500)"),
        ("说明", ["长" * 5000, None], "text(length=None)"),
        ("合同编号", ["A-1", "B-2"], "code(required=True, nullable=False, length=50)"),
        ("合同编号", ["A-1", None], "code(length=50)"),
        ("合同编号", ["甲一", "乙二"], "text(required=True, nullable=False)"),  # codes are no Chinese words
        ("类别", ["001", "12"], "code(required=True, nullable=False, length=50)"),  # leading zeros
        ("账户", ["6222021234567890123"], "code(required=True, nullable=False, length=50)"),
        ("计划代码", ["A" * 30], "code(required=True, nullable=False, length=100)"),
        ("费用", ["1234.5", "-"], "money(required=True)"),
        ("费用", ["1,234.50", "(100)", "1.5万"], "money(required=True)"),
        ("费用（万元）", ["3"], 'money(required=True, unit="万元")'),
        ("规模(亿)", ["3"], 'money(required=True, unit="亿元")'),
        ("收益率", ["0.05", "-0.01"], "rate(required=True)"),
        ("同比", ["5%", "7.5%"], "rate(required=True)"),
        ("收益率", ["150", "7"], 'money(required=True, unit="%")'),
        ("参保人数", ["12", "1,000"], "count(required=True)"),
        ("参保人数", ["12.5"], "money(required=True)"),
        ("考核有效", ["0", "1", None], "count(required=True)"),
        ("登记日期", ["2024-10-31", "2024年11月"], "day(required=True, nullable=False)"),
        ("登记日期", ["2024-10-31", None], "day()"),
        (
            "生效",
            ["2024-10-31 00:00:00"],
            "day(required=True, nullable=False)",
        ),  # written as days, whatever the heading
        ("流水", ["20241031", "20241101"], "day(required=True, nullable=False)"),
        ("费用", ["202410", "202411"], "money(required=True)"),  # six digits may be an amount
        ("空", [None, None], "text()"),
        ("金额", ["12345678901234567", "5"], "money(required=True)"),
        ("期末规模", ["0012", "5"], "money(required=True)"),
        ("投资(万)", ["12345678901234567"], 'money(required=True, unit="万元")'),
        ("电话费", ["12", "5"], "money(required=True)"),
        ("账户金额", ["12", "5"], "money(required=True)"),
        ("账户数", ["12", "5"], "count(required=True)"),
        ("费率", ["0.012", "0.5"], "rate(required=True)"),
        ("联系电话", ["13800000000", None], "code(length=50)"),
        ("手机", ["13800000000", "13900000000转总机"], "text(required=True, nullable=False)"),
        ("收费电话", ["13800000000"], "code(required=True, nullable=False, length=50)"),
        ("缴费账号", ["123456"], "code(required=True, nullable=False, length=50)"),
        ("账号", [*map(str, range(100, 140)), "见附件"], "text(required=True, nullable=False)"),
        ("证件", ["11010119900101123"], "code(required=True, nullable=False, length=50)"),
        ("证件到期日", ["20301231", "2031-01-31"], "day(required=True, nullable=False)"),
        ("到期日", ["20241031", "20241101", "20241102", "待定"], "day(lenient=True)"),
        ("签约日期", [*["2024-10-31"] * 9, "待定", "另行通知", "见合同"], "day(lenient=True)"),
        ("签约日期", ["2024-10-31", "待定", "另行通知"], "text(required=True, nullable=False)"),
    ],
)
def test_cells_and_heading_tell_the_kind(heading: str, cells: list[str | None], call: str) -> None:
    assert guessed(heading, *cells) == call


@pytest.mark.parametrize(
    ("heading", "cells", "remark"),
    [
        ("空", [None], "x has no value in the sample; it is taken as text"),
        ("费用", [*map(str, range(1, 20)), "见附件"], "1 of 20 values of x are no numbers; their rows are rejected"),
        (
            "登记日期",
            [*(f"202401{n}" for n in range(10, 30)), "年底"],
            "1 of 21 values of x are no days; they become null",
        ),
        ("月份", [*(f"202401{n}" for n in range(10, 30)), "年底"], "1 of 21 values of x are no days; their rows are"),
        ("金额", ["12345678901234567", "5"], "1 values of x have more than 14 digits"),
        ("收益率", ["5.36"], "x goes to 5.36: a fraction, or per cent written without its sign?"),
        ("收益率", ["0.0536"], ""),
    ],
)
def test_what_a_human_must_decide_is_said(heading: str, cells: list[str | None], remark: str) -> None:
    column = draft_column(SampleColumn(heading=heading, letter="A", cells=pd.Series(cells, dtype="string")), name="x")

    assert column.remark.startswith(remark) if remark else column.remark == ""


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("费用（万元）", "费用"),
        ("流失(含待遇支付)", "流失_含待遇支付"),
        ("备\n注", "备注"),
        ("Fee  Amount", "Fee_Amount"),
        ("ＩＤ号", "ID号"),
        ("2023年规模", "2023年规模"),
        ("id", "id_2"),
        ("_费用", "费用"),
        ("%", "column"),
        ('a"b\\c', "a_b_c"),
        ("很" * 40, "很" * 21),  # PostgreSQL cuts names at 63 bytes
        ("机构", "机构_2"),
    ],
)
def test_headings_become_names(heading: str, name: str) -> None:
    assert column_name(heading, taken={"机构"}) == name


def test_columns_with_a_part_bring_their_steps() -> None:
    drafted = draft(
        月度=["202410"],
        计划号=["0001"],
        机构=["北京"],
        业务类型=["企年受托"],
        客户名称=["甲公司"],
        机构代码=["G01"],
        company_id=["600"],
        序号=["1"],
    )

    assert [written(step) for step in drafted.steps] == [
        'translate("机构代码", source="机构名称", using="branches", unknown="G00")',
        'translate("产品线代码", source="业务类型", using="product_lines")',
        'normalise_company("客户名称")',
        'identify_company("company_id", plan="计划号", customer="客户名称", existing="公司代码")',
    ]
    assert drafted.ignored == ("机构代码", "序号")
    assert drafted.domain.by_name["机构名称"].headings == ("机构", "机构名称")
    assert drafted.domain.by_name["公司代码"].headings == ("company_id",)
    assert drafted.indexes == (("月度", "计划号"), ("company_id",))


def test_columns_without_a_part_bring_none() -> None:
    drafted = draft(月度=["202410"], 机构代码=["G01"], company_id=["600"])

    assert (drafted.steps, drafted.ignored) == ((), ())
    assert drafted.domain.by_name["company_id"].headings == ("company_id",)


def test_the_unit_is_asked_once() -> None:
    drafted = draft(月度=["202410"], 费用=["1"], 税=["1"], 规模_亿元=["1"])

    assert len(drafted.remarks) == 1


@pytest.mark.parametrize(
    ("columns", "month"),
    [
        ({"登记日期": ["2024-10-01"], "上报月份": ["2024年10月"]}, "上报月份"),
        ({"缴费月份": ["202409"], "月度": ["202410"]}, "月度"),
        ({"月份": ["十月"], "所属期间": ["202410"]}, "所属期间"),  # only what can be read
    ],
)
def test_the_month_is_found_by_heading_and_cells(columns: dict[str, Any], month: str) -> None:
    assert draft(**columns).month == month


def test_any_column_of_dates_can_be_the_month() -> None:
    drafted = draft(month=" 登记日期 ", 登记日期=["2024-10-05", "2024-10-31"], 费用=["1", "2"])

    assert (drafted.month, str(drafted.period)) == ("登记日期", "2024-10")


@pytest.mark.parametrize(
    ("month", "columns", "words"),
    [
        ("", {"登记日期": ["2024-10-05"], "费用": ["1"]}, "--month HEADING; columns that hold dates: 登记日期"),
        ("月份", {"登记日期": ["2024-10-05"]}, "no column has the heading '月份'"),
        ("", {"月度": ["202410", "202411"]}, "月度 names 2: 2024-10, 2024-11"),
        ("备注", {"备注": ["x"]}, "备注 names 0: none that can be read"),
    ],
)
def test_a_sample_must_name_one_month(month: str, columns: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        draft(month=month, **columns)

    assert words in str(refused.value)


def test_totals_are_no_sample() -> None:
    cells = pd.DataFrame(
        {
            "月度": ["202410", "合计", "202410", "202410"],
            "名称": ["总计划", "x", "小 计：", "合计"],
            "费用": ["1", "2", None, "3"],
        },
        dtype="string",
    )

    # The last row is complete: 合计 may be what somebody is called.
    assert data_rows(cells)["名称"].tolist() == ["总计划", "合计"]


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "Branch"},
        {"name": "class"},
        {"name": "on"},
        {"name": "../x"},
        {"name": "a" * 41},
        {"title": 'a"b'},
        {"title": ""},
        {"table": "机构费用"},
        {"table": 'business.x"; drop table y'},
        {"table": "business." + "很" * 22},
    ],
)
def test_names_that_files_or_the_server_cannot_bear_are_refused(wish: dict[str, str]) -> None:
    usual = {"name": "branch_fees", "title": "机构费用", "table": "business.机构费用"}

    with pytest.raises(UsageError):
        Wish(**(usual | wish))


def nasty() -> Draft:
    """Headings and values that are hard to write down."""
    columns: dict[str, Any] = {
        "月度": ["202410"],
        'a"b': ["x"],
        "it's": ["x"],
        "back\\slash": ["x"],
        "说明" * 70: ["x"],
        "一个很长很长很长很长很长的列名以至于一行放不下（万元）": ["3"],
        "客户名称": ["甲"],
        "机构": [None],
    }
    return draft(**columns)


def test_the_written_declaration_is_the_drafted_one(tmp_path: Path) -> None:
    page = tmp_path / "drafted.py"
    page.write_text(declaration_text(nasty()), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("drafted", page)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    made: Domain = module.BRANCH_FEES
    meant = nasty().domain
    assert made.fingerprint == meant.fingerprint
    assert (made.indexes, made.ignored_headings, made.title) == (meant.indexes, meant.ignored_headings, meant.title)


def test_texts_are_as_the_formatter_wants_them(tmp_path: Path) -> None:
    (tmp_path / "declaration.py").write_text(declaration_text(nasty()), encoding="utf-8")
    (tmp_path / "migration.py").write_text(
        migration_text(nasty(), revision="0002", down_revision="0001"), encoding="utf-8"
    )
    config = ["--config", str(PROJECT / "pyproject.toml")]
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, *config, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


def test_the_migration_makes_the_printed_table() -> None:
    migration = migration_text(nasty(), revision="0002", down_revision="0001")
    words = " ".join(migration.split())

    assert 'down_revision = "0001"' in migration
    for statement in create_table_text(nasty().domain).removesuffix(";").split(";\n"):
        assert " ".join(statement.split()) in words


def test_the_block_is_quoted_for_yaml() -> None:
    assert block_lines(nasty(), folder="{YYYYMM}/x", file="a: b.xlsx", sheet="#1") == [
        'base_path: "{YYYYMM}/x"',
        'file_patterns: ["*a*.xlsx"]',
        'sheet_names: ["#1"]',
    ]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("机构费用202410.xlsx", "*机构费用*.xlsx"),
        ("【for年金机构经营分析】25年10月年金规模收入数据 1111.xlsx", "*年金规模收入数据*.xlsx"),
        ("branch_fees_2024-10_V2.xlsm", "*branch_fees*.xlsm"),
        ("202410.xlsx", "*.xlsx"),
    ],
)
def test_the_pattern_finds_next_months_file(file: str, pattern: str) -> None:
    assert file_pattern(file) == pattern


@pytest.mark.parametrize(
    ("text", "source"),
    [("a", '"a"'), ('a"b', "'a\"b'"), ("a'b", '"a\'b"'), ("\"'", '"\\"\'"'), ("a\\b\n\ufeff", '"a\\\\b\\n\\ufeff"')],
)
def test_texts_are_quoted_with_few_escapes(text: str, source: str) -> None:
    assert literal(text) == source


@pytest.mark.parametrize(("sign", "most"), [("a", 116), ("中", 58)])
def test_lines_are_broken_where_the_page_ends(sign: str, most: int) -> None:
    assert "\n" not in written([sign * most])
    assert written([sign * most], behind=1).splitlines()[0] == "["
    assert written([sign * (most - 1), ""]).splitlines()[0] == "["
