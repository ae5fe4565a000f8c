"""Totals in a workbook, through the command line: set aside, compared, refused, and a month beside the month before."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from openpyxl import load_workbook
from tests.hub import DOMAIN, Answer, Hub

from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop

pytestmark = pytest.mark.integration


def controls(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.domain["quality"]["control_totals"])


def unexplained(answer: Answer) -> list[dict[str, Any]]:
    return [control for control in controls(answer) if control["explanation"] is None]


def edit(drop: SampleDrop, cells: dict[str, Any]) -> None:
    """Change cells of 规模明细 in the last version."""
    file = drop.sheet(DOMAIN, "V2").file
    workbook = load_workbook(file)
    for cell, value in cells.items():
        workbook["规模明细"][cell] = value
    workbook.save(file)


def last_row(file: Path, sheet: str) -> int:
    return int(load_workbook(file)[sheet].max_row)


def test_totals_that_agree_are_set_aside_and_the_month_loads(hub: Hub) -> None:
    drop = hub.sample(faults=["total_rows"])
    sheet = drop.sheet(DOMAIN, "V2")

    planned, answer = hub.etl(), hub.etl("--execute")

    assert (planned.code, answer.code) == (0, 0), answer.stderr
    assert answer.domain["rows"] == {"read": sheet.rows, "rejected": 0, "loaded": sheet.rows}
    assert hub.query("select count(*) from business.规模明细") == [(sheet.rows,)]
    assert [control["label"] for control in controls(answer)[::7]] == ["小计", "小计", "小计", "合 计"]
    grand = controls(answer)[21:]
    assert [Decimal(control["loaded"]) for control in grand] == list(sheet.sums.values())
    assert [control["explanation"] for control in controls(answer)] == [""] * 28
    assert [{**control, "loaded": None} for control in controls(answer)] == controls(planned)


def test_the_console_names_the_totals(hub: Hub) -> None:
    hub.sample(faults=["total_rows"])

    answer = hub.wdh("etl", "--domains", DOMAIN, "--period", "202410")

    assert "4 rows of totals set aside: row 101 小计, row 202 小计, row 303 小计, row 304 合 计" in answer.stdout
    assert "28 stated sums agree with their rows" in answer.stdout


def test_a_sheet_without_totals_reports_none(hub: Hub) -> None:
    hub.sample()

    assert controls(hub.etl()) == []


def test_a_wrong_total_is_refused_with_its_cell_by_plan_and_execute(hub: Hub) -> None:
    drop = hub.sample(faults=["wrong_total"])
    (planted,) = drop.planted
    before = hub.contents()

    for flags in ([], ["--execute"]):
        answer = hub.etl(*flags)
        error = answer.domain["error"]
        assert (answer.code, error["code"]) == (4, 4)
        assert error["message"].startswith("[TOTALS_DIFFER]")
        assert f"{planted.sheet}!{planted.cell}" in error["message"]
        assert (error["row"], error["column"]) == (planted.row, "期初资产规模")
        assert "a difference of 1,000.00 元" in error["message"]
        assert [control["difference"] for control in controls(answer) if control["explanation"] is None] == [
            "1000.0000"
        ]
    assert hub.contents() == before
    assert hub.query("select status from public.pipeline_executions") == [("failed",)]


def test_a_missing_row_makes_its_subtotal_and_the_total_differ(hub: Hub) -> None:
    drop = hub.sample(faults=["total_rows"])
    file = drop.sheet(DOMAIN, "V2").file
    workbook = load_workbook(file)
    workbook["规模明细"].delete_rows(150)
    workbook.save(file)

    answer = hub.etl()

    assert answer.code == 4
    differing = {(control["row"], control["label"]) for control in unexplained(answer)}
    assert differing == {(201, "小计"), (303, "合 计")}


def test_a_total_typed_as_text_with_commas_is_compared_exactly(hub: Hub) -> None:
    drop = hub.sample(faults=["total_rows"])
    total = drop.sheet(DOMAIN, "V2").sums["期末资产规模"]
    edit(drop, {"K304": f"{total:,.4f}"})
    assert hub.etl().code == 0

    edit(drop, {"K304": f"{total + 1:,.4f}"})
    assert hub.etl().domain["error"]["message"].split(": ")[0].endswith("规模明细!K304")


def test_a_total_over_rejected_rows_is_shown_and_loads_with_a_tolerance(hub: Hub) -> None:
    drop = hub.sample(faults=["total_rows", "text_in_amount"])
    # Somebody adds up what the three cells ought to hold.
    edit(drop, {"P304": 1.0})

    assert hub.etl().domain["error"]["message"].startswith("[DATA_ERROR]")
    answer = hub.etl("--execute", "--max-rejects", "3")

    assert answer.code == 0, answer.stderr
    (shown,) = [control for control in controls(answer) if control["explanation"]]
    assert (shown["cell"], shown["explanation"]) == (
        "P304",
        "3 of its cells cannot be read, so the difference cannot be verified",
    )
    assert (shown["verified"], shown["difference"] != "0.0000") == (False, True)
    assert shown["loaded"] == shown["cleaned"]


def test_a_total_that_cannot_be_read_is_told_and_loads(hub: Hub) -> None:
    drop = hub.sample(faults=["total_rows"])
    edit(drop, {"J304": "=SUM(J2:J303)", "K304": "一千", "P304": "=1/0"})

    planned, answer = hub.etl(), hub.etl("--execute")
    console = hub.wdh("etl", "--domains", DOMAIN, "--period", "202410", "--force")

    assert (planned.code, answer.code) == (0, 0), answer.stderr
    untold = [(facts["cell"], facts["why"]) for facts in answer.domain["quality"]["totals_not_compared"]]
    assert untold == [
        ("J304", "cannot be read (its formula was never calculated)"),
        ("K304", "cannot be read (一千 is no number)"),
        ("P304", "cannot be read (its formula was never calculated)"),
    ]
    assert planned.domain["quality"]["totals_not_compared"] == answer.domain["quality"]["totals_not_compared"]
    assert "not compared: 规模明细!K304 期末资产规模 cannot be read (一千 is no number)" in console.stdout


def test_a_customer_whose_name_ends_as_a_total_is_rejected_with_its_reason(hub: Hub) -> None:
    drop = hub.sample()
    file = drop.sheet(DOMAIN, "V2").file
    workbook = load_workbook(file)
    worksheet = workbook["规模明细"]
    headings = [cell.value for cell in worksheet[1]]
    names = {"客户名称": "上海道达尔TOTAL", "计划代码": None, "计划号": None, "计划类型": None, "组合代码": None}
    for heading, value in names.items():
        if heading in headings:
            worksheet.cell(5, headings.index(heading) + 1).value = value
    workbook.save(file)

    answer = hub.etl("--execute", "--max-rejects", "1")

    assert answer.code == 0, answer.stderr
    assert answer.domain["rows"]["rejected"] == 1
    assert answer.domain["quality"]["totals_set_aside"] == []


def test_every_total_is_in_the_report_without_amounts_too(hub: Hub) -> None:
    drop = hub.sample()
    edit(drop, {f"A{last_row(drop.sheet(DOMAIN, 'V2').file, '规模明细') + 1}": "合计"})

    quality = hub.etl().domain["quality"]

    assert [(facts["label"], facts["kind"]) for facts in quality["totals_set_aside"]] == [("合计", "grand")]
    assert quality["control_totals"] == []


def test_counts_of_a_register_are_compared_as_loaded(hub: Hub) -> None:
    domain = "annual_award"
    drop = write_sample_drop(hub.data, period="202410", rows=50, only=(domain,))
    first = drop.sheets[0]
    workbook = load_workbook(first.file)
    worksheet = workbook[first.sheet]
    at = [cell.value for cell in worksheet[1]].index("考核有效") + 1
    total = sum(Decimal(str(worksheet.cell(row, at).value or 0)) for row in range(2, worksheet.max_row + 1))
    worksheet.append(["合计"])
    below = worksheet.max_row
    worksheet.cell(below, at).value = int(total)
    workbook.save(first.file)
    command = ["etl", "--domains", domain, "--period", "202410", "--report", "json", "--execute"]

    answer = hub.wdh(*command)

    assert answer.code == 0, answer.stderr
    (control,) = controls(answer)
    assert (control["column"], Decimal(control["loaded"])) == ("考核有效", total)

    worksheet.cell(below, at).value = int(total) + 1
    workbook.save(first.file)
    assert hub.wdh(*command).domain["error"]["column"] == "考核有效"


def test_a_wider_tolerance_lets_the_total_pass(hub: Hub, tmp_path: Path) -> None:
    hub.sample(faults=["wrong_total"])
    config = tmp_path / "config"
    _copy_config(config, {"totals_tolerance: 0.01": "totals_tolerance: 1000"})

    assert hub.etl(WDH_CONFIG_DIR=str(config)).code == 0


def test_amounts_that_the_warehouse_changes_are_rolled_back(hub: Hub) -> None:
    hub.sample(faults=["total_rows"])
    _run(
        hub,
        "create function public.shave() returns trigger language plpgsql as"
        ' \'begin new."供款" := new."供款" - 0.0001; return new; end\'',
        "create trigger shave before insert on business.规模明细 for each row execute function public.shave()",
    )
    before = hub.contents()

    assert hub.etl().code == 0
    answer = hub.etl("--execute")

    assert answer.code == 4
    assert "the warehouse would hold" in answer.domain["error"]["message"]
    assert answer.domain["error"]["column"] == "供款"
    assert hub.contents() == before


def test_each_sheet_of_a_register_has_its_own_total(hub: Hub) -> None:
    drop = write_sample_drop(
        hub.data, period="202410", rows=50, only=("annual_award",), fault_domain="annual_award", faults=["total_rows"]
    )
    second = drop.sheets[1]
    workbook = load_workbook(second.file)
    workbook[second.sheet].append(["合计", *[None] * 4, float(second.sums["计划规模"]) + 0.5])
    workbook.save(second.file)

    answer = hub.wdh("etl", "--domains", "annual_award", "--period", "202410", "--report", "json")

    assert answer.code == 4
    assert (answer.domain["error"]["sheet"], answer.domain["error"]["row"]) == (
        second.sheet,
        last_row(second.file, second.sheet),
    )
    assert {control["sheet"] for control in controls(answer)} == {drop.sheets[0].sheet, second.sheet}
    assert [control["difference"] for control in unexplained(answer)] == ["0.5000"]


@pytest.mark.parametrize("domain", ["annuity_income", "annual_loss", "sandbox_trustee_performance"])
def test_other_domains_set_their_totals_aside(hub: Hub, domain: str) -> None:
    write_sample_drop(hub.data, period="202410", rows=60, only=(domain,), fault_domain=domain, faults=["total_rows"])

    answer = hub.wdh("etl", "--domains", domain, "--period", "202410", "--report", "json", "--execute")

    assert answer.code == 0, answer.stderr
    assert len({control["row"] for control in controls(answer)}) == 4
    assert all(control["loaded"] == control["cleaned"] for control in controls(answer))


def test_an_upsert_sets_its_totals_aside_and_has_no_sum_of_its_own(hub: Hub) -> None:
    domain = "sandbox_trustee_performance"
    write_sample_drop(hub.data, period="202410", rows=60, only=(domain,), fault_domain=domain, faults=["total_rows"])
    command = ["etl", "--domains", domain, "--period", "202410", "--report", "json", "--execute", "--mode", "upsert"]
    hub.wdh(*command)

    answer = hub.wdh(*command, "--force")

    assert answer.code == 0, answer.stderr
    assert {control["loaded"] for control in controls(answer)} == {None}


def test_a_month_far_from_the_one_before_is_a_warning_and_loads(hub: Hub) -> None:
    hub.sample(rows=300, period="202409")
    hub.sample(rows=100, period="202410")
    first = hub.etl("--execute", period="202409").domain
    planned = hub.etl().domain

    answer = hub.etl("--execute")

    rows = [report["rows"]["read"] for report in (first, answer.domain)]
    assert answer.code == 0, answer.stderr
    assert not [warning for warning in first["quality"]["warnings"] if "against" in warning]
    warnings = [warning for warning in answer.domain["quality"]["warnings"] if "2024-09" in warning]
    assert warnings[0] == f"rows −67 % against 2024-09: {rows[0]} → {rows[1]}"
    assert any(warning.startswith("distinct 计划代码 −") for warning in warnings), warnings
    assert [warning for warning in planned["quality"]["warnings"] if "2024-09" in warning] == warnings


def test_the_figures_of_a_month_are_kept_as_metrics(hub: Hub) -> None:
    hub.sample(rows=300, period="202409")
    hub.sample(rows=300, period="202410", seed=9)
    hub.etl("--execute", period="202409")
    hub.etl("--execute")

    metrics = dict(
        hub.query(
            "select metric_name, metric_value from public.data_quality_metrics join public.pipeline_executions"
            " using (execution_id) order by started_at"
        )
    )

    stored = hub.query(
        "select count(*), sum(期末资产规模), count(distinct 计划代码), count(distinct 组合代码)"
        " from business.规模明细 where 月度 = '2024-10-01'"
    )
    names = ("rows", "sum 期末资产规模", "distinct 计划代码", "distinct 组合代码")
    assert [tuple(metrics[name] for name in names)] == stored
    before = hub.query("select sum(期末资产规模) from business.规模明细 where 月度 = '2024-09-01'")[0][0]
    change = (metrics["sum 期末资产规模"] - before) / before
    assert metrics["change sum 期末资产规模"] == change.quantize(Decimal("0.000001"))
    assert metrics["change rows"] == 0


def test_a_part_of_a_month_is_not_held_against_a_whole_one(hub: Hub) -> None:
    hub.sample(rows=300, period="202409")
    hub.sample(rows=60, period="202410")
    hub.etl("--execute", period="202409")

    answer = hub.etl("--execute", "--mode", "append")

    assert not [warning for warning in answer.domain["quality"]["warnings"] if "2024-09" in warning]


def _copy_config(folder: Path, changes: dict[str, str]) -> None:
    source = Path(__file__).parents[2] / "config"
    for file in source.rglob("*"):
        if file.is_file():
            target = folder / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = file.read_text(encoding="utf-8")
            for old, new in changes.items():
                text = text.replace(old, new)
            target.write_text(text, encoding="utf-8")


def _run(hub: Hub, *statements: str) -> None:
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()
