"""Raw answers are cleaned again: only what is due, in pages by id, counted field by field, without asking anybody."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.hub import Hub
from tests.snapshot_rows import working_place

from work_data_hub.domain.identity.cleaning import CleanedTable
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.identity_clean import CleanRequest, clean
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

EXECUTE = CleanRequest(execute=True)
LABELS = {"labels": [{"type": "行业", "labels": [{"lv1Name": "金融", "lv2Name": "保险"}]}]}


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def answered(warehouse: Connection, company_id: str, *, detail: Any = None, labels: Any = None) -> None:
    """A company with raw answers, new or newer."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.base_info (company_id, data_source, raw_business_info, raw_biz_label)"
            " values (%s, 'search', %s, %s) on conflict (company_id) do update"
            " set raw_business_info = excluded.raw_business_info, raw_biz_label = excluded.raw_biz_label,"
            " updated_at = clock_timestamp()",
            (company_id, json.dumps(detail) if detail else None, json.dumps(labels) if labels else None),
        )
    warehouse.commit()


def detail(**fields: Any) -> dict[str, Any]:
    return {"businessInfodto": {"company_name": "甲有限公司", **fields}}


def rows(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    warehouse.rollback()
    return found


def test_a_plan_counts_and_writes_nothing(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(registerCaptial="1,000万元"), labels=LABELS)

    report = clean(CleanRequest(), place)

    assert [(table.companies, table.rows) for table in report.tables] == [(1, 1), (1, 1)]
    assert report.status == "planned"
    assert rows(warehouse, "select count(*) from enterprise.business_info") == [(0,)]
    assert rows(warehouse, "select count(*) from enterprise.biz_label") == [(0,)]


def test_an_executed_one_gives_the_same_numbers_and_writes(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(registerCaptial="1,000万元", collegues_num="少于50人"), labels=LABELS)

    planned, done = clean(CleanRequest(), place), clean(EXECUTE, place)

    assert [table.as_json() for table in done.tables] == [table.as_json() for table in planned.tables]
    assert rows(warehouse, "select registered_capital, colleagues_num from enterprise.business_info") == [
        (Decimal("10000000.00"), 50)
    ]
    assert rows(warehouse, "select type, lv1_name, lv2_name, lv3_name from enterprise.biz_label") == [
        ("行业", "金融", "保险", None)
    ]


def test_a_repeat_has_nothing_to_do(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(), labels=LABELS)
    answered(warehouse, "600002", labels={"labels": []})
    clean(EXECUTE, place)

    assert clean(CleanRequest(), place).status == "unchanged"


def test_a_newer_answer_is_cleaned_again(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(legal_person_name="王芳"), labels=LABELS)
    clean(EXECUTE, place)
    answered(warehouse, "600001", detail=detail(legal_person_name="李军"), labels={"labels": []})

    clean(EXECUTE, place)

    assert rows(warehouse, "select legal_person_name from enterprise.business_info") == [("李军",)]
    assert rows(warehouse, "select count(*) from enterprise.biz_label") == [(0,)]


def test_a_full_refresh_takes_every_company(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail())
    clean(EXECUTE, place)
    with warehouse.cursor() as cursor:
        cursor.execute("update enterprise.business_info set company_name = '乙'")
    warehouse.commit()

    clean(CleanRequest(full=True, execute=True), place)

    assert rows(warehouse, "select company_name from enterprise.business_info") == [("甲有限公司",)]


def test_pages_by_id_skip_nobody_while_the_rest_shrinks(warehouse: Connection, place: Workplace) -> None:
    for number in range(7):
        answered(warehouse, f"60000{number}", detail=detail(), labels=LABELS)

    report = clean(CleanRequest(execute=True, page_companies=2), place)

    assert [table.companies for table in report.tables] == [7, 7]
    assert rows(warehouse, "select count(*) from enterprise.business_info") == [(7,)]


def test_a_limit_stops_and_the_next_call_goes_on(warehouse: Connection, place: Workplace) -> None:
    for number in range(5):
        answered(warehouse, f"60000{number}", detail=detail())
    some = CleanRequest(tables=(CleanedTable.BUSINESS_INFO,), limit=3, execute=True, page_companies=2)

    assert [clean(some, place).tables[0].companies for _ in range(3)] == [3, 2, 0]


def test_one_table_alone_leaves_the_other(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(), labels=LABELS)

    clean(CleanRequest(tables=(CleanedTable.BIZ_LABEL,), execute=True), place)

    assert rows(warehouse, "select count(*) from enterprise.business_info") == [(0,)]
    assert rows(warehouse, "select count(*) from enterprise.biz_label") == [(1,)]


def test_fields_are_counted_and_failing_values_shown(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail=detail(registerCaptial="1亿元"))
    answered(warehouse, "600002", detail=detail(registerCaptial="见附件"))
    answered(warehouse, "600003", detail=detail())

    report = clean(EXECUTE, place)

    table = report.tables[0]
    assert table.field_counts()["registered_capital"] == (1, 1, 1)
    assert [(one.company_id, one.column, one.value) for one in table.failures] == [
        ("600002", "registered_capital", "见附件")
    ]
    assert report.error is None
    assert rows(
        warehouse,
        "select company_id, _cleansing_status->>'registered_capital' from enterprise.business_info order by 1",
    ) == [("600001", "cleansed"), ("600002", "parse_failed"), ("600003", "null_input")]


def test_an_answer_about_nobody_is_exit_4_and_stops_no_other(warehouse: Connection, place: Workplace) -> None:
    answered(warehouse, "600001", detail={"businessInfodto": {"company_id": "699999", "company_name": "乙"}})
    answered(warehouse, "600002", detail=detail())

    report = clean(EXECUTE, place)

    assert report.tables[0].unreadable == ("600001",)
    assert report.error is not None
    assert (report.error.exit_code, report.status) == (4, "partial")
    assert rows(warehouse, "select company_id from enterprise.business_info") == [("600002",)]


def test_the_command_shows_fields_and_the_next_step(warehouse: Connection, hub: Hub) -> None:
    answered(warehouse, "600001", detail=detail(registerCaptial="见附件"))

    answer = hub.wdh("identity", "clean", "--table", "business_info")

    assert answer.code == 0
    assert "enterprise.business_info: 1 companies, 1 rows" in answer.stdout
    assert "见附件" in answer.stdout
    assert "next: wdh identity clean --table business_info --execute" in answer.stdout


def test_the_command_reports_in_json_and_ends_with_4(warehouse: Connection, hub: Hub) -> None:
    answered(warehouse, "600001", detail={"businessInfodto": "cut"})

    answer = hub.wdh("identity", "clean", "--execute", "--report", "json")

    assert answer.code == 4
    assert answer.report["tables"][0]["unreadable"] == ["600001"]
    assert answer.report["error"]["code"] == 4


def test_a_table_that_is_not_cleaned_is_refused(hub: Hub) -> None:
    answer = hub.wdh("identity", "clean", "--table", "base_info")

    assert answer.code == 2
    assert "business_info, biz_label, all" in answer.stderr
