"""Workbooks that come back late: what was settled meanwhile is neither overwritten nor given up unseen."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.test_round_trip import loaded, refused, requeue, statuses, tolerated
from tests.faulty_months import SHEET, FaultyMonth, correct, send_out, take_back, write_month
from tests.hub import DOMAIN, Answer, Hub

from work_data_hub.cli.returned_changes import change_lines

pytestmark = pytest.mark.integration

REOPENED = "重开 · reopened"
STATUS = "状态 · status"


def copy_of(workbook: Path, name: str, good: dict[int, dict[str, Any]], **how: Any) -> Path:
    """A colleague's copy, corrected."""
    folder = workbook.parent / name
    folder.mkdir()
    return correct(Path(shutil.copy(workbook, folder)), good, **how)


def amounts(hub: Hub, row: int) -> list[str]:
    found = hub.query("select _source_row, 期末资产规模 from business.规模明细")
    return [str(amount) for number, amount in found if number == row]


def refusal(answer: Answer) -> dict[str, Any]:
    assert (answer.code, answer.domain["status"]) == (4, "failed"), answer.stdout
    return dict(answer.domain["error"])


def test_a_cell_that_a_colleague_corrected_is_not_overwritten_unseen(hub: Hub) -> None:
    month = write_month(hub.data)
    first = month.faults[0]
    sent_out = tolerated(hub)
    one = copy_of(sent_out, "a", {first.row: {"期末资产规模": 111}})
    other = copy_of(sent_out, "b", {first.row: {"期末资产规模": 222}})
    assert requeue(hub, one, "--execute").report["status"] == "loaded"
    before = hub.contents()

    for execute in ([], ["--execute"]):
        answer = requeue(hub, other, *execute)
        error = refusal(answer)
        assert f"{SHEET}!{first.cell}: 111 stands there now, by load 2" in error["message"]
        assert REOPENED in error["hint"]
        ((found, value),) = [(change["from"], change["to"]) for change in answer.report["requeue"]["changes"]]
        assert (found, value) == ("111", "222")
    assert hub.contents() == before
    assert requeue(hub, one, "--execute").report["status"] == "unchanged"

    knowing = correct(other, {first.row: {STATUS: REOPENED}})
    assert requeue(hub, knowing, "--execute").report["status"] == "loaded"
    assert amounts(hub, first.row) == ["222.0000"]


def test_other_cells_of_a_late_workbook_are_taken(hub: Hub) -> None:
    month = write_month(hub.data, faulty=3)
    first, second, third = month.faults
    sent_out = tolerated(hub)
    both = {first.row: month.good[first.row], second.row: month.good[second.row]}
    requeue(hub, copy_of(sent_out, "a", both), "--execute")

    late = copy_of(sent_out, "b", {first.row: month.good[first.row], third.row: month.good[third.row]})
    done = requeue(hub, late, "--execute")

    assert [change["row"] for change in done.report["requeue"]["changes"]] == [third.row]
    assert done.report["requeue"]["remarks"] == ["taken over before: 1 corrected cell"]
    assert loaded(hub) == (month.rows, month.rows, month.total)


def test_a_row_that_was_mended_since_is_not_given_up(hub: Hub) -> None:
    month = write_month(hub.data)
    row = month.faults[0].row
    sent_out = tolerated(hub)
    late = copy_of(sent_out, "b", {}, waived=[row])
    requeue(hub, copy_of(sent_out, "a", {row: month.good[row]}), "--execute")
    before = hub.contents()

    error = refusal(requeue(hub, late, "--execute"))

    assert f"{SHEET}!A{row}" in error["message"]
    assert "it stands in load 2" in error["message"]
    assert hub.contents() == before


def test_a_row_that_a_colleague_gave_up_is_not_corrected_unseen(hub: Hub) -> None:
    month = write_month(hub.data)
    first = month.faults[0]
    sent_out = tolerated(hub)
    requeue(hub, copy_of(sent_out, "a", {}, waived=[first.row]), "--execute")

    late = copy_of(sent_out, "b", month.good)
    assert "the row was given up by load 2" in refusal(requeue(hub, late))["message"]

    knowing = correct(late, {first.row: {STATUS: REOPENED}})
    assert requeue(hub, knowing, "--execute").report["status"] == "loaded"
    assert loaded(hub) == (month.rows, month.rows, month.total)


