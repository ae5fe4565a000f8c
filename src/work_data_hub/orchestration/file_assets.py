"""What file domains leave behind, as Dagster shows it: their assets by month, and how each load met its gates."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    AssetMaterialization,
    AssetObservation,
    AssetSpec,
    MetadataValue,
    MonthlyPartitionsDefinition,
    OpExecutionContext,
    Output,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)
from dagster_shared.utils.warnings import PreviewWarning

from work_data_hub.domain.arrivals import Place
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.gates import FOLLOW_UPS, GATES, REJECTS, Gate
from work_data_hub.domain.period import Period
from work_data_hub.domain.report import DomainReport, TableEffect
from work_data_hub.domain.spec import Domain
from work_data_hub.io.arrivals import content_of
from work_data_hub.io.source_files import Found
from work_data_hub.orchestration.layer_facts import (
    UNCHANGED,
    WHY,
    WORKBOOK,
    as_told_before,
    identity_facts,
    known_share,
    reject_facts,
    shown,
    total_facts,
)
from work_data_hub.orchestration.plan_shown import differences_line, differences_table

RAW, BRONZE, SILVER, GOLD = "raw", "bronze", "silver", "gold"
LAYERS = (BRONZE, SILVER, GOLD)
_DATA_VERSION = "dagster/data_version"
LAYER_KINDS = {BRONZE: "pandas", SILVER: "pandas", GOLD: "postgres"}

Told = Output[Any] | AssetMaterialization | AssetObservation | AssetCheckEvaluation
"""What a step may yield."""

MONTHS = MonthlyPartitionsDefinition(start_date="2019-01", fmt="%Y-%m", timezone="Asia/Shanghai", end_offset=1)
"""The months of every file domain, the current one included; their keys are periods as `str` gives them."""


def asset_key(layer: str, domain: str) -> AssetKey:
    """A domain's rows in a layer: annuity_performance/gold; graphs show the last part."""
    return AssetKey([domain, layer])


def period_of(key: str) -> Period:
    """The period of a partition's key."""
    return Period.parse(key.replace("-", ""))


def source_asset(domain: Domain) -> AssetSpec:
    """The workbooks of a domain, which others write: seen by what they hold, never made here."""
    return AssetSpec(
        key=asset_key(RAW, domain.name),
        group_name=domain.name,
        description=(
            f"{domain.title}: the month's workbook, as it arrived. Others write it; it is seen, never made here. "
            "An observation names the file, its version, and why it was taken. The sensor `workbook_arrivals` "
            "looks, and plans the month, or loads it where `on_arrival: execute` says so."
        ),
        kinds={"excel"},
        partitions_def=MONTHS,
    )


def workbook_seen(at: Place, found: Found) -> AssetObservation:
    """What there is of a month's workbooks: which, why these, and what they hold, as their data version."""
    many = {f"workbook {number}": MetadataValue.path(file.path) for number, file in enumerate(found.files, start=1)}
    return AssetObservation(
        asset_key=asset_key(RAW, at.domain),
        partition=str(at.period),
        description=found.reason,
        metadata=many | {"version": found.files[0].version, "why this one": found.reason},
        tags={_DATA_VERSION: content_of(found)},
    )


def check_specs(domain: Domain) -> list[AssetCheckSpec]:
    """The gates of a domain's loads, on its table."""
    gold, told = asset_key(GOLD, domain.name), {**GATES, FOLLOW_UPS: "every hook that the load waits for has run"}
    with warnings.catch_warnings():
        # Said once for every check: Dagster may still change how checks by month are shown.
        warnings.simplefilter("ignore", PreviewWarning)
        return [
            AssetCheckSpec(name, asset=gold, description=text, partitions_def=MONTHS) for name, text in told.items()
        ]


def descriptions(domain: Domain) -> dict[str, str]:
    """What each layer of a domain holds."""
    return {
        BRONZE: f"{domain.title}: the sheet's cells as they were read. Nothing is changed or left out yet.",
        SILVER: (
            f"{domain.title}: cleaned rows, each with its company. Rejected rows are set aside; `{WHY}` of a month "
            "says which rule they broke and where, `% of rows with a known company` how well names were found."
        ),
        GOLD: (
            f"{domain.title}: the table {domain.table}. A month is green when it is in, whole, in one transaction; "
            "grey when it is not. Choose a month under Partitions: from which workbook it is, what changed, "
            f"`{WHY}` and `{WORKBOOK}`, the sums of what was loaded. Checks say what the load was held to; "
            "Materialize loads a month, several months are a backfill. A plan is an observation, and writes nothing."
        ),
    }


def gold_metadata(domain: Domain) -> dict[str, Any]:
    """What is always true of a domain's table."""
    return {"dagster/table_name": domain.table, "dagster/column_schema": column_schema(domain)}


