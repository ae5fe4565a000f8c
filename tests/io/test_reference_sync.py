"""Reference tables brought to what their sources say, from files and from a second PostgreSQL database."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from tests.hub import Hub
from tests.legacy import Legacy, legacy_beside

from work_data_hub.domain.reference_sync import SyncEffect
from work_data_hub.errors import (
    ConfigError,
    DataError,
    HeadingsMissing,
    LoadLocked,
    NoDataRows,
    SchemaDrift,
    ShrinkRefused,
    SourceError,
    UsageError,
    WarehouseError,
)
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.postgres import Connection
from work_data_hub.io.reference_sync import target_table
from work_data_hub.orchestration.reference_sync import SyncRequest, sync_references
from work_data_hub.orchestration.requests import Workplace

pytestmark = pytest.mark.integration

BRANCHES: dict[str, Any] = {
    "name": "branches",
    "target": "mapping.组织架构",
    "key": "机构代码",
    "mode": "upsert",
    "source": {"type": "config_file", "path": "branches.csv"},
    "columns": {"code": "机构代码", "name": "机构", "number": "NO_机构"},
}
REPLACED = BRANCHES | {"mode": "replace"}
PLANS: dict[str, Any] = {
    "name": "plans",
    "target": "mapping.年金计划",
    "key": "年金计划号",
    "mode": "upsert",
    "source": {"type": "postgres", "schema": "enterprise", "table": "annuity_plan"},
    "incremental": {"column": "updated_at"},
    "columns": {"plan_code": "年金计划号", "plan_name": "计划全称"},
}
PLAN_ROWS = """
    insert into enterprise.annuity_plan (plan_code, plan_name, updated_at) values
      ('P1', '壹号', '2024-09-01 08:00+00'), ('P2', '贰号', '2024-10-02 08:00+00'), ('P3', null, null)
"""
TRACKING = "_source, _needs_review, _derived_from_domain, _derived_at is null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A configuration folder and a warehouse, and a way to sync them."""

    hub: Hub
    config: Path
    legacy: Legacy | None = None

    def sync(self, *jobs: dict[str, Any], execute: bool = True, **options: Any) -> tuple[SyncEffect, ...]:
        document = {"schema_version": "1.0", "jobs": jobs or (BRANCHES,)}
        (self.config / "reference_sync.yml").write_text(json.dumps(document), encoding="utf-8")
        options = {"legacy_url": self.legacy.url if self.legacy else None} | options
        return sync_references(SyncRequest(execute=execute, **options), self.place)

    def csv(self, *lines: str, heading: str = "code,name,number") -> "Desk":
        (self.config / "branches.csv").write_text("\n".join([heading, *lines, ""]), encoding="utf-8")
        return self

    @property
    def place(self) -> Workplace:
        return Workplace(
            data_root=self.hub.data,
            config_dir=self.config,
            home=self.hub.home,
            database_url=self.hub.url,
            alias_salt="salt",
            actor="tests",
        )


@pytest.fixture
def desk(hub: Hub, tmp_path: Path) -> Desk:
    """A desk whose branches are two: one as seeded, one new."""
    folder = tmp_path / "config"
    folder.mkdir()
    return Desk(hub=hub, config=folder).csv("G01,北京,1", "G99,新机构,99")


@pytest.fixture
def legacy(desk: Desk) -> Iterator[Legacy]:
    """A legacy database with three plans."""
    with legacy_beside(desk.hub.url) as legacy:
        legacy.run(PLAN_ROWS)
        yield legacy


@pytest.fixture
def legacy_desk(desk: Desk, legacy: Legacy) -> Desk:
    """A desk beside a legacy database."""
    return replace(desk, legacy=legacy)


def numbers(effect: SyncEffect) -> tuple[int, int, int, int]:
    return effect.inserted, effect.updated, effect.unchanged, effect.deleted


def derive(desk: Desk, table: str, key: str, *codes: str) -> None:
    """Rows as a load derives them from facts."""
    values = ", ".join(f"('{code}', 'auto_derived', true, 'annuity_performance', now())" for code in codes)
    run(
        desk.hub.url,
        f"insert into {table} ({key}, _source, _needs_review, _derived_from_domain, _derived_at) values {values}",
    )


