"""A workbook whose headings changed: refused with what may be meant, read once a human has said so."""

import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import load_workbook
from openpyxl.utils import get_column_letter
from tests.hub import DOMAIN, PROJECT, Hub

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.layouts import LAYOUTS, PERFORMANCE
from work_data_hub.errors import HeadingsMissing
from work_data_hub.io.config_files import source_for
from work_data_hub.io.heading_edits import accept_heading, ignore_heading
from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop
from work_data_hub.io.source_files import find_workbooks
from work_data_hub.orchestration.heading_drift import read_with_headings
from work_data_hub.orchestration.requests import FileRequest, Workplace

SHEET = "规模明细"


@pytest.fixture
def own_hub(hub: Hub, tmp_path: Path) -> Hub:
    """A hub with a configuration of its own."""
    folder = shutil.copytree(PROJECT / "config", tmp_path / "config")
    return replace(hub, extra={"WDH_CONFIG_DIR": str(folder)})


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    """A place without a warehouse."""
    shutil.copytree(PROJECT / "config", tmp_path / "config")
    return Workplace(
        data_root=tmp_path / "data",
        config_dir=tmp_path / "config",
        home=tmp_path,
        database_url=None,
        alias_salt="salt",
        actor="test",
    )


def sample(place: Workplace, period: str = "202410", *faults: str, domain: str = DOMAIN) -> SampleDrop:
    return write_sample_drop(
        place.data_root,
        period=period,
        rows=400,
        only=(domain,),
        fault_domain=domain,
        faults=faults,
        versions=("V1",),
    )


def edit(drop: SampleDrop, change: Callable[[list[str]], list[str]]) -> None:
    """Write other headings into the sample's sheet."""
    file = drop.sheet(DOMAIN, "V1").file
    book = load_workbook(file)
    for column, heading in enumerate(change([str(cell.value) for cell in book[SHEET][1]]), start=1):
        book[SHEET].cell(1, column, heading)
    book.save(file)


def renamed(**names: str) -> Callable[[list[str]], list[str]]:
    return lambda headings: [names.get(heading, heading) for heading in headings]


def read(place: Workplace, period: str = "202410", domain: str = DOMAIN) -> tuple[Bronze, tuple[str, ...]]:
    month = Period.parse(period)
    found = find_workbooks(source_for(place.config_dir, domain), data_root=place.data_root, period=month)
    request = FileRequest(run_id="test", domain=domain, period=month)
    return read_with_headings(found, domain=DOMAINS[domain], request=request, place=place)


def refusal(place: Workplace, domain: str = DOMAIN) -> HeadingsMissing:
    with pytest.raises(HeadingsMissing) as refused:
        read(place, domain=domain)
    return refused.value


@pytest.mark.integration
def test_a_renamed_heading_is_refused_accepted_and_loads_the_same_rows(own_hub: Hub) -> None:
    own_hub.sample(period="202409")
    drop = own_hub.sample()
    rows = drop.sheet(DOMAIN, "V2").rows
    assert own_hub.etl("--execute").code == 0
    before = own_hub.contents()
    own_hub.sample(faults=["renamed_heading"])

    refused = own_hub.etl("--execute")

    error = refused.domain["error"]
    assert (refused.code, error["code"]) == (3, 3)
    assert own_hub.contents() == before
    assert "期末规模 (K1) may be 期末资产规模, confidence 0.9" in error["message"]
    command = error["hint"].removeprefix("if that is meant: ")
    assert command == f"wdh domain accept-heading {DOMAIN} 期末资产规模 期末规模"

    accepted = own_hub.wdh(*shlex.split(command)[1:])
    loaded = own_hub.etl("--execute")

    assert (accepted.code, loaded.report["status"]) == (0, "loaded")
    assert loaded.domain["tables"][0]["unchanged"] == rows
    assert (loaded.domain["tables"][0]["deleted"], loaded.domain["tables"][0]["inserted"]) == (0, 0)


@pytest.mark.integration
def test_the_command_says_what_it_did_and_what_comes_next(own_hub: Hub) -> None:
    arguments = ("domain", "accept-heading", DOMAIN, "期末资产规模", "期末规模")

    first, again, removed = (own_hub.wdh(*arguments, *more) for more in ((), (), ("--remove",)))

    assert "期末规模 now means 期末资产规模" in first.stdout
    assert first.stdout.splitlines()[-1] == f"next: wdh etl --domains {DOMAIN} --period YYYYMM"
    assert "nothing changed" in again.stdout
    assert "no longer means" in removed.stdout
    own_hub.sample(rows=100, faults=["renamed_heading"])
    assert own_hub.etl(DATABASE_URL="").code == 3


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("annuity_performanc", "供款", "缴费"), "did you mean 'annuity_performance'"),
        ((DOMAIN, "供", "缴费"), "did you mean '供款'"),
        ((DOMAIN, "供款", "备注"), "ignores this heading"),
    ],
)
def test_the_command_refuses_what_cannot_be(own_hub: Hub, arguments: tuple[str, ...], words: str) -> None:
    answer = own_hub.wdh("domain", "accept-heading", *arguments)

    assert (answer.code, answer.stdout) == (2, "")
    assert words in answer.stderr


