import re
import subprocess
import sys
from pathlib import Path

import pytest

from work_data_hub.errors import ConfigError, SchemaDrift, UsageError
from work_data_hub.io.database_check import NEEDED, SCHEMAS
from work_data_hub.io.migrations import current_head, downgrade, expected_head, require_head, upgrade
from work_data_hub.io.postgres import Connection
from work_data_hub.io.schema_head import schema_folder

pytestmark = pytest.mark.integration

VERSIONS = sorted((schema_folder() / "migrations" / "versions").glob("*.py"))


def rows(connection: Connection, question: str, *values: object) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        found = cursor.fetchall()
    connection.rollback()
    return found


def tables(connection: Connection) -> set[str]:
    question = "select schemaname || '.' || tablename from pg_tables where schemaname !~ '^(pg_|information_schema)'"
    return {str(name) for (name,) in rows(connection, question)} - {"public.wdh_test_marker"}


def columns(connection: Connection) -> list[tuple[object, ...]]:
    question = (
        "select table_schema, table_name, column_name, data_type, is_nullable from information_schema.columns"
        " where table_schema = any(%s) order by 1, 2, 3"
    )
    return rows(connection, question, [*SCHEMAS])


def test_head_is_reached(warehouse: Connection) -> None:
    require_head(warehouse)

    assert current_head(warehouse) == expected_head()


def test_checked_tables_are_the_migrated_ones(warehouse: Connection) -> None:
    assert tables(warehouse) == set(NEEDED)


def test_schemas_are_made(warehouse: Connection) -> None:
    found = {name for (name,) in rows(warehouse, "select nspname from pg_namespace where nspname !~ '^pg_'")}

    assert found == {*SCHEMAS, "information_schema"}


def test_down_to_nothing_and_up_again(warehouse: Connection, warehouse_url: str) -> None:
    before = columns(warehouse)
    downgrade(warehouse_url, "base")
    assert tables(warehouse) == {"public.wdh_alembic_version"}
    assert current_head(warehouse) is None

    upgrade(warehouse_url)

    assert columns(warehouse) == before


def test_every_step_goes_down_alone(warehouse: Connection, warehouse_url: str) -> None:
    for _ in VERSIONS:
        downgrade(warehouse_url, "-1")

    assert current_head(warehouse) is None


@pytest.mark.parametrize("file", VERSIONS, ids=[file.stem for file in VERSIONS])
def test_every_migration_has_a_downgrade_and_knows_no_domain(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert re.search(r"^def downgrade\(\) -> None:\n(?!    pass)", text, re.MULTILINE)
    assert "work_data_hub" not in text


def test_upgrade_twice_is_nothing_to_do(warehouse: Connection, warehouse_url: str) -> None:
    upgrade(warehouse_url)

    assert current_head(warehouse) == expected_head()


def test_wrong_head_names_the_command(warehouse: Connection, warehouse_url: str) -> None:
    downgrade(warehouse_url, "0002")

    with pytest.raises(SchemaDrift, match=r"at migration 0002, .*run `wdh db migrate`") as caught:
        require_head(warehouse)
    assert caught.value.exit_code == 5


def test_database_ahead_of_the_program_is_told_apart(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("update public.wdh_alembic_version set version_num = '9999'")
    warehouse.commit()

    with pytest.raises(SchemaDrift, match="update WorkDataHub"):
        require_head(warehouse)


def test_unknown_revision_is_a_wrong_setting(warehouse_url: str) -> None:
    with pytest.raises(ConfigError, match="no_such_revision"):
        upgrade(warehouse_url, "no_such_revision")


def test_downgrade_refuses_a_database_not_marked_as_test(warehouse: Connection, warehouse_url: str) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("drop table public.wdh_test_marker")
    warehouse.commit()

    with pytest.raises(UsageError, match="WDH_ALLOW_DOWNGRADE=wdh_test"):
        downgrade(warehouse_url, "base")
    assert current_head(warehouse) == expected_head()


@pytest.mark.parametrize(("allowed", "goes_down"), [("{name}", True), ("wdh", False), ("{name} ", False)])
def test_downgrade_asks_for_the_exact_name(
    warehouse: Connection, warehouse_url: str, monkeypatch: pytest.MonkeyPatch, allowed: str, goes_down: bool
) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("drop table public.wdh_test_marker")
    warehouse.commit()
    monkeypatch.setenv("WDH_ALLOW_DOWNGRADE", allowed.format(name=warehouse.info.dbname))

    if goes_down:
        downgrade(warehouse_url, "0003")
    else:
        with pytest.raises(UsageError):
            downgrade(warehouse_url, "0003")
    assert current_head(warehouse) == ("0003" if goes_down else expected_head())


def test_facts_have_their_columns(warehouse: Connection) -> None:
    question = (
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = 'business.规模明细'::regclass and attnum > 0"
    )
    found = {str(row[0]): row[1] for row in rows(warehouse, question)}

    assert len(found) == 37
    assert found["月度"] == "date"
    assert found["期末资产规模"] == "numeric(18,4)"
    assert found["当期收益率"] == "numeric(10,6)"
    assert found["_load_id"] == "bigint"
    assert found["_source_row"] == "integer"


def test_facts_have_five_indexes_and_no_trigger(warehouse: Connection) -> None:
    question = (
        "select string_agg(attname, ',' order by place)"
        " from pg_index, unnest(indkey) with ordinality as key (number, place), pg_attribute"
        " where attrelid = indrelid and attnum = number and indrelid = 'business.规模明细'::regclass"
        " group by indexrelid"
    )
    indexes = {columns for (columns,) in rows(warehouse, question)}
    triggers = rows(warehouse, "select 1 from pg_trigger where tgrelid = 'business.规模明细'::regclass")

    assert indexes == {"id", "company_id", "月度,计划代码,company_id", "机构代码", "计划代码"}
    assert triggers == []


@pytest.mark.parametrize(
    ("table", "seeded"),
    [
        ("产品线", 12),
        ("组织架构", 38),
        ("计划层规模", 7),
        ("产品明细", 18),
        ("利润指标", 12),
        ("年金计划", 2),
        ("组合计划", 3),
    ],
)
def test_reference_tables_begin_with_their_rows(warehouse: Connection, table: str, seeded: int) -> None:
    assert rows(warehouse, f"select count(*) from mapping.{table}") == [(seeded,)]


def test_placeholder_rows_are_flagged_and_not_derived(warehouse: Connection) -> None:
    question = (
        "select 年金计划号, _source, _needs_review, 备注 like '占位%%' from mapping.年金计划"
        " union all select 组合代码, _source, _needs_review, 备注 like '占位%%' from mapping.组合计划 order by 1"
    )
    found = rows(warehouse, question)

    codes = ("AN001", "AN002", "QTAN001", "QTAN002", "QTAN003")
    assert found == [(code, "authoritative", False, True) for code in codes]


def test_two_upgrades_at_once_take_turns(warehouse_url: str, warehouse: Connection) -> None:
    downgrade(warehouse_url, "base")

    program = "import sys; from work_data_hub.io.migrations import upgrade; upgrade(sys.argv[1])"
    running = [subprocess.Popen([sys.executable, "-c", program, warehouse_url]) for _ in range(2)]

    assert [process.wait() for process in running] == [0, 0]
    assert current_head(warehouse) == expected_head()
