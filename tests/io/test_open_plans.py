"""Open contracts as a frame; no contract table is no error."""

from datetime import date

import pytest

from work_data_hub.io.open_plans import COLUMNS, open_plans
from work_data_hub.io.postgres import Connection, transaction

pytestmark = pytest.mark.integration

GONE = "drop table if exists customer.customer_plan_contract cascade"
TABLE = (
    "create table customer.customer_plan_contract (company_id text, product_line_code text,"
    " plan_code text, valid_from date, valid_to date not null default '9999-12-31')"
)


def make(warehouse: Connection, *statements: str) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def test_without_a_contract_table_there_is_none(warehouse: Connection) -> None:
    make(warehouse, GONE)

    assert open_plans(warehouse) is None


def test_current_versions_only(warehouse: Connection) -> None:
    make(
        warehouse,
        GONE,
        TABLE,
        "insert into customer.customer_plan_contract values"
        " ('600', 'PL202', 'S0002', '2024-10-31', '9999-12-31'),"
        " ('600', 'PL202', 'S0001', '2023-12-31', '2024-10-31')",
    )

    plans = open_plans(warehouse)

    assert plans is not None
    assert plans.values.tolist() == [["600", "PL202", "S0002", date(2024, 10, 31)]]


def test_an_empty_table_gives_an_empty_frame(warehouse: Connection) -> None:
    make(warehouse, GONE, TABLE)

    plans = open_plans(warehouse)

    assert plans is not None
    assert (len(plans), tuple(plans.columns)) == (0, COLUMNS)
