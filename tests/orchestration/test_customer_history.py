"""A company's history: whom a word stands for, why each version is there, and which load it follows from."""

from dataclasses import replace
from pathlib import Path

import pytest
from psycopg2.extras import Json
from tests.contract_facts import Fact, put_month, put_months, ran
from tests.snapshot_rows import working_place

from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_history import CustomerHistory, customer_history
from work_data_hub.orchestration.customer_snapshots import make_snapshots
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

A, B = "600000001", "600000002"
MONTHS = ("2024-11", "2024-12", "2025-01", "2025-02")


@pytest.fixture
def place(warehouse_url: str, tmp_path: Path) -> Workplace:
    return working_place(warehouse_url, tmp_path)


def sync(place: Workplace) -> None:
    sync_contract_status(None, place, rules=CustomerRules(whitelist_top_n=0))


def named(warehouse: Connection, company: str, name: str) -> None:
    """Put a customer into the master."""
    ran(warehouse, "insert into customer.客户明细 (company_id, 客户名称) values (%s, %s)", company, name)


@pytest.fixture
def winter(warehouse: Connection, place: Workplace) -> Workplace:
    """Four months of one company in two plans, synced."""
    named(warehouse, A, "恒泰电力有限公司")
    put_months(warehouse, MONTHS, [Fact(company=A), Fact(company=A, plan="S0007", line="PL201", kind="企年投资")])
    sync(place)
    return place


def test_a_version_has_its_reason_and_the_month_it_follows_from(winter: Workplace) -> None:
    contract, _ = customer_history(A, winter).contracts

    assert (contract.plan_code, contract.product_line_code, contract.product_line_name) == (
        "P0001",
        "PL202",
        "企年受托",
    )
    assert [(str(one.valid_from), str(one.valid_to), one.reasons) for one in contract.versions] == [
        ("2024-11-30", "2025-01-01", ("first facts",)),
        ("2025-01-01", "None", ("year 2025 opens", "is_existing no → yes")),
    ]
    # The turn of the year follows from December.
    assert [str(one.source.period) for one in contract.versions if one.source] == ["2024-11", "2024-12"]


def test_the_load_comes_with_its_files_each_once(warehouse: Connection, place: Workplace) -> None:
    put_month(warehouse, "2024-11", [Fact(company=A)])
    files = [{"path": "202411/V2/24年11月.xlsx", "sheet": sheet} for sheet in ("规模明细", "补充")]
    ran(warehouse, "update ledger.loads set files = %s", Json(files))
    sync(place)
    (version,) = customer_history(A, place).contracts[0].versions

    assert version.source is not None
    assert (version.source.load_id, version.source.files) == (1, ("24年11月.xlsx",))


def test_a_version_names_the_load_it_was_made_of_until_a_newer_one_is_synced(
    warehouse: Connection, winter: Workplace
) -> None:
    put_month(warehouse, "2024-12", [Fact(company=A, aum="7")])
    before = customer_history(A, winter)
    sync(winter)
    after = customer_history(A, winter)

    assert before.warnings == ("2024-12 was loaded again and is not synced yet: wdh customer-mdm sync",)
    assert _load_of_the_turn(before) == 2
    assert after.warnings == ()
    assert _load_of_the_turn(after) == 5


def _load_of_the_turn(told: CustomerHistory) -> int | None:
    return next(one.source.load_id for one in told.contracts[0].versions if one.source and one.valid_from.month == 1)


def test_facts_of_no_load_make_versions_of_none(warehouse: Connection, place: Workplace) -> None:
    put_month(warehouse, "2024-11", [Fact(company=A)], noted=False)
    sync(place)
    (version,) = customer_history(A, place).contracts[0].versions

    assert version.source is not None
    assert version.source.load_id is None


@pytest.mark.parametrize("asked", [A, "恒泰电力有限公司", "  恒泰电力有限公司 ", "恒泰电力有限公司(已转出)"])
def test_a_company_is_found_by_id_and_by_name(winter: Workplace, asked: str) -> None:
    assert customer_history(asked, winter).company_id == A


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("600000009", "did you mean '600000001'?"),
        ("恒泰电力", "did you mean 600000001 恒泰电力有限公司?"),
        ("恒秦电力有限公司", "did you mean '恒泰电力有限公司'?"),
        ("", "a company_id or a 客户名称"),
        ("%", "a company_id or a 客户名称"),
    ],
)
def test_an_unknown_company_is_refused_with_a_proposal(winter: Workplace, asked: str, told: str) -> None:
    with pytest.raises(UsageError) as refused:
        customer_history(asked, winter)

    assert told in str(refused.value)


def test_a_name_of_several_customers_lists_them(warehouse: Connection, winter: Workplace) -> None:
    named(warehouse, B, "恒泰电力有限公司")
    with pytest.raises(UsageError, match=f"2 customers are called that: {A} 恒泰电力有限公司, {B} 恒泰电力有限公司"):
        customer_history("恒泰电力有限公司", winter)


def test_one_plan_alone_can_be_asked_for(winter: Workplace) -> None:
    make_snapshots(None, winter, status_rules=load_status_rules(winter.config_dir))
    told = customer_history(A, winter, plan="S0007")

    assert [contract.plan_code for contract in told.contracts] == ["S0007"]
    assert {flags.plan_code for flags in told.plan_months} == {"S0007"}
    assert {flags.product_line_code for flags in told.line_months} == {"PL201"}


def test_a_plan_the_company_never_had_is_refused(winter: Workplace) -> None:
    with pytest.raises(UsageError, match=r"one of P0001, S0007 \| hint: did you mean 'S0007'"):
        customer_history(A, winter, plan="S0008")


def test_a_customer_without_contracts_has_an_empty_history(warehouse: Connection, winter: Workplace) -> None:
    named(warehouse, B, "远大石油有限公司")
    told = customer_history(B, winter)

    assert (told.contracts, told.line_months) == ((), ())
    assert [str(month) for month in told.months] == list(MONTHS)


def test_the_document_has_every_version_and_every_month(winter: Workplace) -> None:
    make_snapshots(None, winter, status_rules=load_status_rules(winter.config_dir))
    told = customer_history(A, winter).as_json()

    assert told["company"] == {"company_id": A, "name": "恒泰电力有限公司"}
    assert (told["command"], told["status"], told["error"]) == ("customer-mdm history", "done", None)
    assert told["contracts"][0]["versions"][0] == {
        "valid_from": "2024-11-30",
        "valid_to": "2025-01-01",
        "status_year": 2024,
        "contract_status": "正常",
        "is_existing": False,
        "is_strategic": False,
        "reasons": ["first facts"],
        "ending": "replaced by the next version",
        "month": "2024-11",
        "load_id": 1,
        "files": [],
    }
    assert len(told["product_line_months"]) == len(told["plan_months"]) == 2 * len(MONTHS)
    assert told["product_line_months"][0]["aum"] == "100.0000"


def test_a_history_needs_a_database(place: Workplace) -> None:
    with pytest.raises(UsageError, match="no database"):
        customer_history(A, replace(place, database_url=None))
