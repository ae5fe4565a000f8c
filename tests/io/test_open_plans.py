"""Contracts as registers look plans up in: with the day each began; no contract table is no error."""

from datetime import date

import pytest

from work_data_hub.io.open_plans import COLUMNS, open_plans
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration


def make(warehouse: Connection, *statements: str) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_without_a_contract_table_there_is_none(warehouse: Connection) -> None:
    make(warehouse, "drop table customer.customer_plan_contract")

    assert open_plans(warehouse) is None


def test_a_contract_counts_from_its_first_version_even_when_it_has_ended(warehouse: Connection) -> None:
    make(
        warehouse,
        "insert into customer.客户明细 (company_id) values ('600')",
        "insert into customer.customer_plan_contract (company_id, plan_code, product_line_code, is_strategic,"
        " is_existing, status_year, contract_status, valid_from, valid_to) values"
        " ('600', 'S0001', 'PL202', false, false, 2023, '正常', '2023-12-31', '2024-01-01'),"
        " ('600', 'S0002', 'PL202', false, false, 2023, '正常', '2023-11-30', '2024-01-01'),"
        " ('600', 'S0002', 'PL202', false, false, 2024, '正常', '2024-01-01', '9999-12-31')",
    )

    plans = open_plans(warehouse)

    assert plans is not None
    assert plans.values.tolist() == [
        ["600", "PL202", "S0001", date(2023, 12, 31)],
        ["600", "PL202", "S0002", date(2023, 11, 30)],
    ]


def test_an_empty_table_gives_an_empty_frame(warehouse: Connection) -> None:
    plans = open_plans(warehouse)

    assert plans is not None
    assert (len(plans), tuple(plans.columns)) == (0, COLUMNS)