@pytest.mark.integration
def test_a_heading_is_ignored_by_its_command(own_hub: Hub) -> None:
    drop = own_hub.sample(rows=100)
    file = drop.sheet(DOMAIN, "V2").file
    book = load_workbook(file)
    headings = {cell.value: cell for cell in book[SHEET][1]}
    headings["供款"].value = "供款 金额"
    book.save(file)

    refused = own_hub.etl(DATABASE_URL="")
    command = refused.domain["error"]["hint"].partition("if it is something else: ")[2]
    ignored, again = (own_hub.wdh(*shlex.split(command)[1:]) for _ in range(2))
    planned = own_hub.etl(DATABASE_URL="")
    removed = own_hub.wdh(*shlex.split(command)[1:], "--remove")

    assert (refused.code, ignored.code, planned.code) == (3, 0, 0)
    assert "供款 金额 is now ignored" in ignored.stdout
    assert "nothing changed" in again.stdout
    assert planned.domain["quality"]["warnings"] == ["headings missing, their columns stay empty: 供款"]
    assert "is no longer ignored" in removed.stdout
    assert own_hub.etl(DATABASE_URL="").code == 3


@pytest.mark.integration
def test_moved_columns_load_as_before(own_hub: Hub) -> None:
    rows = own_hub.sample().sheet(DOMAIN, "V2").rows
    own_hub.etl("--execute")
    own_hub.sample(faults=["moved_columns"])

    loaded = own_hub.etl("--execute")

    assert loaded.report["status"] == "loaded"
    assert loaded.domain["tables"][0]["unchanged"] == rows


@pytest.mark.unit
@pytest.mark.parametrize("domain", sorted({layout.domain for layout in LAYOUTS} & DOMAINS.keys()))
def test_each_domain_finds_its_renamed_heading(place: Workplace, domain: str) -> None:
    sample(place, "202409", domain=domain)
    sample(place, "202410", "renamed_heading", domain=domain)

    error = refusal(place, domain)

    assert "may be" in error.message
    assert f"wdh domain accept-heading {domain} {error.field} " in str(error.hint)


@pytest.mark.unit
def test_without_last_month_there_is_a_proposal_too(place: Workplace) -> None:
    sample(place, "202410", "renamed_heading")

    assert "期末规模 (K1) may be 期末资产规模" in refusal(place).message


@pytest.mark.unit
def test_a_damaged_last_month_is_no_error(place: Workplace) -> None:
    sample(place, "202409", "truncated")
    sample(place, "202410", "renamed_heading")

    assert "期末规模 (K1) may be 期末资产规模" in refusal(place).message


@pytest.mark.unit
def test_of_two_files_of_last_month_the_newest_is_compared(place: Workplace) -> None:
    sample(place, "202409", "two_candidates")
    sample(place, "202410", "renamed_heading")

    assert "same letter · same neighbours" in refusal(place).message


@pytest.mark.unit
def test_headings_that_are_ignored_on_purpose_are_no_candidates(place: Workplace) -> None:
    sample(place, "202409")
    edit(sample(place), renamed(子企业号="批次", 子企业名称="备注"))

    _, remarks = read(place)

    assert remarks == ("headings that last month's file did not have: 批次 (T1)",)


@pytest.mark.unit
@pytest.mark.parametrize("months", [("202409",), ()], ids=["last month", "no last month"])
def test_an_optional_column_under_another_name_is_refused(place: Workplace, months: tuple[str, ...]) -> None:
    for month in months:
        sample(place, month)
    edit(sample(place), renamed(供款="供款 金额"))

    error = refusal(place)

    assert error.message.startswith(
        "lacks 供款; unknown headings: 供款 金额 (L1); 供款 金额 (L1) may be 供款, confidence 0."
    )
    assert (error.cell, error.field, error.exit_code) == ("L1", "供款", 3)
    assert error.hint == (
        "if that is meant: wdh domain accept-heading annuity_performance 供款 '供款 金额'; "
        "if it is something else: wdh domain ignore-heading annuity_performance '供款 金额'"
    )


@pytest.mark.unit
def test_each_sheet_has_to_have_its_own_columns(place: Workplace) -> None:
    drop, sheet = sample(place, domain="annual_award"), "企年投资中标(空白)"
    file = next(one.file for one in drop.sheets if one.domain == "annual_award")
    book = load_workbook(file)
    next(cell for cell in book[sheet][1] if cell.value == "年缴规模").value = "年缴费规模"
    book.save(file)

    error = refusal(place, "annual_award")

    assert (error.sheet, error.field) == (sheet, "年缴规模")
    assert "accept-heading annual_award 年缴规模 年缴费规模" in str(error.hint)


@pytest.mark.unit
def test_an_optional_column_whose_likely_heading_is_ignored_is_empty(place: Workplace) -> None:
    sample(place, "202409")
    edit(sample(place), renamed(供款="供款 金额"))
    ignore_heading(place.config_dir, domain=DOMAINS[DOMAIN], heading="供款金额")

    bronze, remarks = read(place)

    assert "供款" not in bronze.frame.columns
    assert (bronze.unknown_headings, remarks) == ((), ())


