"""Contracts in PostgreSQL: what is read and written, and what the database itself refuses."""

from contextlib import closing
from datetime import date

import pandas as pd
import psycopg2
import pyarrow as pa
import pytest
from psycopg2 import sql
from tests.contract_facts import LINE, PLAN, Fact, asked, contracts, put_month, ran

from work_data_hub.domain.customers.history import HistoryChanges
from work_data_hub.domain.customers.shapes import MONTHLY_FACTS, NORMAL, OPEN_END, STOPPED, VERSIONS, month_number
from work_data_hub.errors import DataError, LoadLocked
from work_data_hub.io.contract_store import (
    PeriodMark,
    add_product_lines,
    apply_changes,
    cut_over_years,
    lock_contracts,
    missing_product_lines,
    periods,
    read_versions,
    record_cut_over,
    write_periods,
)
from work_data_hub.io.customer_facts import (
    copied_amounts,
    fact_loads,
    fact_months,
    late_month,
    read_monthly_facts,
    uncounted_rows,
)
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

OCTOBER, NOVEMBER = month_number(date(2024, 10, 1)), month_number(date(2024, 11, 1))
DAY = {"oct": date(2024, 10, 31), "nov": date(2024, 11, 30), "dec": date(2024, 12, 31)}
NOBODY = "IN" + "A" * 16


def version(
    valid_from: date, valid_to: date = OPEN_END, *, company: str = "600000001", status: str = NORMAL
) -> tuple[object, ...]:
    return (company, PLAN, LINE, valid_from, valid_to, status, False, True, 2024)


def frame(*versions: tuple[object, ...]) -> pd.DataFrame:
    made = pd.DataFrame(list(versions), columns=list(VERSIONS))
    days = {name: made[name].astype("datetime64[s]") for name in ("valid_from", "valid_to")}
    texts = dict.fromkeys(("company_id", "plan_code", "product_line_code", "contract_status"), "string")
    return made.assign(**days).astype(texts)


def changes(**frames: pd.DataFrame) -> HistoryChanges:
    none = {name: frame() for name in ("inserted", "closed", "updated", "deleted")}
    return HistoryChanges(**(none | frames), skipped=0)


def write(warehouse: Connection, wanted: HistoryChanges) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        apply_changes(cursor, wanted)


@pytest.fixture(autouse=True)
def customers(warehouse: Connection) -> None:
    ran(warehouse, "insert into customer.客户明细 (company_id) values ('600000001'), ('600000002')")


def test_versions_come_back_as_they_were_written(warehouse: Connection) -> None:
    wanted = frame(version(DAY["oct"], DAY["nov"]), version(DAY["nov"], status=STOPPED))
    write(warehouse, changes(inserted=wanted))
    with transaction(warehouse), warehouse.cursor() as cursor:
        found = read_versions(cursor).sort_values("valid_from", ignore_index=True)
        none = read_versions(cursor, company_id="600000002")
    pd.testing.assert_frame_equal(found, wanted)
    assert list(none.columns) == list(VERSIONS)
    assert (len(none), str(none["valid_to"].dtype)) == (0, "datetime64[s]")


def test_one_company_is_read_alone(warehouse: Connection) -> None:
    write(warehouse, changes(inserted=frame(version(DAY["oct"]), version(DAY["oct"], company="600000002"))))
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert read_versions(cursor, company_id="600000002")["company_id"].tolist() == ["600000002"]


def test_a_version_is_closed_and_the_next_one_opens(warehouse: Connection) -> None:
    write(warehouse, changes(inserted=frame(version(DAY["oct"]))))
    closed, opened = frame(version(DAY["oct"], DAY["nov"])), frame(version(DAY["nov"], status=STOPPED))
    write(warehouse, changes(closed=closed, inserted=opened))
    assert [row[3:6] for row in contracts(warehouse)] == [
        ("2024-10-31", "2024-11-30", NORMAL),
        ("2024-11-30", "9999-12-31", STOPPED),
    ]


def test_a_version_that_takes_the_place_of_a_deleted_open_one_is_reopened(warehouse: Connection) -> None:
    write(warehouse, changes(inserted=frame(version(DAY["oct"], DAY["nov"]), version(DAY["dec"]))))
    write(warehouse, changes(deleted=frame(version(DAY["dec"])), updated=frame(version(DAY["oct"]))))
    assert [row[3:5] for row in contracts(warehouse)] == [("2024-10-31", "9999-12-31")]


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [
        ((DAY["oct"], DAY["dec"]), (DAY["nov"], OPEN_END), psycopg2.errors.ExclusionViolation),
        ((DAY["oct"], OPEN_END), (DAY["nov"], OPEN_END), psycopg2.errors.UniqueViolation),
        (
            (DAY["oct"], DAY["nov"]),
            (DAY["dec"], DAY["oct"]),
            (psycopg2.errors.DataError, psycopg2.errors.CheckViolation),
        ),
        ((DAY["oct"], DAY["nov"]), (DAY["dec"], DAY["dec"]), psycopg2.errors.CheckViolation),
    ],
    ids=["an overlap", "a second open version", "an end before the beginning", "an empty interval"],
)
def test_the_database_refuses(
    warehouse: Connection,
    first: tuple[date, date],
    second: tuple[date, date],
    refused: type[psycopg2.Error] | tuple[type[psycopg2.Error], ...],
) -> None:
    insert = (
        "insert into customer.customer_plan_contract (company_id, plan_code, product_line_code, is_strategic,"
        " is_existing, status_year, contract_status, valid_from, valid_to)"
        " values ('600000001', 'P0001', 'PL202', false, false, 2024, '正常', %s, %s)"
    )
    ran(warehouse, insert, *first)
    with pytest.raises(refused):
        ran(warehouse, insert, *second)
    assert len(contracts(warehouse)) == 1


