"""Rejected rows go out in a workbook, come back corrected, and every row is loaded once."""

import json
import shutil
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from tests.faulty_months import SHEET, FaultyMonth, correct, take_back, write_month
from tests.hub import DOMAIN, Answer, Hub

from work_data_hub.io.locks import load_lock_key
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.orchestration.file_jobs import FileRunConfig
from work_data_hub.orchestration.requests import FileRequest
from work_data_hub.orchestration.rework import reworked

pytestmark = pytest.mark.integration


def requeue(hub: Hub, workbook: Path, *arguments: str, **extra: str) -> Answer:
    start = hub.process if extra else hub.wdh
    return start("requeue", str(workbook), "--report", "json", *arguments, **extra)


def rejects_of(answer: Answer) -> Path:
    return Path(answer.domain["rejects_path"])


def refused(hub: Hub, month: FaultyMonth) -> Path:
    """The rejects workbook of a first run that tolerates nothing."""
    answer = hub.etl("--execute")
    assert (answer.code, answer.domain["rows"]["rejected"]) == (4, len(month.faults))
    return rejects_of(answer)


def tolerated(hub: Hub) -> Path:
    """The rejects workbook of a first run that loads the good rows."""
    answer = hub.etl("--execute", "--max-rejects", "50%")
    assert answer.report["status"] == "loaded", answer.stderr
    return rejects_of(answer)


def loaded(hub: Hub) -> tuple[int, int, Decimal | None]:
    """Rows, distinct source rows, and the sum of 投资收益."""
    rows = hub.query("select count(*), count(distinct _source_row), sum(投资收益) from business.规模明细")[0]
    return rows[0], rows[1], rows[2]


def statuses(hub: Hub) -> dict[tuple[int, str], int]:
    rows = hub.query("select load_id, status, count(*) from ledger.rejected_rows group by 1, 2")
    return {(load, status): count for load, status, count in rows}


def parents(hub: Hub) -> list[tuple[Any, ...]]:
    return hub.query("select load_id, parent_load_id from ledger.loads order by load_id")


def test_a_refused_month_is_loaded_whole_once_its_rows_are_corrected(hub: Hub) -> None:
    month = write_month(hub.data, rows=2_000, faulty=60)
    sent_out = refused(hub, month)
    sent_back = correct(sent_out, month.good, shuffled=True)
    before = hub.contents()

    planned = requeue(hub, sent_back)
    assert (planned.code, planned.report["status"], hub.contents()) == (0, "planned", before)
    found = {(change["cell"], change["was_marked"]) for change in planned.report["requeue"]["changes"]}
    assert found == {(fault.cell, True) for fault in month.faults}

    done = requeue(hub, sent_back, "--execute")

    assert done.report["status"] == "loaded", done.stderr
    assert done.domain["tables"] == planned.domain["tables"]
    assert loaded(hub) == (2_000, 2_000, month.total)
    assert parents(hub) == [(1, None)]
    assert statuses(hub) == {}


