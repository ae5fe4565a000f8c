"""Fees, mandates won and lost, and the trustee's figures: from the sample drop into the warehouse."""

from decimal import Decimal
from pathlib import Path

import pytest
from openpyxl import load_workbook
from psycopg2 import sql
from tests.domain.domain_rows import refined
from tests.hub import PROJECT, Answer, Hub

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.columns import Kind
from work_data_hub.domain.period import Period
from work_data_hub.io.config_files import source_for
from work_data_hub.io.readers import read_workbooks
from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop
from work_data_hub.io.source_files import find_workbooks

pytestmark = pytest.mark.integration

LAST_VERSION = {
    "annual_award": "V1",
    "annual_loss": "V1",
    "annuity_income": "V2",
    "sandbox_trustee_performance": "V1",
}
CELL_FAULTS = {
    "text_in_amount": "WDH-V201",
    "blank_month": "WDH-V102",
    "error_cell": "WDH-V401",
    "uncached_formula": "WDH-V402",
    "boolean_in_amount": "WDH-V403",
    "nul_character": "WDH-V302",
    "too_long_text": "WDH-V301",
}


def dropped(hub: Hub) -> SampleDrop:
    return write_sample_drop(hub.data, period="202410", rows=600)


def etl(hub: Hub, domain: str, *arguments: str) -> Answer:
    return hub.wdh("etl", "--domains", domain, "--period", "202410", "--report", "json", *arguments)


def delivered(drop: SampleDrop, domain: str, version: str) -> tuple[int, dict[str, Decimal]]:
    """Rows and sums of all sheets of the domain in that version."""
    sheets = [sheet for sheet in drop.sheets if (sheet.domain, sheet.version) == (domain, version)]
    sums = {name: sum((sheet.sums[name] for sheet in sheets), Decimal(0)) for name in sheets[0].sums}
    return sum(sheet.rows for sheet in sheets), sums


def stored(hub: Hub, domain: str) -> tuple[int, dict[str, Decimal]]:
    """Rows and sums of the domain's table, each sum under the usual heading of its column."""
    declared = DOMAINS[domain]
    money = [column for column in declared.stored if column.kind is Kind.MONEY]
    sums = sql.SQL(", ").join(sql.SQL("sum({})").format(sql.Identifier(column.name)) for column in money)
    statement = sql.SQL("select count(*), {} from {}").format(sums, sql.Identifier(*declared.schema_and_table))
    rows, *totals = hub.query(statement)[0]
    return rows, dict(zip([column.headings[0] for column in money], totals, strict=True))


@pytest.mark.parametrize(("domain", "version"), LAST_VERSION.items())
def test_a_month_loads_to_the_last_cent_and_again_changes_nothing(hub: Hub, domain: str, version: str) -> None:
    expected = delivered(dropped(hub), domain, version)
    planned = etl(hub, domain)

    loaded = etl(hub, domain, "--execute")

    assert (loaded.code, loaded.report["status"]) == (0, "loaded"), loaded.stderr
    assert loaded.domain["rows"] == {"read": expected[0], "rejected": 0, "loaded": expected[0]}
    assert loaded.domain["tables"] == planned.domain["tables"]
    assert stored(hub, domain) == expected

    before = hub.contents()
    assert etl(hub, domain, "--execute").report["status"] == "unchanged"
    forced = etl(hub, domain, "--execute", "--force").domain["tables"][0]
    assert (forced["deleted"], forced["inserted"], forced["unchanged"]) == (0, 0, expected[0])
    assert stored(hub, domain) == expected
    assert before.keys() == hub.contents().keys()


def test_a_corrected_income_replaces_the_first(hub: Hub) -> None:
    drop = dropped(hub)
    etl(hub, "annuity_income", "--version", "V1", "--execute")
    assert stored(hub, "annuity_income") == delivered(drop, "annuity_income", "V1")

    corrected = etl(hub, "annuity_income", "--execute").domain

    assert stored(hub, "annuity_income") == delivered(drop, "annuity_income", "V2")
    assert 0 < corrected["tables"][0]["deleted"] <= 13
    assert corrected["tables"][0]["unchanged"] > 200


@pytest.mark.parametrize("domain", ["annual_award", "annual_loss"])
def test_both_sheets_of_a_register_arrive_under_their_names(hub: Hub, domain: str) -> None:
    drop = dropped(hub)

    etl(hub, domain, "--execute")

    table = sql.Identifier(*DOMAINS[domain].schema_and_table)
    found = hub.query(sql.SQL("select _source_sheet, count(*) from {} group by 1").format(table))
    assert dict(found) == {sheet.sheet: sheet.rows for sheet in drop.sheets if sheet.domain == domain}
    assert hub.query(sql.SQL("select distinct 业务类型, 产品线代码 from {} order by 1").format(table)) == [
        ("企年受托", "PL202"),
        ("企年投资", "PL201"),
    ]


def test_the_other_name_of_the_income_sheet_is_known(hub: Hub) -> None:
    drop = dropped(hub)
    file = drop.sheet("annuity_income", "V2").file
    workbook = load_workbook(file)
    workbook["收入明细"].title = "收入明细（缺少企年投资）"
    workbook.save(file)

    answer = etl(hub, "annuity_income")

    assert (answer.code, answer.domain["files"][0]["sheet"]) == (0, "收入明细（缺少企年投资）")


@pytest.mark.parametrize("domain", LAST_VERSION)
def test_planted_faults_are_rejected_in_their_cells(tmp_path: Path, domain: str) -> None:
    drop = write_sample_drop(
        tmp_path, period="202410", rows=600, faults=CELL_FAULTS, fault_domain=domain, only=(domain,)
    )
    source = source_for(PROJECT / "config", domain)
    found = find_workbooks(source, data_root=tmp_path, period=Period.parse("202410"))

    done = refined(DOMAINS[domain], read_workbooks(found, domain=DOMAINS[domain]))

    cells = done.rejects[["_source_sheet", "cell", "rule"]].itertuples(index=False, name=None)
    assert sorted(cells) == sorted((p.sheet, p.cell, CELL_FAULTS[p.fault]) for p in drop.planted)