def test_a_contract_of_an_unknown_company_is_refused_at_the_end_of_the_transaction(warehouse: Connection) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        write(warehouse, changes(inserted=frame(version(DAY["oct"], company="600000009"))))


def test_the_contracts_lock_has_one_holder(warehouse: Connection, warehouse_url: str) -> None:
    with closing(connect(warehouse_url, application_name="wdh the other")) as other, other.cursor() as theirs:
        lock_contracts(theirs, wait_seconds=0)
        with pytest.raises(LoadLocked, match="changed by wdh the other"), transaction(warehouse):
            lock_contracts(warehouse.cursor(), wait_seconds=0)
        other.rollback()
        with transaction(warehouse):
            lock_contracts(warehouse.cursor(), wait_seconds=0)


def test_a_month_that_is_noted_again_has_no_current_snapshot(warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        write_periods(cursor, {OCTOBER: 7, NOVEMBER: None})
        cursor.execute("update customer.contract_periods set snapshot_is_current = true")
        write_periods(cursor, {NOVEMBER: 8})
        assert periods(cursor) == {
            OCTOBER: PeriodMark(load_id=7, snapshot_is_current=True),
            NOVEMBER: PeriodMark(load_id=8, snapshot_is_current=False),
        }
        write_periods(cursor, {}, gone=[NOVEMBER], since=OCTOBER)
        assert periods(cursor) == {OCTOBER: PeriodMark(load_id=7, snapshot_is_current=False)}


def test_years_that_were_cut_over_are_known(warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        record_cut_over(cursor, 2025, actor="tester")
        assert cut_over_years(cursor) == {2025}
    assert asked(warehouse, "select actor from customer.contract_years") == [("tester",)]


def test_a_missing_product_line_gets_the_business_type_of_its_newest_facts(warehouse: Connection) -> None:
    put_month(warehouse, "2024-09", [Fact(company="600000001", line="PL999", kind="旧名")])
    put_month(warehouse, "2024-10", [Fact(company="600000001", line="PL999", kind="养老金"), Fact(company="600000001")])
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert missing_product_lines(cursor, ["PL999", LINE]) == ("PL999",)
        assert add_product_lines(cursor, ["PL999"]) == 1
    assert asked(
        warehouse,
        "select 产品线, _source, _needs_review, _derived_from_domain from mapping.产品线 where 产品线代码 = 'PL999'",
    ) == [("养老金", "auto_derived", True, "annuity_performance")]


def test_facts_are_summed_over_portfolios_and_kept_apart_by_branch(warehouse: Connection) -> None:
    one = Fact(company="600000001", aum="0.0001", paid="1")
    put_month(warehouse, "2024-10", [one, one, Fact(company="600000001", branch=None, aum="-5")])
    with transaction(warehouse):
        found = read_monthly_facts(warehouse.cursor(), first=OCTOBER - 12, through=NOVEMBER)
    found = found.sort_values("aum", ignore_index=True)
    assert list(found.columns) == list(MONTHLY_FACTS)
    assert found["branch_code"].isna().tolist() == [True, False]
    assert found[["month", "aum", "contributions"]].values.tolist() == [
        [OCTOBER, -50_000, 100_000],
        [OCTOBER, 2, 20_000],
    ]


def test_amounts_that_are_missing_count_as_nothing(warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company="600000001")])
    ran(warehouse, "update business.规模明细 set 期末资产规模 = null, 供款 = null")
    with transaction(warehouse):
        found = read_monthly_facts(warehouse.cursor(), first=OCTOBER, through=OCTOBER)
    assert found[["aum", "contributions"]].values.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("aum", "paid", "field", "value"),
    [
        ("99999999999999.9999", "1", "期末资产规模", "999999999999999.9990"),
        ("1", "-99999999999999.9999", "供款", "-999999999999999.9990"),
        ("NaN", "1", "期末资产规模", "NaN"),
        ("1", "NaN", "供款", "NaN"),
    ],
)
def test_amounts_that_cannot_be_counted_are_refused_by_name(
    warehouse: Connection, aum: str, paid: str, field: str, value: str
) -> None:
    put_month(warehouse, "2024-10", [Fact(company="600000002"), *[Fact(company="600000001", aum=aum, paid=paid)] * 10])
    with transaction(warehouse), warehouse.cursor() as cursor:
        with pytest.raises(DataError) as refused:
            read_monthly_facts(cursor, first=OCTOBER - 12, through=NOVEMBER)
        assert fact_months(cursor) == (OCTOBER,)
    assert refused.value.message.startswith(
        "business.规模明细 2024-10, company 600000001, plan P0001, product line PL202: "
    )
    assert (refused.value.field, refused.value.input_data) == (field, value)
    assert refused.value.rule
    assert refused.value.hint


