"""`config/reference_sync.yml`: which reference tables are kept elsewhere, checked when read."""

import re
from collections import Counter
from datetime import timedelta
from pathlib import Path, PurePosixPath

from work_data_hub.domain.reference_sync import TRACKING, USUAL_OVERLAP, FileSource, LegacySource, SyncJob, SyncMode
from work_data_hub.io.yaml_entries import Entry, read_entry

SYNC_FILE = "reference_sync.yml"
SCHEMA_VERSION = "1.0"
SUFFIXES = (".csv", ".yml", ".yaml")
_JOB_KEYS = ("name", "target", "key", "mode", "columns", "enabled", "source", "incremental")
_INCREMENTAL_KEYS = ("column", "overlap_minutes")
_MOST_OVERLAP_MINUTES = 366 * 24 * 60
_SOURCE_KEYS = {"config_file": ("type", "path"), "postgres": ("type", "schema", "table")}


def load_sync_jobs(config_dir: Path) -> tuple[SyncJob, ...]:
    """Return every job, enabled or not, in the order of the file; raise ConfigError naming file and key."""
    root = read_entry(config_dir / SYNC_FILE)
    root.refuse_unknown(("schema_version", "jobs"))
    root.require("schema_version", SCHEMA_VERSION)
    jobs = tuple(_job(block) for block in root.blocks("jobs"))
    _refuse_repeats(root, "name", [job.name for job in jobs])
    _refuse_repeats(root, "target", [job.target for job in jobs if job.enabled])
    return jobs


def kept_columns(config_dir: Path) -> dict[str, frozenset[str]]:
    """Return, by table, the columns that an enabled job delivers; nothing where the file is not there."""
    if not (config_dir / SYNC_FILE).is_file():
        return {}
    return {job.target: frozenset(job.targets) for job in load_sync_jobs(config_dir) if job.enabled}


def _refuse_repeats(root: Entry, key: str, values: list[str]) -> None:
    for value, times in Counter(values).items():
        if times > 1:
            raise root.wrong(f"jobs.{key}", f"one enabled job for each {key}", found=value)


def _job(block: Entry) -> SyncJob:
    name = block.text("name")
    block = Entry(path=block.path, place=f"jobs.{name}", values=block.values)
    block.refuse_unknown(_JOB_KEYS)
    source, mode, columns = _source(block.block("source")), _mode(block), _columns(block)
    incremental = _incremental(block, source, mode)
    return SyncJob(
        name=name,
        target=_target(block),
        key=_key(block, columns),
        mode=mode,
        columns=columns,
        source=source,
        enabled=block.flag("enabled", True),
        changed_at=incremental.text("column") if incremental else None,
        overlap=_overlap(incremental) if incremental else USUAL_OVERLAP,
    )


def _target(block: Entry) -> str:
    value = block.text("target")
    if not re.fullmatch(r"[^.\s]+\.[^.\s]+", value):
        raise block.wrong("target", "schema.table")
    return value


def _key(block: Entry, columns: dict[str, str]) -> str:
    value = block.text("key")
    if value not in columns.values():
        raise block.wrong("key", "a target column that `columns` delivers", known=columns.values())
    return value


def _mode(block: Entry) -> SyncMode:
    if "mode" not in block.values:
        raise block.wrong("mode", f"one of {', '.join(SyncMode)}")
    return block.choice("mode", SyncMode.UPSERT)


def _columns(block: Entry) -> dict[str, str]:
    columns = block.block("columns")
    pairs = {source: columns.text(source) for source in columns.values}
    if not pairs:
        raise block.wrong("columns", "source column: target column")
    for target, times in Counter(pairs.values()).items():
        if times > 1:
            raise block.wrong("columns", "each target column once", found=target)
        if target in TRACKING:
            raise block.wrong("columns", "where a row comes from is noted by the sync itself", found=target)
    return pairs


def _source(block: Entry) -> FileSource | LegacySource:
    kind = block.text("type")
    if kind not in _SOURCE_KEYS:
        raise block.wrong("type", f"one of {', '.join(_SOURCE_KEYS)}", known=_SOURCE_KEYS)
    block.refuse_unknown(_SOURCE_KEYS[kind])
    if kind == "postgres":
        return LegacySource(schema=block.text("schema"), table=block.text("table"))
    return FileSource(path=_path(block))


def _path(block: Entry) -> str:
    """A path that stays below the configuration folder, links followed."""
    value, folder = block.text("path"), block.path.parent.resolve()
    inside = PurePosixPath(value)
    if "\\" in value or inside.is_absolute() or not (folder / inside).resolve().is_relative_to(folder):
        raise block.wrong("path", "relative, with /, below the configuration folder")
    if inside.suffix.lower() not in SUFFIXES:
        raise block.wrong("path", f"a file ending in {', '.join(SUFFIXES)}")
    return value


def _incremental(block: Entry, source: FileSource | LegacySource, mode: SyncMode) -> Entry | None:
    if "incremental" not in block.values:
        return None
    incremental = block.block("incremental")
    incremental.refuse_unknown(_INCREMENTAL_KEYS)
    if isinstance(source, FileSource):
        raise block.wrong("incremental", "only for a postgres source; a file is read whole")
    if mode is SyncMode.REPLACE:
        raise block.wrong("incremental", "not with mode replace: rows that are gone show in a whole read only")
    return incremental


def _overlap(incremental: Entry) -> timedelta:
    minutes = incremental.values.get("overlap_minutes", USUAL_OVERLAP // timedelta(minutes=1))
    if isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes <= _MOST_OVERLAP_MINUTES:
        raise incremental.wrong("overlap_minutes", f"a whole number from 0 to {_MOST_OVERLAP_MINUTES:,}")
    return timedelta(minutes=minutes)
