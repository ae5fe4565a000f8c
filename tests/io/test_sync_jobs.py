"""config/reference_sync.yml: what it may say, and the files it names."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hub import PROJECT

from work_data_hub.domain.reference_sync import FileSource, LegacySource, SyncMode
from work_data_hub.domain.sync_rows import SourceRows
from work_data_hub.errors import ConfigError, HeadingsDuplicated, HeadingsMissing, NoDataRows, SourceError
from work_data_hub.io.reference_files import read_reference_file
from work_data_hub.io.sync_jobs import kept_columns, load_sync_jobs

pytestmark = pytest.mark.unit

JOB: dict[str, Any] = {
    "name": "branches",
    "target": "mapping.组织架构",
    "key": "机构代码",
    "mode": "upsert",
    "source": {"type": "config_file", "path": "rows.csv"},
    "columns": {"code": "机构代码", "name": "机构"},
}
LEGACY = {"type": "postgres", "schema": "enterprise", "table": "organization"}


def write(folder: Path, *jobs: dict[str, Any], **root: Any) -> Path:
    document = {"schema_version": "1.0", "jobs": [dict(job) for job in jobs or (JOB,)]} | root
    (folder / "reference_sync.yml").write_text(json.dumps(document), encoding="utf-8")  # JSON is YAML, too
    return folder


def refused(folder: Path) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        load_sync_jobs(folder)
    assert raised.value.file == str(folder / "reference_sync.yml")
    return raised.value


def test_the_shipped_jobs_bring_two_tables_from_files_and_wait_for_the_legacy_database() -> None:
    jobs = load_sync_jobs(PROJECT / "config")

    assert [(job.target, job.enabled) for job in jobs] == [
        ("mapping.产品线", True),
        ("mapping.组织架构", True),
        ("mapping.年金计划", False),
        ("mapping.组合计划", False),
        ("customer.客户明细", False),
    ]
    assert all(isinstance(job.source, FileSource if job.enabled else LegacySource) for job in jobs)


def test_a_job_is_read_as_written(tmp_path: Path) -> None:
    legacy = JOB | {"source": LEGACY, "incremental": {"column": "updated_at"}, "enabled": False}

    (job,) = load_sync_jobs(write(tmp_path, legacy))

    assert job.source == LegacySource(schema="enterprise", table="organization")
    assert (job.mode, job.enabled, job.changed_at) == (SyncMode.UPSERT, False, "updated_at")
    assert (job.source_key, job.targets) == ("code", ["机构代码", "机构"])
    assert job.overlap == timedelta(days=1)


def test_the_overlap_is_read_in_minutes(tmp_path: Path) -> None:
    incremental = {"column": "updated_at", "overlap_minutes": 90}

    (job,) = load_sync_jobs(write(tmp_path, JOB | {"source": LEGACY, "incremental": incremental}))

    assert job.overlap == timedelta(minutes=90)


@pytest.mark.parametrize("minutes", [-1, 1.5, True, "60", 10**7, None])
def test_a_wrong_overlap_is_named(tmp_path: Path, minutes: object) -> None:
    incremental = {"column": "updated_at", "overlap_minutes": minutes}

    error = refused(write(tmp_path, JOB | {"source": LEGACY, "incremental": incremental}))

    assert error.field == "jobs.branches.incremental.overlap_minutes"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"nmae": "x"}, "jobs.branches.nmae"),
        ({"target": "组织架构"}, "jobs.branches.target"),
        ({"target": 7}, "jobs.branches.target"),
        ({"key": "code"}, "jobs.branches.key"),
        ({"mode": "delete_insert"}, "jobs.branches.mode"),
        ({"mode": None}, "jobs.branches.mode"),
        ({"enabled": "maybe"}, "jobs.branches.enabled"),
        ({"columns": {}}, "jobs.branches.columns"),
        ({"columns": {"a": "机构代码", "b": "机构代码"}}, "jobs.branches.columns"),
        ({"columns": {"a": "机构代码", "b": "_source"}}, "jobs.branches.columns"),
        ({"columns": {"a": 1}}, "jobs.branches.columns.a"),
        ({"source": "rows.csv"}, "jobs.branches.source"),
        ({"source": {"type": "mysql"}}, "jobs.branches.source.type"),
        ({"source": LEGACY | {"where": "1=1"}}, "jobs.branches.source.where"),
        ({"source": {"type": "postgres", "schema": "enterprise"}}, "jobs.branches.source.table"),
        ({"source": {"type": "config_file", "path": "../secret.csv"}}, "jobs.branches.source.path"),
        ({"source": {"type": "config_file", "path": "/etc/rows.csv"}}, "jobs.branches.source.path"),
        ({"source": {"type": "config_file", "path": "rows.xlsx"}}, "jobs.branches.source.path"),
        ({"incremental": {"column": "updated_at"}}, "jobs.branches.incremental"),
        ({"source": LEGACY, "incremental": {"column": ""}}, "jobs.branches.incremental.column"),
        ({"source": LEGACY, "incremental": {"since": "x"}}, "jobs.branches.incremental.since"),
        ({"source": LEGACY, "mode": "replace", "incremental": {"column": "t"}}, "jobs.branches.incremental"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    assert refused(write(tmp_path, JOB | change)).field == field


@pytest.mark.parametrize(
    ("root", "field"),
    [({"schema_version": "2.0"}, "schema_version"), ({"jobs": []}, "jobs"), ({"schedule": "0 1 * * *"}, "schedule")],
)
def test_a_wrong_root_is_named(tmp_path: Path, root: dict[str, Any], field: str) -> None:
    assert refused(write(tmp_path, **root)).field == field


@pytest.mark.parametrize("change", [{"target": "mapping.产品线"}, {"name": "other"}])
def test_names_and_enabled_targets_stand_once(tmp_path: Path, change: dict[str, Any]) -> None:
    assert refused(write(tmp_path, JOB, JOB | change)).rule in (
        "one enabled job for each name",
        "one enabled job for each target",
    )


def test_a_disabled_job_may_share_a_target(tmp_path: Path) -> None:
    assert len(load_sync_jobs(write(tmp_path, JOB, JOB | {"name": "other", "enabled": False}))) == 2


def test_a_link_out_of_the_configuration_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "config"
    folder.mkdir()
    (tmp_path / "outside.csv").write_text("code,name\n", encoding="utf-8")
    (folder / "rows.csv").symlink_to(tmp_path / "outside.csv")

    assert refused(write(folder)).field == "jobs.branches.source.path"


def test_kept_columns_are_those_of_enabled_jobs(tmp_path: Path) -> None:
    write(tmp_path, JOB, JOB | {"name": "other", "target": "mapping.产品线", "enabled": False})

    assert kept_columns(tmp_path) == {"mapping.组织架构": frozenset({"机构代码", "机构"})}


def test_without_the_file_no_columns_are_kept(tmp_path: Path) -> None:
    assert kept_columns(tmp_path) == {}


def read(folder: Path, text: str, *, name: str = "rows.csv") -> SourceRows:
    (folder / name).write_text(text, encoding="utf-8")
    (job,) = load_sync_jobs(write(folder, JOB | {"source": {"type": "config_file", "path": name}}))
    assert isinstance(job.source, FileSource)
    return read_reference_file(folder, job, job.source)


def test_csv_cells_are_read_as_text_with_their_lines(tmp_path: Path) -> None:
    rows = read(tmp_path, '\ufeff# a comment\n\nname,code,extra\n"a,""b",007,x\n"two\nlines",G2,\n,G3,y\n')

    assert rows.frame["code"].tolist() == ["007", "G2", "G3"]
    assert rows.frame["name"].fillna("null").tolist() == ['a,"b', "two\nlines", "null"]
    assert rows.lines == (4, 6, 7)
    assert list(rows.frame) == ["code", "name"]


def test_only_a_line_that_begins_with_a_sign_is_a_comment(tmp_path: Path) -> None:
    text = '# say "no", "\ncode,name\n"#P9",nine\n#P1,comment\nG2,"two\n#lines"\n # x,y\n'

    rows = read(tmp_path, text)

    assert rows.frame["code"].tolist() == ["#P9", "G2", " # x"]
    assert rows.frame["name"].tolist() == ["nine", "two\n#lines", "y"]
    assert rows.lines == (3, 6, 7)


def test_yaml_values_are_read_as_written_with_their_lines(tmp_path: Path) -> None:
    text = "version: 1\nrows:\n  - {code: 007, name: null}\n  - code: 2024-01-01\n    name: '~'\n  - {code: G3}\n"

    rows = read(tmp_path, text, name="rows.yml")

    assert rows.frame["code"].tolist() == ["007", "2024-01-01", "G3"]
    assert rows.frame["name"].fillna("null").tolist() == ["null", "~", "null"]
    assert rows.lines == (3, 4, 6)


@pytest.mark.parametrize(
    ("text", "kind", "line"),
    [
        ("code\nG1\n", HeadingsMissing, None),
        ("code,name,name\nG1,a,b\n", HeadingsDuplicated, None),
        ("code,name\nG1,a,b\n", SourceError, 2),
        ('code,name\nG1,"a\n', SourceError, None),
        ("code,name\n", NoDataRows, None),
        ("", NoDataRows, None),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_refused(
    tmp_path: Path, text: str, kind: type[SourceError], line: int | None
) -> None:
    with pytest.raises(SourceError) as raised:
        read(tmp_path, text)

    assert (type(raised.value), raised.value.row_number) == (kind, line)
    assert raised.value.file == str(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 2\nrows: []\n", None),
        ("version: 1\nrows: {}\n", None),
        ("version: 1\nrows:\n  - text\n", 3),
        ("version: 1\nrows:\n  - {code: [1], name: x}\n", 3),
    ],
)
def test_a_yaml_file_that_cannot_be_used_is_refused(tmp_path: Path, text: str, line: int | None) -> None:
    with pytest.raises(SourceError) as raised:
        read(tmp_path, text, name="rows.yml")

    assert raised.value.row_number == line


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (job,) = load_sync_jobs(write(tmp_path))
    (tmp_path / "rows.csv").write_bytes("code,name\nG1,总部\n".encode("gbk"))

    with pytest.raises(SourceError, match="UTF-8"):
        read_reference_file(tmp_path, job, FileSource(path="rows.csv"))


def test_a_missing_file_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (job,) = load_sync_jobs(write(tmp_path))

    with pytest.raises(ConfigError, match="the file is missing") as raised:
        read_reference_file(tmp_path, job, FileSource(path="rows.csv"))
    assert raised.value.field == "jobs.branches.source.path"