def test_branches_that_only_together_cannot_be_counted_are_found(warehouse: Connection) -> None:
    """For those who add the branches up on the server."""
    halves = [Fact(company="600000001", aum="99999999999999.9999", branch=f"G{branch:02d}") for branch in range(10)]
    put_month(warehouse, "2024-10", halves)
    whole = sql.SQL("copy (select (sum(期末资产规模) * 10000)::bigint from business.规模明细) to stdout (format csv)")
    with transaction(warehouse), pytest.raises(DataError, match="company 600000001, plan P0001"):
        copied_amounts(warehouse.cursor(), whole, types={"aum": pa.int64()}, first=OCTOBER, through=OCTOBER)


def test_a_failure_that_no_amount_explains_stays_what_it_is(warehouse: Connection) -> None:
    statement = sql.SQL("copy (select 'NaN'::numeric::bigint) to stdout (format csv)")
    with transaction(warehouse), pytest.raises(psycopg2.errors.FeatureNotSupported):
        copied_amounts(warehouse.cursor(), statement, types={"aum": pa.int64()}, first=OCTOBER, through=OCTOBER)


@pytest.mark.parametrize("moved", ["2024-10-15", "2024-11-30", "infinity"])
def test_facts_in_the_middle_of_a_month_are_refused_by_name(warehouse: Connection, moved: str) -> None:
    put_month(warehouse, "2024-10", [Fact(company="600000001"), Fact(company="600000002", plan="P0002")])
    ran(warehouse, "update business.规模明细 set 月度 = %s where company_id = '600000002'", moved)
    with transaction(warehouse), pytest.raises(DataError) as refused:
        fact_months(warehouse.cursor())
    assert "company 600000002, plan P0002, product line PL202" in refused.value.message
    assert (refused.value.field, refused.value.input_data) == ("月度", moved)
    assert refused.value.rule
    assert refused.value.hint


def test_only_the_months_asked_for_are_read(warehouse: Connection) -> None:
    for month in ("2024-09", "2024-10", "2024-11"):
        put_month(warehouse, month, [Fact(company="600000001")])
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert read_monthly_facts(cursor, first=OCTOBER, through=OCTOBER)["month"].tolist() == [OCTOBER]
        assert read_monthly_facts(cursor, first=OCTOBER + 5, through=OCTOBER + 5).dtypes["aum"] == "int64"
        assert fact_months(cursor) == (OCTOBER - 1, OCTOBER, NOVEMBER)
        assert len(fact_loads(cursor)) == 3


def test_rows_without_a_key_are_counted_by_reason(warehouse: Connection) -> None:
    rows = [
        Fact(company=None, plan=""),
        Fact(company=""),
        Fact(company="无"),
        Fact(company="600000001", plan=""),
        Fact(company="600000001", line=None),
        Fact(company=NOBODY),
        Fact(company="600000001"),
    ]
    put_month(warehouse, "2024-10", rows)
    put_month(warehouse, "2024-11", rows)
    with transaction(warehouse), warehouse.cursor() as cursor:
        assert len(read_monthly_facts(cursor, first=OCTOBER, through=OCTOBER)) == 1
        assert uncounted_rows(cursor, OCTOBER) == {
            "facts without a company": 3,
            "facts without a plan": 1,
            "facts without a product line": 1,
            "temporary ids": 1,
        }


def test_a_temporary_company_counts_once_the_master_has_it(warehouse: Connection) -> None:
    put_month(warehouse, "2024-10", [Fact(company=NOBODY)])
    with transaction(warehouse), warehouse.cursor() as cursor:
        write_periods(cursor, {OCTOBER: 1})
        assert (len(read_monthly_facts(cursor, first=OCTOBER, through=OCTOBER)), late_month(cursor)) == (0, None)
        cursor.execute("insert into customer.客户明细 (company_id) values (%s)", (NOBODY,))
        assert len(read_monthly_facts(cursor, first=OCTOBER, through=OCTOBER)) == 1
        assert late_month(cursor) == OCTOBER
        apply_changes(cursor, changes(inserted=frame(version(DAY["oct"], company=NOBODY))))
        assert late_month(cursor) is None