def test_giving_up_is_taken_back_in_the_same_workbook(hub: Hub) -> None:
    month = write_month(hub.data)
    row = month.faults[0].row
    sent_out = tolerated(hub)
    requeue(hub, correct(sent_out, {}, waived=[row]), "--execute")
    assert statuses(hub)[2, "waived"] == 1
    opened = correct(sent_out, {})

    assert refusal(requeue(hub, opened))["code"] == 4
    done = requeue(hub, opened, "--execute", "--max-rejects", "1")

    assert [there["row"] for there in done.report["requeue"]["reopened"]] == [row]
    assert statuses(hub)[3, "open"] == 12
    assert hub.query("select count(*) from ledger.waivers") == [(0,)]


def test_an_untouched_copy_takes_nothing_back_and_says_so(hub: Hub) -> None:
    month = write_month(hub.data)
    row = month.faults[0].row
    sent_out = tolerated(hub)
    requeue(hub, copy_of(sent_out, "a", {}, waived=[row]), "--execute")

    answer = requeue(hub, sent_out, "--execute")

    assert (answer.code, answer.report["status"]) == (0, "unchanged")
    (remark,) = answer.report["requeue"]["remarks"]
    assert f"1 row given up already: {SHEET}!{row}" in remark
    reopened = requeue(hub, correct(sent_out, {row: {STATUS: "重开"}}), "--execute", "--max-rejects", "1")
    assert [there["row"] for there in reopened.report["requeue"]["reopened"]] == [row]


def test_a_file_that_replaces_a_corrected_one_is_warned_about(hub: Hub) -> None:
    month = write_month(hub.data)
    *rows, given_up = month.good
    requeue(hub, correct(refused(hub, month), {r: month.good[r] for r in rows}, waived=[given_up]), "--execute")
    write_month(hub.data, version="V2", faulty=0, rows=210)

    words = "11 corrected cells and 1 waived row of load 1 (file 202410/"
    for execute in ([], ["--execute"]):
        (warning,) = [line for line in hub.etl(*execute).domain["quality"]["warnings"] if words in line]
        assert warning.endswith("do not apply to this file: check that it holds them")
    assert words not in hub.etl("--execute").stdout


def test_an_original_that_was_renamed_in_its_folder_is_found(hub: Hub) -> None:
    month: FaultyMonth = write_month(hub.data)
    sent_back = correct(refused(hub, month), month.good)
    month.path.rename(month.path.with_name("旧 " + month.path.name))
    write_month(hub.data, seed=8)

    done = requeue(hub, sent_back, "--execute")

    assert (done.code, loaded(hub)) == (0, (month.rows, month.rows, month.total))


def test_rows_that_a_refused_run_left_are_counted_as_fixed(hub: Hub) -> None:
    month = write_month(hub.data)
    requeue(hub, correct(refused(hub, month), month.good), "--execute")

    (load,) = hub.wdh("rejects", "--domain", DOMAIN, "--report", "json").report["loads"]

    assert (load["load_id"], load["open"], load["fixed"], load["waived"]) == (1, 0, 12, 0)
    assert {row["settled_by_load"] for row in load["rows"]} == {1}


def test_changes_of_several_files_name_the_file(tmp_path: Path) -> None:
    month = write_month(tmp_path, faulty=2)
    first, second = month.faults
    returned = take_back(correct(send_out(month.path), {first.row: month.good[first.row]}, waived=[second.row]))
    (file,) = returned.facts.files
    two = replace(returned, facts=replace(returned.facts, files=(file, replace(file, label="b.xlsx"))))

    assert f"{file.label} › {SHEET}!" not in "\n".join(change_lines(returned))
    assert [line for line in change_lines(two) if f"{file.label} › {SHEET}!{first.cell}" in line]
    assert [line for line in change_lines(two) if f"waived   1 row: {file.label} › {SHEET}!{second.row}" in line]