def run(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
    connection.close()


def branch(desk: Desk, code: str) -> list[tuple[Any, ...]]:
    return desk.hub.query(
        f"""select 机构, "NO_机构", 年金中心, {TRACKING} from mapping.组织架构 where 机构代码 = '{code}'"""
    )


def state(desk: Desk, job: str = "plans") -> list[tuple[Any, ...]]:
    return desk.hub.query(
        f"select to_char(last_synced_at at time zone 'UTC', 'DD HH24:MI'), rows from system.sync_state"
        f" where job_name = '{job}'"
    )


def test_a_plan_counts_what_execute_does_and_writes_nothing(desk: Desk) -> None:
    derive(desk, "mapping.组织架构", "机构代码", "G77")
    desk.csv("G01,北京,1", "G02,沪,2", "G77,七十七,77", "G99,新机构,99")
    before = desk.hub.contents(), desk.hub.counts()

    (planned,) = desk.sync(execute=False)

    assert numbers(planned) == (1, 2, 1, 0)
    assert (desk.hub.contents(), desk.hub.counts()) == before
    assert desk.sync() == (planned,)


def test_only_mapped_columns_are_written(desk: Desk) -> None:
    desk.csv("G01,京,").sync()

    assert branch(desk, "G01") == [("京", None, "华北年金中心", "authoritative", False, None, True)]


def test_a_derived_row_becomes_authoritative_and_reviewed(desk: Desk) -> None:
    derive(desk, "mapping.组织架构", "机构代码", "G99")

    (effect,) = desk.sync()

    assert numbers(effect) == (0, 1, 1, 0)
    assert branch(desk, "G99") == [("新机构", 99, None, "authoritative", False, None, True)]


def test_a_derived_row_with_the_same_values_is_still_taken_over(desk: Desk) -> None:
    run(desk.hub.url, "update mapping.组织架构 set _needs_review = true where 机构代码 = 'G01'")

    assert numbers(desk.csv("G01,北京,1").sync()[0]) == (0, 1, 0, 0)


def test_the_same_sync_again_changes_nothing_at_all(desk: Desk) -> None:
    desk.sync()
    before = desk.hub.contents()
    rows = "select xmin::text from mapping.组织架构 order by 机构代码"
    versions = desk.hub.query(rows)

    (effect,) = desk.sync()

    assert numbers(effect) == (0, 0, 2, 0)
    assert (desk.hub.contents(), desk.hub.query(rows)) == (before, versions)


def test_the_shipped_files_hold_what_the_tables_begin_with(hub: Hub) -> None:
    report = hub.wdh("reference", "sync", "--report", "json").report

    assert report["status"] == "unchanged"
    assert [(table["table"], table["unchanged"]) for table in report["tables"]] == [
        ("mapping.产品线", 12),
        ("mapping.组织架构", 38),
    ]


def owned(desk: Desk) -> list[tuple[Any, ...]]:
    return desk.hub.query("select job_name, table_name, key from system.synced_keys order by 3")


def test_the_first_replacing_sync_removes_nothing_and_notes_its_keys(desk: Desk) -> None:
    (planned,) = desk.sync(REPLACED, execute=False)
    assert owned(desk) == []

    (effect,) = desk.sync(REPLACED)

    assert effect == planned
    assert numbers(effect) == (1, 0, 1, 0)
    assert owned(desk) == [("branches", "mapping.组织架构", "G01"), ("branches", "mapping.组织架构", "G99")]


def test_an_upserting_sync_notes_no_keys(desk: Desk) -> None:
    desk.sync(BRANCHES)

    assert owned(desk) == []


def test_replace_removes_only_what_the_job_delivered_before(desk: Desk) -> None:
    desk.sync(REPLACED)
    derive(desk, "mapping.组织架构", "机构代码", "G77")
    desk.csv("G01,北京,1")

    (planned,) = desk.sync(REPLACED, execute=False, allow_shrink=True)
    (effect,) = desk.sync(REPLACED, allow_shrink=True)

    assert effect == planned
    assert numbers(effect) == (0, 0, 1, 1)
    assert desk.hub.query("select count(*) from mapping.组织架构") == [(39,)]
    assert branch(desk, "G99") == []
    assert [key for _, _, key in owned(desk)] == ["G01"]


def test_another_job_owns_nothing_of_the_first(desk: Desk) -> None:
    desk.sync(REPLACED)
    desk.csv("G01,北京,1")

    assert numbers(desk.sync(REPLACED | {"name": "others"})[0]) == (0, 0, 1, 0)


def test_keys_of_another_key_column_are_no_keys(desk: Desk) -> None:
    run(desk.hub.url, "create unique index on mapping.组织架构 (机构)")
    run(desk.hub.url, "update mapping.组织架构 set 机构 = 'G99' where 机构代码 = 'G02'")
    desk.sync(REPLACED)
    desk.csv("G01,北京,1", "G98,新,98")

    (effect,) = desk.sync(REPLACED | {"key": "机构"}, allow_shrink=True)

    assert numbers(effect) == (1, 0, 1, 0)
    assert len(branch(desk, "G02")) == 1
    assert {key for _, _, key in owned(desk)} == {"北京", "新"}


def test_a_row_that_became_derived_is_not_removed(desk: Desk) -> None:
    desk.sync(REPLACED)
    run(desk.hub.url, "update mapping.组织架构 set _source = 'auto_derived' where 机构代码 = 'G99'")
    desk.csv("G01,北京,1")

    assert numbers(desk.sync(REPLACED)[0]) == (0, 0, 1, 0)
    assert len(branch(desk, "G99")) == 1


@pytest.mark.parametrize("again", ["derived", "authoritative"])
def test_a_row_that_a_human_accepted_since_is_not_removed(desk: Desk, again: str) -> None:
    desk.sync(REPLACED)
    if again == "derived":
        run(desk.hub.url, "delete from mapping.组织架构 where 机构代码 = 'G99'")
        derive(desk, "mapping.组织架构", "机构代码", "G99")
    assert desk.hub.wdh("reference", "accept", "组织架构", "G99", "--execute").code == 0
    desk.csv("G01,北京,1")

    assert numbers(desk.sync(REPLACED)[0]) == (0, 0, 1, 0)
    assert len(branch(desk, "G99")) == 1


def test_a_failed_replacing_sync_notes_no_keys(desk: Desk) -> None:
    run(desk.hub.url, "alter table mapping.组织架构 add constraint never check (机构代码 <> 'G99')")

    with pytest.raises(WarehouseError, match="never"):
        desk.sync(REPLACED)

    assert owned(desk) == []


@pytest.mark.parametrize("execute", [False, True])
def test_replace_refuses_to_remove_most_of_its_rows(desk: Desk, execute: bool) -> None:
    desk.sync(REPLACED)
    desk.csv("G01,北京,1")
    before = desk.hub.contents()

    with pytest.raises(ShrinkRefused, match="would lose 1 of the 2 rows") as raised:
        desk.sync(REPLACED, execute=execute)

    assert raised.value.exit_code == 4
    assert desk.hub.contents() == before


def test_replace_may_remove_up_to_thirty_per_cent_of_its_rows(desk: Desk) -> None:
    seeded = desk.hub.query('select 机构代码, 机构, "NO_机构" from mapping.组织架构 order by 1')
    lines = [",".join(map(str, row)) for row in seeded]
    desk.csv(*lines[:30]).sync(REPLACED)

    (effect,) = desk.csv(*lines[:21]).sync(REPLACED)

    assert numbers(effect) == (0, 0, 21, 9)


def test_the_same_replacing_sync_again_changes_nothing(desk: Desk) -> None:
    desk.sync(REPLACED)
    before = desk.hub.contents()

    assert numbers(desk.sync(REPLACED)[0]) == (0, 0, 2, 0)
    assert desk.hub.contents() == before


def test_rows_that_are_as_the_source_says_stay_untouched(desk: Desk) -> None:
    untouched = "select xmin::text from mapping.组织架构 where 机构代码 = 'G01'"
    before = desk.hub.query(untouched)

    desk.csv("G01,北京,1", "G02,沪,2", "G99,新机构,99").sync()

    assert desk.hub.query(untouched) == before


def test_a_legacy_table_is_read_into_its_table(legacy_desk: Desk) -> None:
    (effect,) = legacy_desk.sync(PLANS)

    assert (effect.rows_read, numbers(effect), effect.since) == (3, (3, 0, 0, 0), None)
    plans = "select 年金计划号, 计划全称, _source from mapping.年金计划 where 年金计划号 like 'P%' order by 1"
    assert legacy_desk.hub.query(plans) == [
        ("P1", "壹号", "authoritative"),
        ("P2", "贰号", "authoritative"),
        ("P3", None, "authoritative"),
    ]
    assert state(legacy_desk) == [("02 08:00", 3)]


def test_an_incremental_sync_reads_changes_from_the_last_time_on(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy_desk.sync(PLANS)
    # One with the very time of the last row taken over, one later, one older that nobody may see.
    legacy.run("insert into enterprise.annuity_plan values ('P4', '肆', null, null, '2024-10-02 08:00+00')")
    legacy.run("insert into enterprise.annuity_plan values ('P5', '伍', null, null, '2024-10-03 08:00+00')")
    legacy.run("update enterprise.annuity_plan set plan_name = '改' where plan_code = 'P1'")

    (effect,) = legacy_desk.sync(PLANS)

    assert (effect.rows_read, numbers(effect)) == (4, (2, 0, 2, 0))
    assert effect.since is not None
    assert state(legacy_desk) == [("03 08:00", 4)]


def test_an_incremental_sync_begins_before_the_mark_for_rows_committed_late(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy_desk.sync(PLANS)
    legacy.run("insert into enterprise.annuity_plan values ('P4', '肆', null, null, '2024-10-01 08:00+00')")
    legacy.run("insert into enterprise.annuity_plan values ('P5', '伍', null, null, '2024-10-01 07:59+00')")

    (effect,) = legacy_desk.sync(PLANS)

    assert numbers(effect) == (1, 0, 2, 0)
    assert str(effect.since) == "2024-10-01 08:00:00+00:00"
    assert state(legacy_desk) == [("02 08:00", 3)]


@pytest.mark.parametrize("kind", ["timestamptz", "date"])
def test_the_mark_stays_behind_a_transaction_that_is_still_open(legacy_desk: Desk, legacy: Legacy, kind: str) -> None:
    legacy.run(f"alter table enterprise.annuity_plan alter updated_at type {kind}")
    job = PLANS | {"incremental": {"column": "updated_at", "overlap_minutes": 0}}
    with closing(psycopg2.connect(legacy.url)) as late, late.cursor() as cursor:
        cursor.execute("insert into enterprise.annuity_plan values ('LATE', '晚', null, null, now())")
        legacy.run("insert into enterprise.annuity_plan values ('P4', '肆', null, null, now())")
        assert legacy_desk.sync(job)[0].inserted == 4
        late.commit()

    assert numbers(legacy_desk.sync(job)[0])[0] == 1
    assert legacy_desk.hub.query("select 计划全称 from mapping.年金计划 where 年金计划号 = 'LATE'") == [("晚",)]


def test_a_full_sync_reads_everything(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy_desk.sync(PLANS)
    legacy.run("update enterprise.annuity_plan set plan_name = '改' where plan_code = 'P1'")

    (effect,) = legacy_desk.sync(PLANS, full=True)

    assert (effect.rows_read, numbers(effect), effect.since) == (3, (0, 1, 2, 0), None)


def test_a_sync_of_nothing_new_writes_nothing(legacy_desk: Desk) -> None:
    legacy_desk.sync(PLANS)
    before = legacy_desk.hub.contents()

    (effect,) = legacy_desk.sync(PLANS)

    assert (effect.rows_read, numbers(effect)) == (2, (0, 0, 2, 0))
    assert legacy_desk.hub.contents() == before


def test_a_column_mapped_anew_is_read_for_all_rows(legacy_desk: Desk) -> None:
    legacy_desk.sync(PLANS)
    widened = PLANS | {"columns": PLANS["columns"] | {"plan_type": "计划类型"}}

    assert legacy_desk.sync(widened)[0].rows_read == 3


def test_a_time_in_the_future_hides_no_later_change(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy.run("insert into enterprise.annuity_plan values ('P9', '玖', null, null, '2099-01-01')")
    legacy_desk.sync(PLANS)
    legacy.run("insert into enterprise.annuity_plan values ('P4', '肆', null, null, '2024-10-05')")

    assert numbers(legacy_desk.sync(PLANS)[0])[0] == 1


def test_a_source_that_was_set_back_is_read_whole(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy_desk.sync(PLANS)
    legacy.run("delete from enterprise.annuity_plan where plan_code = 'P2'")
    legacy.run("update enterprise.annuity_plan set plan_name = '旧' where plan_code = 'P1'")

    assert numbers(legacy_desk.sync(PLANS)[0]) == (0, 1, 1, 0)


def test_temporary_company_ids_of_the_source_become_no_customers(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy.run("insert into enterprise.customer values ('600001', '甲'), ('INAAAAAAAAAAAAAAAA', '乙')")
    job = PLANS | {
        "target": "customer.客户明细",
        "key": "company_id",
        "columns": {"company_id": "company_id", "customer_name": "客户名称"},
        "source": PLANS["source"] | {"table": "customer"},
    }

    (effect,) = legacy_desk.sync(job)

    assert (effect.inserted, effect.temporary) == (1, 1)
    assert legacy_desk.hub.query("select company_id, 客户名称, tags from customer.客户明细") == [("600001", "甲", [])]


def test_nothing_can_be_written_into_the_legacy_database(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy.run(
        "create function enterprise.touch() returns text language sql as"
        " $$ insert into enterprise.customer values ('x') returning 'x' $$;"
        "create view enterprise.trap as select enterprise.touch() as plan_code, '' as plan_name, now() as updated_at"
    )

    with pytest.raises(WarehouseError, match="read-only"):
        legacy_desk.sync(PLANS | {"source": PLANS["source"] | {"table": "trap"}})


def test_a_failure_in_a_later_table_leaves_every_table_and_state_as_before(legacy_desk: Desk) -> None:
    run(legacy_desk.hub.url, "alter table mapping.组织架构 add constraint never check (机构代码 <> 'G99')")
    before = legacy_desk.hub.contents()

    with pytest.raises(WarehouseError, match="never"):
        legacy_desk.sync(PLANS, BRANCHES)

    assert legacy_desk.hub.contents() == before
    executions = "select pipeline_name, status, error_message like '%never%' from public.pipeline_executions"
    assert legacy_desk.hub.query(executions) == [("reference_sync", "failed", True)]


def test_a_bad_row_in_a_later_table_stops_before_the_first_is_written(legacy_desk: Desk) -> None:
    before = legacy_desk.hub.contents()
    legacy_desk.csv("G01,北京,first")

    with pytest.raises(DataError) as raised:
        legacy_desk.sync(PLANS, BRANCHES)

    assert legacy_desk.hub.contents() == before
    assert (raised.value.row_number, raised.value.field, raised.value.input_data) == (2, "number", "first")


def test_an_executed_sync_is_recorded_and_a_plan_is_not(desk: Desk) -> None:
    desk.sync(execute=False)
    desk.sync()

    executions = (
        "select pipeline_name, status, input_file_path, rows_input, rows_output from public.pipeline_executions"
    )
    assert desk.hub.query(executions) == [("reference_sync", "success", "branches.csv", 2, 1)]


def test_the_time_of_a_change_is_noted_where_the_table_keeps_it(legacy_desk: Desk) -> None:
    run(legacy_desk.hub.url, "insert into mapping.年金计划 (年金计划号, updated_at) values ('P1', '2020-01-01')")

    legacy_desk.sync(PLANS)

    changed = "select updated_at > '2024-01-01' from mapping.年金计划 where 年金计划号 = 'P1'"
    assert legacy_desk.hub.query(changed) == [(True,)]


def test_two_syncs_do_not_mix(desk: Desk, warehouse: Connection) -> None:
    take_load_lock(warehouse, domain="reference", period="sync", wait_seconds=0)

    with pytest.raises(LoadLocked, match="wdh tests") as raised:
        desk.sync()
    assert raised.value.exit_code == 6


@pytest.mark.parametrize(
    ("index", "is_unique"),
    [
        ("unique index on mapping.组织架构 (战区)", True),
        ("index on mapping.组织架构 (战区)", False),
        ("unique index on mapping.组织架构 (战区) where 战区 is not null", False),
        ("unique index on mapping.组织架构 (战区, 机构代码)", False),
        ("unique index on mapping.组织架构 (lower(战区))", False),
    ],
)
def test_only_a_column_that_alone_is_unique_in_every_row_can_be_a_key(
    warehouse: Connection, index: str, is_unique: bool
) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("update mapping.组织架构 set 战区 = 机构代码")
        cursor.execute(f"create {index}")
        table = target_table(cursor, "mapping.组织架构")
    warehouse.rollback()

    assert table is not None
    assert ("战区" in table.unique, "机构代码" in table.unique) == (is_unique, True)


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"target": "mapping.没有"}, ConfigError, "jobs.branches.target"),
        ({"columns": BRANCHES["columns"] | {"x": "没有"}}, ConfigError, "jobs.branches.columns"),
        ({"key": "机构"}, ConfigError, "jobs.branches.key"),
        (
            {"target": "mapping.计划层规模", "key": "规模分类代码", "columns": {"code": "规模分类代码"}},
            SchemaDrift,
            None,
        ),
        ({"source": {"type": "config_file", "path": "none.csv"}}, ConfigError, "jobs.branches.source.path"),
        ({"columns": BRANCHES["columns"] | {"nmae": "战区"}}, HeadingsMissing, "nmae"),
    ],
)
def test_a_job_that_cannot_work_is_refused_before_anything_is_written(
    desk: Desk, change: dict[str, Any], error: type[Exception], field: str | None
) -> None:
    before = desk.hub.contents()

    with pytest.raises(error) as raised:
        desk.sync(BRANCHES | change)

    assert getattr(raised.value, "field", None) == field
    assert desk.hub.contents() == before


@pytest.mark.parametrize(
    ("change", "error", "field"),
    [
        ({"source": PLANS["source"] | {"table": "nothing"}}, SourceError, "jobs.plans.source"),
        ({"columns": PLANS["columns"] | {"plan_nmae": "计划简称"}}, HeadingsMissing, "plan_nmae"),
        ({"incremental": {"column": "changed"}}, HeadingsMissing, "changed"),
        ({"incremental": {"column": "plan_name"}}, SourceError, "plan_name"),
    ],
)
def test_a_legacy_table_that_is_not_as_declared_is_refused(
    legacy_desk: Desk, change: dict[str, Any], error: type[SourceError], field: str
) -> None:
    with pytest.raises(error) as raised:
        legacy_desk.sync(PLANS | change)

    assert (raised.value.field, raised.value.exit_code) == (field, 3)


def test_bad_rows_of_a_legacy_table_are_named_by_their_key(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy.run("insert into enterprise.annuity_plan values ('P1', '又', null, null, now())")

    with pytest.raises(DataError, match="the first in P1 plan_code") as raised:
        legacy_desk.sync(PLANS)
    assert (raised.value.file, raised.value.rule) == ("legacy enterprise.annuity_plan", "a key stands once")


def test_an_empty_legacy_table_empties_nothing(legacy_desk: Desk, legacy: Legacy) -> None:
    legacy.run("truncate enterprise.annuity_plan")

    with pytest.raises(NoDataRows):
        legacy_desk.sync(PLANS)


def test_an_unconfigured_legacy_database_names_its_variables(desk: Desk) -> None:
    with pytest.raises(ConfigError, match="WDH_LEGACY__HOST"):
        desk.sync(PLANS, execute=False)


def test_an_unreachable_legacy_database_names_its_host_and_no_password(desk: Desk) -> None:
    with pytest.raises(WarehouseError, match="legacy database") as raised:
        desk.sync(PLANS, legacy_url="postgresql://reader:canary@127.0.0.1:1/legacy")  # pragma: allowlist secret

    assert "127.0.0.1:1" in str(raised.value)
    assert "WDH_LEGACY__HOST" in str(raised.value)
    assert "canary" not in f"{raised.value} {raised.value.__cause__!r} {raised.value.__context__!r}"


def test_without_a_database_there_is_nothing_to_compare_with(desk: Desk, tmp_path: Path) -> None:
    desk.sync()
    place = Workplace(
        data_root=tmp_path, config_dir=desk.config, home=tmp_path, database_url=None, alias_salt="", actor=""
    )

    with pytest.raises(UsageError, match="no database"):
        sync_references(SyncRequest(), place)