def column_schema(domain: Domain) -> TableSchema:
    """The domain's table as Dagster shows it: every column with its type, its note and whether it may be blank."""
    return TableSchema(
        columns=[
            TableColumn(
                name=column.name,
                type=column.postgres_type,
                description=column.note or None,
                constraints=TableColumnConstraints(nullable=column.nullable),
            )
            for column in domain.stored
        ]
    )


def tell_layer(context: OpExecutionContext, layer: str, report: DomainReport, *, is_in: bool) -> Iterator[Told]:
    """Say how a layer stands: a materialization where the month is in, else an observation, which makes none green.

    A step that runs as part of assets says so with its output, which is what Dagster makes the event of.
    """
    key, month = asset_key(layer, report.domain), month_of(context, report)
    metadata = _metadata(layer, report)
    if report.status == UNCHANGED:
        metadata = as_told_before(context.instance, key, month, metadata) | metadata
    if not is_in:
        description = differences_line(report) if layer == GOLD else None
        yield AssetObservation(asset_key=key, partition=month, metadata=metadata, description=description)
    elif context.has_assets_def:
        yield Output(None, layer, metadata=metadata)
    else:
        yield AssetMaterialization(asset_key=key, partition=month, metadata=metadata)


def tell_gates(
    context: OpExecutionContext, report: DomainReport, gates: Sequence[Gate]
) -> Iterator[AssetCheckEvaluation]:
    """Put verdicts beside the month of the domain's table."""
    for gate in gates:
        yield AssetCheckEvaluation(
            asset_key=asset_key(GOLD, report.domain),
            check_name=gate.name,
            passed=gate.passed,
            severity=AssetCheckSeverity.ERROR if gate.stops else AssetCheckSeverity.WARN,
            description=gate.text,
            metadata=_gate_facts(gate, report),
            partition=month_of(context, report),
        )


def _gate_facts(gate: Gate, report: DomainReport) -> dict[str, MetadataValue]:
    facts = {**gate.facts, **(reject_facts(report) if gate.name == REJECTS else {})}
    return {name: shown(value) for name, value in facts.items()}


def _metadata(layer: str, report: DomainReport) -> dict[str, MetadataValue]:
    facts: dict[str, Any] = {"status": report.status}
    if layer == BRONZE:
        facts |= {"dagster/partition_row_count": report.rows_read} | _file_facts(report)
    if layer == SILVER:
        facts |= _silver_facts(report)
    if layer == GOLD:
        facts |= _load_facts(report)
    return {name: shown(value) for name, value in facts.items()}


def _silver_facts(report: DomainReport) -> dict[str, Any]:
    sha256 = {"sha256": report.files[0].sha256} if report.files else {}
    counts = {
        "dagster/partition_row_count": report.rows_read - report.rows_rejected,
        "rows rejected": report.rows_rejected,
    }
    if report.status == UNCHANGED:
        return counts | sha256
    return (
        counts | {"names without a company": report.unresolved} | identity_facts(report) | reject_facts(report) | sha256
    )


def _file_facts(report: DomainReport) -> dict[str, Any]:
    """Which workbooks, and which version of them."""
    many = {f"workbook {at}" if at > 1 else "workbook": Path(one.path) for at, one in enumerate(report.files, start=1)}
    first = report.files[0] if report.files else None
    told = {"sheet": first.sheet, "version": first.version, "sha256": first.sha256} if first else {}
    return {**many, **told, "why this one": report.reason}


def _load_facts(report: DomainReport) -> dict[str, Any]:
    table = report.tables[0] if report.tables else TableEffect(table=DOMAINS[report.domain].table)
    counts = {"rows read": report.rows_read, "rows rejected": report.rows_rejected}
    known = ({"load id": report.load_id} if report.load_id else {}) | _file_facts(report)
    if report.status == UNCHANGED:
        in_table = {"dagster/partition_row_count": report.rows_read - report.rows_rejected}
        return in_table | known | counts
    return {
        # A plan leaves the table as it is, and so says nothing of it.
        **({"dagster/partition_row_count": report.rows_in_month} if report.load_id else {}),
        **known,
        **counts,
        **reject_facts(report),
        **({"differences": MetadataValue.md(differences_table(report))} if report.tables else {}),
        "rows inserted": table.inserted,
        "rows deleted": table.deleted,
        "rows unchanged": table.unchanged,
        **{f"{effect.table} added": effect.inserted for effect in report.references},
        **total_facts(report),
        **known_share(report),
        "seconds": round(sum(report.seconds.values()), 3),
        "warnings": list(report.warnings),
    }


def month_of(context: OpExecutionContext, report: DomainReport) -> str | None:
    """The partition: that of the run, else the month that the rows have."""
    if context.has_partition_key:
        return context.partition_key
    return str(Period.parse(report.period)) if report.period else None