@pytest.mark.unit
def test_a_required_and_an_optional_heading_are_refused_together(place: Workplace) -> None:
    sample(place, "202409")
    edit(sample(place), renamed(供款="供款 金额", 期末资产规模="期末规模"))

    error = refusal(place)

    assert "lacks 期末资产规模, 供款" in error.message
    assert error.field == "期末资产规模"
    assert "ignore-heading annuity_performance '供款 金额'" in str(error.hint)
    assert "ignore-heading annuity_performance 期末规模" not in str(error.hint)


@pytest.mark.unit
def test_an_optional_amount_in_another_unit_is_refused(place: Workplace) -> None:
    edit(sample(place), renamed(供款="供款（万元）"))

    error = refusal(place)

    assert "but it is in 万元, the column in 元" in error.message
    assert error.hint == "if it is something else: wdh domain ignore-heading annuity_performance '供款（万元）'"


@pytest.mark.unit
def test_a_column_that_is_not_kept_is_refused_under_another_name_too(place: Workplace) -> None:
    edit(sample(place, "202409"), renamed(子企业名称="公司代码"))
    edit(sample(place), renamed(子企业名称="公司编号"))

    assert "公司编号 (U1) may be 公司代码" in refusal(place).message


@pytest.mark.unit
@pytest.mark.parametrize(
    ("last", "said"),
    [("公司代码", ("headings missing that last month's file had: 公司代码",)), ("子企业名称", ())],
)
def test_a_column_that_is_not_kept_is_missed_where_last_month_had_it(
    place: Workplace, last: str, said: tuple[str, ...]
) -> None:
    edit(sample(place, "202409"), renamed(子企业名称=last))
    sample(place)

    assert read(place)[1] == said


@pytest.mark.unit
def test_without_proposals_what_is_new_and_moved_is_told(place: Workplace) -> None:
    sample(place, "202409")
    edit(sample(place), renamed(当期收益率="流失", 流失="当期收益率", 集团企业客户名称="ZZ"))

    _, remarks = read(place)

    assert "columns that stand elsewhere than last month, read as usual: 当期收益率 Q → N, 流失 N → Q" in remarks


@pytest.mark.unit
def test_values_below_a_blank_heading_are_told(place: Workplace) -> None:
    drop = sample(place)
    file = drop.sheet(DOMAIN, "V1").file
    book = load_workbook(file)
    wide = book[SHEET].max_column + 2
    for row in (2, 3, 5):
        book[SHEET].cell(row, wide, "丢失")
    book.save(file)

    (remark,) = read(place)[1]

    assert remark.endswith(
        f"{SHEET}: column {get_column_letter(wide)} has no heading and 3 filled cells; it was not read"
    )


@pytest.mark.unit
def test_with_every_heading_known_nothing_is_said(place: Workplace) -> None:
    sample(place, "202409", "renamed_heading")
    sample(place)

    assert read(place)[1] == ()


@pytest.mark.unit
def test_a_renamed_column_reads_as_the_same_cells(place: Workplace) -> None:
    sample(place)
    usual, _ = read(place)
    sample(place, "202410", "renamed_heading")
    accept_heading(place.config_dir, domain=DOMAINS[DOMAIN], column="期末资产规模", heading="期末规模")

    other, remarks = read(place)

    assert remarks == ()
    assert usual.frame.equals(other.frame)
    assert usual.texts.equals(other.texts)


@pytest.mark.unit
def test_a_title_above_the_headings_is_still_told_as_such(place: Workplace) -> None:
    sample(place, "202410", "title_row")

    error = refusal(place)

    assert "delete the rows above them" in str(error.hint)
    assert "unknown headings" not in error.message


@pytest.mark.unit
def test_a_foreign_sheet_gets_no_proposal(place: Workplace) -> None:
    drop = sample(place)
    edit(drop, lambda headings: [f"反馈{number}" for number in range(len(headings))])

    error = refusal(place)

    assert "may be" not in error.message
    assert "sheet_names" in str(error.hint)


@pytest.mark.unit
def test_every_renamed_heading_gets_its_command(place: Workplace) -> None:
    sample(place, "202409")
    names = {"计划代码": "计划号码", "客户名称": "客户", "期初资产规模": "期初规模", "期末资产规模": "期末规模"}
    edit(sample(place), renamed(**names))

    error = refusal(place)

    for column, heading in names.items():
        assert f"accept-heading annuity_performance {column} {heading}" in str(error.hint)
    assert error.cell in {"D1", "I1", "J1", "K1"}


@pytest.mark.unit
def test_faulty_cells_of_moved_columns_stand_where_the_drop_says(place: Workplace) -> None:
    drop = sample(place, "202410", "moved_columns", "text_in_amount")
    book = load_workbook(drop.sheet(DOMAIN, "V1").file)

    assert {book[SHEET][cell.cell].value for cell in drop.planted} == {"待确认", "见附件", "1.2.3"}
    assert book[SHEET]["A1"].value == PERFORMANCE.headings[len(PERFORMANCE.headings) // 2]
