"""Names behind temporary ids, from the fact tables to a file."""

import csv
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook
from psycopg2 import sql

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.temporary import temporary_id
from work_data_hub.domain.period import Period
from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection
from work_data_hub.io.unknown_names import export_names, stored_unknown_names, write_unknown_names

ALL = tuple(DOMAINS.values())
REAL = "600000001"


def unknown(name: str) -> str:
    return temporary_id(name, salt="test")


def insert(warehouse: Connection, table: str, **cells: object) -> None:
    """A fact with the cells that matter."""
    with warehouse.cursor() as cursor:
        cursor.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(*table.split(".")),
                sql.SQL(", ").join(map(sql.Identifier, cells)),
                sql.SQL(", ").join(sql.Placeholder() * len(cells)),
            ),
            tuple(cells.values()),
        )
    warehouse.commit()


def performance(
    warehouse: Connection, name: str, *, company: str = "", month: str = "2024-10-01", **more: object
) -> None:
    insert(
        warehouse,
        "business.规模明细",
        **{"月度": month, "计划代码": "P1", "客户名称": name, "company_id": company or unknown(name), **more},
    )


@pytest.mark.integration
def test_names_of_all_domains_are_told_once_with_rows_months_and_assets(warehouse: Connection) -> None:
    performance(warehouse, "甲公司", 年金账户名="甲 公司", 期末资产规模="1.0001", month="2024-09-01")
    performance(warehouse, "甲公司", 年金账户名="甲 公司", 期末资产规模="90071992547409.9301")
    performance(warehouse, "甲公司", 年金账户名="甲公司-1", 期末资产规模="0.0002")
    performance(warehouse, "乙公司", company=REAL)
    award = {"业务类型": "企年受托", "上报客户名称": "甲公司(集团)", "机构代码": "G00", "客户名称": "甲公司"}
    insert(warehouse, "customer.中标客户明细", **{"上报月份": "2024-08-01", "company_id": unknown("甲公司"), **award})

    (told,) = stored_unknown_names(warehouse, ALL).to_dict(orient="records")

    assert (told["company_name"], told["normalized_name"], told["temporary_id"]) == (
        "甲 公司",
        "甲公司",
        unknown("甲公司"),
    )
    assert (told["first_seen"], told["last_seen"], told["occurrence_count"]) == (date(2024, 8, 1), date(2024, 10, 1), 4)
    assert (str(told["closing_assets"]), told["domains"]) == (
        "90071992547409.9303",
        "annual_award, annuity_performance",
    )


@pytest.mark.integration
def test_a_domain_and_a_month_can_be_asked_for(warehouse: Connection) -> None:
    performance(warehouse, "甲公司", month="2024-09-01")
    performance(warehouse, "乙公司")
    income = {"月度": "2024-10-01", "计划代码": "P1", "固费": 0, "浮费": 0, "回补": 0, "税": 0}
    insert(warehouse, "business.收入明细", **{**income, "客户名称": "丙公司", "company_id": unknown("丙公司")})

    domain, month = (DOMAINS["annuity_performance"],), Period.parse("202410")

    assert stored_unknown_names(warehouse, domain)["company_name"].tolist() == ["乙公司", "甲公司"]
    assert stored_unknown_names(warehouse, ALL, period=month)["company_name"].tolist() == ["丙公司", "乙公司"]


@pytest.mark.integration
def test_a_name_says_when_it_was_queued_first(warehouse: Connection) -> None:
    performance(warehouse, "甲公司")
    performance(warehouse, "乙公司")
    with warehouse.cursor() as cursor:
        for day, status in ((1, "failed"), (2, "pending")):
            cursor.execute(
                "insert into enterprise.enrichment_requests"
                " (raw_name, normalized_name, normaliser_version, temp_id, status, next_retry_at, created_at)"
                " values ('甲公司', '甲公司', 2, %s, %s, case when %s = 'pending' then now() end, %s)",
                (unknown("甲公司"), status, status, date(2024, 11, day)),
            )

    told = stored_unknown_names(warehouse, ALL).set_index("normalized_name")["first_queued_at"]

    assert (told["甲公司"].day, told["乙公司"]) == (1, None)


@pytest.mark.integration
def test_a_warehouse_without_unknown_names_gives_none(warehouse: Connection) -> None:
    assert stored_unknown_names(warehouse, ALL).empty
    assert stored_unknown_names(warehouse, (DOMAINS["sandbox_trustee_performance"],)).empty


def load_names(*names: str) -> pd.DataFrame:
    """A load's unknown names."""
    return pd.DataFrame(
        {"normalized_name": names, "raw_name": names, "temp_id": [unknown(name) for name in names], "rows": 1}
    )


def lines(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


@pytest.mark.unit
def test_a_loads_names_are_written_one_line_each_for_excel(tmp_path: Path) -> None:
    path = tmp_path / "unknown" / "names.csv"

    write_unknown_names(path, load_names("甲公司"), month=date(2024, 10, 1))

    assert path.read_bytes().startswith(b"\xef\xbb\xbfcompany_name,")
    assert lines(path)[1] == ["甲公司", unknown("甲公司"), "2024-10-01", "1", "甲公司"]


@pytest.mark.unit
@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1"])
def test_no_name_is_a_formula(tmp_path: Path, name: str) -> None:
    write_unknown_names(tmp_path / "names.csv", load_names(name))

    (_, (written, *_)) = lines(tmp_path / "names.csv")
    assert written[0] not in "=+-@\t\r "


@pytest.mark.unit
def test_a_workbook_holds_texts_and_numbers(tmp_path: Path) -> None:
    names = load_names("=1+1").rename(columns={"raw_name": "company_name", "rows": "occurrence_count"})

    export_names(tmp_path / "names.xlsx", names, as_workbook=True)

    page = load_workbook(tmp_path / "names.xlsx").active
    assert page is not None
    assert [[cell.data_type for cell in row] for row in page.iter_rows(min_row=2)] == [["s", "s", "s", "n"]]


@pytest.mark.unit
@pytest.mark.parametrize("as_workbook", [True, False])
def test_a_file_that_cannot_be_written_is_a_wrong_use(tmp_path: Path, as_workbook: bool) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        export_names(tmp_path / "missing" / "names", load_names("甲公司"), as_workbook=as_workbook)

    assert list(tmp_path.iterdir()) == []
