"""What a sync job means, and which source rows it can take over."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest

from work_data_hub.domain.reference_sync import (
    FileSource,
    SyncEffect,
    SyncJob,
    SyncMode,
    SyncReport,
    SyncState,
    chosen_jobs,
    mark_of,
    reached_mark,
)
from work_data_hub.domain.sync_rows import FittedRows, SourceRows, TargetColumn, TargetTable, check_target, fit
from work_data_hub.errors import ConfigError, DataError, SchemaDrift, UsageError

pytestmark = pytest.mark.unit

BRANCHES = SyncJob(
    name="branches",
    target="mapping.组织架构",
    key="机构代码",
    mode=SyncMode.UPSERT,
    columns={"code": "机构代码", "value": "值"},
    source=FileSource(path="reference_data/branches.csv"),
)
TRACKED = ("_source", "_needs_review", "_derived_from_domain", "_derived_at")


def table(kind: str = "character varying(5)", *, nullable: bool = True, key: str = "机构代码") -> TargetTable:
    columns = {"机构代码": "text", "值": kind, **dict.fromkeys(TRACKED, "text")}
    return TargetTable(
        name="mapping.组织架构",
        columns=tuple(
            TargetColumn(name=name, type=kind, nullable=nullable or name != "值", has_default=False)
            for name, kind in columns.items()
        ),
        unique=frozenset({key}),
    )


def rows(*values: str | None, codes: tuple[str | None, ...] | None = None) -> SourceRows:
    codes = codes or tuple(f"G{at:02}" for at in range(len(values)))
    frame = pd.DataFrame({"code": pd.Series(codes, dtype="string"), "value": pd.Series(values, dtype="string")})
    return SourceRows(label="branches.csv", frame=frame, lines=tuple(range(2, 2 + len(frame))))


def fitted(*values: str | None, kind: str = "character varying(5)", **options: Any) -> FittedRows:
    return fit(BRANCHES, table(kind, **options), rows(*values))


@pytest.mark.parametrize(
    ("kind", "written", "taken"),
    [
        ("character varying(5)", "  总部 ", "总部"),
        ("character varying(5)", "   ", None),
        ("text", "007", "007"),
        ("integer", "1,234", "1234"),
        ("integer", "3.0", "3"),
        ("integer", "-", None),
        ("numeric(18,4)", "1.23455", "1.2346"),
        ("numeric(4,4)", "0", "0.0000"),
        ("numeric(40,2)", "12345678901234567890123456789012345678.125", "12345678901234567890123456789012345678.13"),
        ("double precision", "0.1", "0.1"),
        ("date", "2024年1月5日", "2024-01-05"),
        ("date", "1998-05-01", "1998-05-01"),
        ("date", "2024-01-05 00:00:00+00", "2024-01-05"),
        ("timestamp with time zone", "2024-01-05 08:30:00.5+08", "2024-01-05T08:30:00.500000+08:00"),
        ("timestamp without time zone", "2024/1/5", "2024-01-05"),
        ("boolean", "是", "true"),
        ("jsonb", '["甲"]', '["甲"]'),
        ("uuid", "anything", "anything"),
    ],
)
def test_values_are_written_as_the_column_reads_them(kind: str, written: str, taken: str | None) -> None:
    found = fitted(written, kind=kind).frame["值"][0]

    assert (None if pd.isna(found) else found) == taken


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("character varying(5)", "六个字太长了"),
        ("smallint", "40000"),
        ("integer", "1.5"),
        ("integer", "many"),
        ("numeric(6,2)", "12345"),
        ("numeric(6,2)", "9999.999"),
        ("date", "2024-02-30"),
        ("date", "2024-01-05 rubbish"),
        ("timestamp with time zone", "soon"),
        ("boolean", "perhaps"),
        ("jsonb", "{"),
        ("jsonb", "NaN"),
        ("jsonb", '["a\\u0000b"]'),
    ],
)
def test_a_value_that_the_column_cannot_hold_is_refused(kind: str, written: str) -> None:
    with pytest.raises(DataError) as raised:
        fitted(None, written, kind=kind)

    assert (raised.value.row_number, raised.value.field, raised.value.exit_code) == (3, "value", 4)
    assert raised.value.rule


@pytest.mark.parametrize("kind", ["character varying(5)", "text", "integer", "date", "uuid"])
def test_a_nul_is_refused_as_one(kind: str) -> None:
    with pytest.raises(DataError) as raised:
        fitted(None, "a\0b", kind=kind)

    assert (raised.value.row_number, raised.value.rule) == (3, "no NUL character in a value")
    assert "1 cell" not in raised.value.message
    assert raised.value.message.startswith("a cell")


@pytest.mark.parametrize("written", ["#N/A", " #REF! ", "#div/0!", "#NAME?", "#SPILL!"])
@pytest.mark.parametrize("kind", ["text", "integer"])
def test_an_error_that_excel_left_in_a_file_is_refused(kind: str, written: str) -> None:
    with pytest.raises(DataError) as raised:
        fitted(None, written, kind=kind)

    assert (raised.value.row_number, raised.value.field) == (3, "value")
    assert raised.value.rule == "a value, not an error that Excel left"
    assert raised.value.message.startswith("a cell")


def test_an_error_that_excel_left_is_no_key() -> None:
    with pytest.raises(DataError, match="a cell cannot") as raised:
        fit(BRANCHES, table(), rows("x", "y", codes=("G01", "#N/A")))

    assert (raised.value.row_number, raised.value.field) == (3, "code")


@pytest.mark.parametrize("written", ["#P9", "#N/A Ltd", "N/A!"])
def test_signs_that_excel_did_not_leave_are_text(written: str) -> None:
    assert fitted(written, kind="text").frame["值"][0] == written


def test_a_table_may_hold_what_excel_would_write() -> None:
    source = replace(rows("#N/A"), lines=None)

    assert fit(BRANCHES, table("text"), source).frame["值"][0] == "#N/A"


def test_a_refusal_names_the_first_cell_and_the_places_of_others() -> None:
    with pytest.raises(DataError, match=r"3 cells cannot be taken over.*then line 4 value; line 5 value") as raised:
        fitted("一", "六个字太长了", "七个字也太长了", "八个字当然太长了")

    assert raised.value.row_number == 3
    assert raised.value.file == "branches.csv"
    assert raised.value.input_data == "六个字太长了"
    assert raised.value.rule == "at most 5 characters"


def test_rows_of_a_table_are_named_by_their_key() -> None:
    with pytest.raises(DataError, match="the first in G01 value"):
        fit(BRANCHES, table(), replace(rows("一", "六个字太长了"), lines=None))


@pytest.mark.parametrize(
    ("codes", "rule"),
    [
        (("G01", " G01 "), "a key stands once"),
        (("G01", None), "a row has a key"),
        (("G01", "  "), "a row has a key"),
        (("G01", "(空白)"), "a row has a key"),
    ],
)
def test_a_key_is_there_and_stands_once(codes: tuple[str | None, ...], rule: str) -> None:
    with pytest.raises(DataError) as raised:
        fit(BRANCHES, table(), rows("一", "二", codes=codes))

    assert (raised.value.rule, raised.value.row_number) == (rule, 3)


def test_a_column_that_must_be_filled_is_not_given_blank() -> None:
    with pytest.raises(DataError, match="must not be blank"):
        fitted("一", " ", nullable=False)


def test_temporary_company_ids_are_left_out_and_counted() -> None:
    job = replace(BRANCHES, key="company_id", columns={"code": "company_id"})
    ids = TargetTable(
        name="customer.客户明细",
        columns=(TargetColumn(name="company_id", type="text", nullable=False, has_default=False),),
        unique=frozenset({"company_id"}),
    )

    taken = fit(job, ids, rows(None, None, codes=("600001", "INAAAAAAAAAAAAAAAA")))

    assert taken.frame["company_id"].tolist() == ["600001"]
    assert taken.temporary == 1


def test_a_job_that_fits_its_table_is_let_through() -> None:
    assert check_target(BRANCHES, table(), file="x.yml") == table()


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (None, "jobs.branches.target"),
        (replace(table(), columns=table().columns[:1]), "jobs.branches.columns"),
        (table(key="值"), "jobs.branches.key"),
        (
            replace(
                table(),
                columns=(*table().columns, TargetColumn(name="必填", type="text", nullable=False, has_default=False)),
            ),
            "jobs.branches.columns",
        ),
    ],
)
def test_a_job_that_does_not_fit_its_table_names_its_key(target: TargetTable | None, field: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_target(BRANCHES, target, file="x.yml")

    assert (raised.value.file, raised.value.field, raised.value.exit_code) == ("x.yml", field, 2)


def test_a_table_without_tracking_columns_is_drift() -> None:
    bare = replace(table(), columns=table().columns[:-1])

    with pytest.raises(SchemaDrift, match="lacks _derived_at"):
        check_target(BRANCHES, bare, file="x.yml")


@pytest.mark.parametrize("name", ["branches", "mapping.组织架构", "组织架构"])
def test_a_job_is_found_by_its_name_or_its_table(name: str) -> None:
    assert chosen_jobs([BRANCHES, replace(BRANCHES, name="x", target="mapping.产品线")], [name]) == (BRANCHES,)


def test_without_names_every_enabled_job_is_meant() -> None:
    assert chosen_jobs([BRANCHES, replace(BRANCHES, name="x", enabled=False)], []) == (BRANCHES,)


@pytest.mark.parametrize(("name", "words"), [("y", "no sync job"), ("x", "switched off")])
def test_a_name_without_an_enabled_job_is_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        chosen_jobs([replace(BRANCHES, name="x", enabled=False)], [name])


def test_an_incremental_read_begins_where_the_same_job_ended() -> None:
    job, moment = replace(BRANCHES, changed_at="updated_at"), datetime(2024, 10, 1, tzinfo=UTC)
    state = SyncState(last_synced_at=moment, rows=3, job_version=job.version)

    assert mark_of(job, state) == moment
    assert mark_of(job, None) is None
    assert mark_of(BRANCHES, state) is None
    assert mark_of(replace(job, columns={**job.columns, "new": "新"}), state) is None


@pytest.mark.parametrize(
    ("newest", "is_day", "mark"),
    [
        (datetime(2024, 10, 1, 9, tzinfo=UTC), False, datetime(2024, 10, 1, 9, tzinfo=UTC)),
        (datetime(2024, 10, 3, tzinfo=UTC), False, datetime(2024, 10, 2, 23, tzinfo=UTC)),
        (datetime(2024, 10, 3, tzinfo=UTC), True, datetime(2024, 10, 2, tzinfo=UTC)),
        (None, True, None),
    ],
)
def test_the_mark_is_the_newest_change_that_nothing_can_still_precede(
    newest: datetime | None, is_day: bool, mark: datetime | None
) -> None:
    assert reached_mark(newest, datetime(2024, 10, 2, 23, tzinfo=UTC), is_day=is_day) == mark


def test_a_sync_without_changes_is_unchanged() -> None:
    report = SyncReport(mode="execute", run_id="r", database=None, seconds=0.1)
    effect = SyncEffect(job=BRANCHES, rows_read=2, unchanged=2)

    assert replace(report, tables=(effect,)).status == "unchanged"
    assert replace(report, tables=(replace(effect, deleted=1),)).status == "synced"
    assert replace(report, mode="plan", tables=(replace(effect, updated=1),)).status == "planned"