def test_the_same_again_is_unchanged_and_force_changes_no_content(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    requeue(hub, sent_back, "--execute")
    before = hub.contents()

    again = [requeue(hub, sent_back, "--execute"), hub.etl("--execute"), hub.etl()]
    assert [(answer.code, answer.report["status"]) for answer in again] == [(0, "unchanged")] * 3
    assert hub.contents() == before

    forced = hub.etl("--execute", "--force")
    assert forced.domain["rows"] == {"read": month.rows, "rejected": 0, "loaded": month.rows}
    assert forced.domain["tables"][0]["unchanged"] == month.rows
    assert loaded(hub) == (month.rows, month.rows, month.total)


def test_a_month_loaded_with_rejects_takes_some_now_and_the_rest_later(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_out = tolerated(hub)
    first, rest = dict(list(month.good.items())[:8]), dict(list(month.good.items())[8:])

    partly = requeue(hub, correct(sent_out, first, shuffled=True), "--execute")

    assert (partly.code, partly.domain["rows"]["rejected"], partly.domain["parent_load_id"]) == (0, 4, 1)
    assert partly.domain["tables"][0] == {
        "table": "business.规模明细",
        "deleted": 0,
        "inserted": 8,
        "updated": 0,
        "unchanged": 188,
    }
    assert statuses(hub) == {(1, "fixed"): 8, (1, "open"): 4, (2, "open"): 4}

    whole = requeue(hub, correct(rejects_of(partly), rest), "--execute")

    assert (whole.code, whole.domain["rows"]["rejected"]) == (0, 0)
    assert loaded(hub) == (month.rows, month.rows, month.total)
    assert parents(hub) == [(1, None), (2, 1), (3, 2)]
    assert statuses(hub) == {(1, "fixed"): 12, (2, "fixed"): 4}
    settled = "select distinct load_id, settled_by_load from ledger.rejected_rows order by 1, 2"
    assert hub.query(settled) == [(1, 2), (1, 3), (2, 3)]


def test_a_row_given_up_is_not_loaded_and_not_asked_about_again(hub: Hub) -> None:
    month = write_month(hub.data)
    given_up, *others = list(month.good)
    sent_back = correct(refused(hub, month), {row: month.good[row] for row in others}, waived=[given_up])

    done = requeue(hub, sent_back, "--execute")

    assert done.domain["rows"] == {"read": 200, "rejected": 1, "loaded": 199}
    assert done.domain["quality"]["waived"]["rows"] == 1
    assert [row["row"] for row in done.report["requeue"]["waived"]] == [given_up]
    assert statuses(hub) == {(1, "waived"): 1}
    forced = hub.etl("--execute", "--force")
    assert (forced.code, forced.domain["rows"]["rejected"]) == (0, 1)


def test_a_row_given_up_can_be_corrected_after_all(hub: Hub) -> None:
    month = write_month(hub.data, faulty=2)
    sent_out = refused(hub, month)
    given_up, other = month.good
    requeue(hub, correct(sent_out, {other: month.good[other]}, waived=[given_up]), "--execute")

    done = requeue(hub, correct(sent_out, month.good), "--execute")

    assert done.domain["rows"] == {"read": 200, "rejected": 0, "loaded": 200}
    assert statuses(hub) == {(1, "fixed"): 1}


def test_a_correction_that_is_still_wrong_is_refused_with_its_cell(hub: Hub) -> None:
    month = write_month(hub.data)
    fault = month.faults[0]
    before = hub.contents()
    sent_back = correct(refused(hub, month), {**month.good, fault.row: {fault.heading: "还不知道"}})

    answers = [requeue(hub, sent_back, *execute) for execute in ([], ["--execute"])]

    for answer in answers:
        assert (answer.code, answer.domain["rejects_path"]) == (4, None)
        error = answer.domain["error"]
        assert (error["row"], error["column"], error["value"]) == (fault.row, fault.heading, "还不知道")
        assert f"!{fault.cell}" in error["message"]
        assert str(sent_back) in error["hint"]
    assert hub.contents() == before


def test_rows_left_alone_count_against_the_tolerance_of_a_first_load(hub: Hub) -> None:
    month = write_month(hub.data, faulty=3)
    rows = list(month.good)
    sent_back = correct(refused(hub, month), {rows[0]: month.good[rows[0]]}, deleted=[rows[1]])

    assert requeue(hub, sent_back).code == 4
    answer = requeue(hub, sent_back, "--max-rejects", "2")
    assert (answer.code, answer.domain["rows"]["rejected"]) == (0, 2)
    assert [row["row"] for row in answer.report["requeue"]["open"]] == rows[1:]


def test_an_untouched_workbook_loads_nothing(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_out = refused(hub, month)

    said = hub.wdh("requeue", str(sent_out), "--execute")
    told = requeue(hub, sent_out)

    assert (said.code, "nothing to do" in said.stdout, parents(hub)) == (0, True, [])
    assert (told.code, told.report["status"], told.report["requeue"]["changes"]) == (0, "unchanged", [])


def test_a_month_loaded_from_another_file_meanwhile_is_left_alone(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_back = correct(tolerated(hub), month.good)
    write_month(hub.data, version="V2", faulty=0, rows=210)
    assert hub.etl("--execute").report["status"] == "loaded"
    before = hub.contents()

    for arguments in ([], ["--execute"]):
        answer = requeue(hub, sent_back, *arguments)
        assert (answer.code, answer.domain["status"]) == (4, "failed")
        assert "by load 2" in answer.domain["error"]["message"]
    assert hub.contents() == before


def test_a_refused_correction_of_a_loaded_month_may_replace_it(hub: Hub) -> None:
    write_month(hub.data, faulty=0)
    assert hub.etl("--execute").report["status"] == "loaded"
    month = write_month(hub.data, version="V2", rows=210, seed=8)

    done = requeue(hub, correct(refused(hub, month), month.good), "--execute")

    assert (done.code, loaded(hub)[0]) == (0, 210)
    assert parents(hub) == [(1, None), (2, None)]


@pytest.mark.parametrize("fate", ["gone", "changed"])
def test_an_original_that_is_not_there_any_more_is_named(hub: Hub, fate: str) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    if fate == "gone":
        month.path.unlink()
    else:
        write_month(hub.data, seed=8)

    answer = requeue(hub, sent_back, "--execute")

    assert answer.code == 3
    assert str(month.path) in answer.domain["error"]["message"]
    assert "put the file" in answer.domain["error"]["hint"]


def test_originals_are_found_where_the_data_root_has_moved_to(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    hub.data.rename(hub.data.with_name("moved"))

    answer = requeue(hub, sent_back, WDH_DATA_ROOT=str(hub.data.with_name("moved")))

    assert answer.report["status"] == "planned"


@pytest.mark.parametrize("point", ["after_delete", "before_ledger", "before_commit", "after_commit"])
def test_a_killed_requeue_leaves_the_month_before_or_after(hub: Hub, point: str) -> None:
    month = write_month(hub.data)
    sent_back = correct(tolerated(hub), month.good)
    before = hub.contents()

    assert requeue(hub, sent_back, "--execute", WDH_FAULT=point).code == -9

    # The server needs a second to see that its client is gone.
    again = ("--execute", "--lock-wait", "30")
    if point == "after_commit":
        assert loaded(hub) == (month.rows, month.rows, month.total)
    else:
        assert hub.contents() == before
        assert requeue(hub, sent_back, *again).report["status"] == "loaded"
    assert requeue(hub, sent_back, *again).report["status"] == "unchanged"
    assert statuses(hub) == {(1, "fixed"): 12}


def test_two_at_once_do_not_mix(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    command = hub.command("requeue", str(sent_back), "--execute", "--report", "json")
    with subprocess.Popen(command, env=hub.environment(), cwd=hub.home, stdout=subprocess.PIPE) as other:
        answers = [requeue(hub, sent_back, "--execute").code]
        other.communicate()
        answers.append(other.returncode)

    assert sorted(answers) in ([0, 6], [0, 0])
    assert loaded(hub) == (month.rows, month.rows, month.total)
    assert parents(hub) == [(1, None)]


def test_a_held_month_is_told(hub: Hub, warehouse: Any) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    with warehouse.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", (load_lock_key(DOMAIN, "202410"),))

    assert requeue(hub, sent_back, "--execute").code == 6


def test_what_was_appended_is_not_appended_twice(hub: Hub) -> None:
    month = write_month(hub.data)
    first = hub.etl("--execute", "--mode", "append", "--max-rejects", "50%")

    done = requeue(hub, correct(rejects_of(first), month.good), "--execute")

    assert done.domain["rows"] == {"read": 12, "rejected": 0, "loaded": 12}
    assert loaded(hub) == (month.rows, month.rows, month.total)


def test_corrections_are_kept_for_a_file_that_is_named(hub: Hub) -> None:
    month = write_month(hub.data)
    requeue(hub, correct(refused(hub, month), month.good), "--execute")
    copy = shutil.copy(month.path, hub.home / "copy.xlsx")

    for execute in ([], ["--execute", "--force"]):
        answer = hub.wdh("etl", "--domains", DOMAIN, "--file", str(copy), "--report", "json", *execute)
        assert (answer.code, answer.domain["rows"]["rejected"]) == (0, 0), answer.stderr
        assert answer.domain["quality"].get("corrected cells", {"rows": 12})["rows"] == 12


def test_a_plan_without_a_database_says_that_it_knows_no_corrections(hub: Hub) -> None:
    write_month(hub.data, faulty=0)

    answer = hub.etl(DATABASE_URL="")

    assert "corrections sent back for these files" in answer.domain["quality"]["not_checked"]


def test_open_fixed_and_waived_rows_are_listed(hub: Hub) -> None:
    month = write_month(hub.data)
    rows = list(month.good)
    partly = {row: month.good[row] for row in rows[:8]}
    requeue(hub, correct(tolerated(hub), partly, waived=[rows[8]]), "--execute")

    told = hub.wdh("rejects", "--domain", DOMAIN, "--period", "202410", "--report", "json")
    said = hub.wdh("rejects").stdout

    (load,) = told.report["loads"]
    assert {status: load[status] for status in ("open", "fixed", "waived")} == {"open": 3, "fixed": 8, "waived": 1}
    assert Path(load["workbook"]).is_file()
    still_open = [fault for fault in month.faults if fault.row in rows[9:]]
    for fault in still_open:
        assert f"{SHEET}!{fault.cell}" in said
        assert fault.rule in said
    assert hub.wdh("rejects", "--period", "202411").stdout == "no rejected rows in the standing loads\n"


def test_people_see_each_change_and_the_way_on(hub: Hub) -> None:
    month = write_month(hub.data, faulty=30)
    sent_back = correct(
        refused(hub, month), {**month.good, month.faults[0].row: {"期末资产规模": 1.5, "子企业号": "00700"}}
    )

    said = hub.wdh("requeue", str(sent_back)).stdout.splitlines()

    first = month.faults[0]
    assert said[2].split() == [f"{SHEET}!{first.cell}", "期末资产规模", "待确认", "→", "1.5"]
    assert said[3].endswith("→ 00700  (was not marked)")
    assert "    … and 11 more (--report json shows all)" in said
    assert said[-1] == f"next: wdh requeue '{sent_back}' --execute"


def test_both_sheets_of_a_register_come_back(hub: Hub) -> None:
    drop = write_sample_drop(hub.data, period="202410", rows=400, only=("annual_award",))
    (register,) = {sheet.file for sheet in drop.sheets}
    sheets = [sheet.sheet for sheet in drop.sheets]
    book = load_workbook(register)
    for name in sheets:
        page = book[name]
        amount = next(cell.column_letter for cell in page[1] if cell.value == "计划规模")
        page[f"{amount}3"].value, page[f"{amount}5"].value = "待定", "见附件"
    book.save(register)
    award = ("etl", "--domains", "annual_award", "--period", "202410", "--report", "json", "--execute")
    sent_back = rejects_of(hub.wdh(*award))
    for name in sheets:
        sent_back = correct(sent_back, {3: {"计划规模": 1.5}, 5: {"计划规模": "2"}}, sheet=name)

    done = requeue(hub, sent_back, "--execute")

    assert (done.code, done.domain["rows"]["rejected"]) == (0, 0), done.stderr
    found = hub.query(
        "select _source_sheet, array_agg(计划规模 order by _source_row) from customer.中标客户明细"
        " where _source_row in (3, 5) group by 1"
    )
    loaded_there = {name: [str(amount) for amount in amounts] for name, amounts in found}
    assert loaded_there == {name: ["1.5000", "2.0000"] for name in sheets}


def test_a_total_knows_of_the_rows_that_were_given_up(hub: Hub) -> None:
    month = write_month(hub.data, faulty=2)
    book = load_workbook(month.path)
    book[SHEET].append(["合计", *[None] * 7, float(month.total)])
    book.save(month.path)
    first, second = month.faults
    good = {first.row: {first.heading: first.good}}
    sent_back = correct(refused(hub, month), good, waived=[second.row])

    done = requeue(hub, sent_back, "--execute")

    assert (done.code, done.domain["rows"]["loaded"]) == (0, 199), done.stderr
    (total,) = done.domain["quality"]["control_totals"]
    assert (total["stated"], total["parsed"], total["loaded"]) == ("2050.0", "2050.0000", "2039.7500")


def test_dagster_is_asked_the_same(hub: Hub) -> None:
    month = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    asked = reworked(FileRequest(run_id="r", domain=DOMAIN, execute=True), take_back(sent_back))

    config = FileRunConfig.of(asked)
    request = FileRunConfig(requeue=config.requeue, execute=True).request(domain=DOMAIN, run_id="r")

    assert config.requeue == str(sent_back)
    assert (request.period, request.sheet, request.mode) == (asked.period, asked.sheet, asked.mode)
    assert request.rework is not None
    assert request.rework.corrections.digest == take_back(sent_back).corrections.digest


@pytest.mark.performance
def test_three_hundred_faults_among_thirty_three_thousand_rows(hub: Hub) -> None:
    month = write_month(hub.data, rows=33_000, faulty=300)
    first = hub.etl("--execute")
    assert _marked(rejects_of(first)) == {fault.cell for fault in month.faults}

    done = requeue(hub, correct(rejects_of(first), month.good, shuffled=True), "--execute")

    assert done.report["status"] == "loaded"
    assert loaded(hub) == (33_000, 33_000, month.total)
    assert hub.etl("--execute").report["status"] == "unchanged"


def _marked(workbook: Path) -> set[str]:
    """The addresses, in the original, of the cells with a comment."""
    page = load_workbook(workbook)[SHEET]
    last = page.max_column
    rows = [(row[last - 1].value, row) for row in page.iter_rows(min_row=2)]
    return {f"{cell.coordinate.rstrip('0123456789')}{number}" for number, row in rows for cell in row if cell.comment}


def test_json_is_one_document(hub: Hub) -> None:
    answer = requeue(hub, hub.home / "none.xlsx")

    assert (answer.code, json.loads(answer.stdout)["error"]["code"]) == (3, 3)
