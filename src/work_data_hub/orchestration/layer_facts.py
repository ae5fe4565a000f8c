"""What a load's report says of a layer, as Dagster's metadata: numbers that plot over months, and reasons to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import AssetKey, AssetRecordsFilter, DagsterInstance, MetadataValue

from work_data_hub.domain.identity.identified import EXCLUDED, TEMPORARY, UNRESOLVED
from work_data_hub.domain.reject_reasons import reasons_table
from work_data_hub.domain.report import DomainReport

WHY, WORKBOOK, KNOWN = "why rejected", "rejected rows", "% of rows with a known company"
UNCHANGED = "unchanged"
# What says that two events are about the same rows: the workbook's content, and the load where one is named.
_SAME = ("sha256", "load id")


def shown(value: Any) -> MetadataValue:
    """A value as Dagster shows it best: a path to copy, JSON to unfold, a number to plot, else text."""
    if isinstance(value, MetadataValue):
        return value
    if isinstance(value, Path):
        return MetadataValue.path(value)
    if isinstance(value, (list, Mapping)):
        return MetadataValue.json(value if isinstance(value, list) else dict(value))
    if isinstance(value, str):
        return MetadataValue.text(value)
    return MetadataValue.float(value) if isinstance(value, float) else MetadataValue.int(value)


def reject_facts(report: DomainReport) -> dict[str, Any]:
    """Why rows were rejected, as a table, and the workbook they stand in; nothing where none was."""
    why = {WHY: MetadataValue.md(reasons_table(report.reject_reasons))} if report.reject_reasons else {}
    return why | ({WORKBOOK: Path(report.rejects_path)} if report.rejects_path else {})


def identity_facts(report: DomainReport) -> dict[str, Any]:
    """How rows got their company: rows of each way, its share where it found any, and the share of those known."""
    rows = _rows_asked(report)
    shares = {f"% by {way}": _percent(number, sum(rows.values())) for way, number in rows.items() if number}
    return known_share(report) | {f"rows by {way}": number for way, number in report.identity.items()} | shares


def known_share(report: DomainReport) -> dict[str, Any]:
    """The share of rows whose company is known, of those that have one; nothing where no row has."""
    rows = _rows_asked(report)
    asked = sum(rows.values())
    known = asked - rows.get(TEMPORARY, 0) - rows.get(UNRESOLVED, 0)
    return {KNOWN: _percent(known, asked)} if asked else {}


def _rows_asked(report: DomainReport) -> dict[str, int]:
    """Rows that are to have a company, by the way it was found."""
    return {way: number for way, number in report.identity.items() if way != EXCLUDED}


def total_facts(report: DomainReport) -> dict[str, Any]:
    """The sums of what was loaded, and how far the workbook's own totals are from their rows."""
    furthest: dict[str, float] = {}
    for control in report.controls.compared:
        furthest[control.column] = max(furthest.get(control.column, 0.0), float(abs(control.difference)))
    return {
        **{f"sum {name}": float(total) for name, total in report.sums.items()},
        "stated totals compared": len(report.controls.compared),
        **{f"difference to stated {name}": difference for name, difference in furthest.items()},
    }


def as_told_before(
    instance: DagsterInstance, key: AssetKey, month: str | None, now: Mapping[str, Any]
) -> dict[str, Any]:
    """What was told of a month when it was loaded, for a run that found it unchanged; blank where it was not told."""
    if month is None:
        return {}
    wanted = AssetRecordsFilter(asset_key=key, asset_partitions=[month])
    for record in instance.fetch_materializations(wanted, limit=1).records:
        event = record.asset_materialization
        before = dict(event.metadata) if event else {}
        if all(before[name] == now[name] for name in _SAME if name in before and name in now):
            return before
    return {}


def _percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 2)
