"""What several domains fill together, as Dagster shows it: reference rows, companies, contracts, snapshots, views."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dagster import AssetKey, AssetMaterialization, AssetSpec, MetadataValue

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.report import DomainReport, HookRun
from work_data_hub.orchestration.file_assets import GOLD, MONTHS, asset_key

REFERENCES, COMPANIES = AssetKey(["reference", "reference_rows"]), AssetKey(["identity", "companies"])
CONTRACTS, SNAPSHOTS = AssetKey(["customer", "contracts"]), AssetKey(["customer", "snapshots"])
MASTER, VIEWS = AssetKey(["customer", "master"]), AssetKey(["bi", "views"])

HOOK_ASSETS: Mapping[str, AssetKey] = {
    "contract_status_sync": CONTRACTS,
    "year_init": CONTRACTS,
    "snapshot_refresh": SNAPSHOTS,
    "customer_master": MASTER,
}
"""What each hook fills."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    key: AssetKey
    deps: tuple[AssetKey, ...]
    description: str
    by_month: bool = True


def platform_assets() -> list[AssetSpec]:
    """The assets behind the domains' tables, by month; loads and their hooks say when they filled one."""
    return [
        AssetSpec(
            told.key,
            deps=told.deps,
            group_name=told.key.path[0],
            description=told.description,
            kinds={"postgres"},
            partitions_def=MONTHS if told.by_month else None,
        )
        for told in _told()
    ]


def _told() -> tuple[_Told, ...]:
    named = {name: asset_key(GOLD, name) for name in DOMAINS}
    identified = tuple(named[name] for name, domain in DOMAINS.items() if domain.identity)
    return (
        _Told(
            key=REFERENCES,
            deps=tuple(named.values()),
            description="Tables of mapping, and customer.客户明细: plans, portfolios, customers that facts name.",
        ),
        _Told(key=COMPANIES, deps=identified, description="Which company a name or plan is: index and queue."),
        _Told(
            key=CONTRACTS,
            deps=(named["annuity_performance"], REFERENCES, COMPANIES),
            description="customer.customer_plan_contract: who holds what, since when, in which state.",
        ),
        _Told(
            key=SNAPSHOTS,
            deps=(CONTRACTS, named["annuity_performance"], named["annual_award"], named["annual_loss"]),
            description="The two monthly snapshots: each month as its end saw it.",
        ),
        _Told(
            key=MASTER,
            deps=(CONTRACTS, SNAPSHOTS, named["annuity_performance"], named["annuity_income"]),
            description="customer.客户明细: what is known of each customer, recomputed from contracts and facts.",
        ),
        _Told(
            key=VIEWS,
            deps=(SNAPSHOTS, MASTER, REFERENCES),
            description="The views of schema bi, which Power BI reads: always as current as what is behind them.",
            by_month=False,
        ),
    )


def told_by_hook(run: HookRun, month: str | None) -> Iterator[AssetMaterialization]:
    """The asset that a hook filled; nothing where it failed, or had nothing to do."""
    if run.status != "succeeded" or run.name not in HOOK_ASSETS:
        return
    counts: dict[str, MetadataValue] = {
        f"{table}: {word}": MetadataValue.int(number) if isinstance(number, int) else MetadataValue.text(number)
        for table, words in run.counts.items()
        for word, number in words.items()
    }
    if run.warnings:
        counts["warnings"] = MetadataValue.json(list(run.warnings))
    yield AssetMaterialization(HOOK_ASSETS[run.name], partition=month, metadata=counts)


def told_by_load(report: DomainReport, month: str | None) -> Iterator[AssetMaterialization]:
    """What a load filled beside its own table, if only with what was there already."""
    if report.status != "loaded":
        return
    added = {f"{effect.table} added": effect.inserted for effect in report.references}
    if added:
        yield AssetMaterialization(REFERENCES, partition=month, metadata=_numbers(report, added))
    if report.identity:
        rows = {f"rows by {matcher}": number for matcher, number in report.identity.items()}
        yield AssetMaterialization(COMPANIES, partition=month, metadata=_numbers(report, rows))


def _numbers(report: DomainReport, numbers: Mapping[str, int]) -> dict[str, MetadataValue]:
    shown: dict[str, MetadataValue] = {name: MetadataValue.int(number) for name, number in numbers.items()}
    origin = {"domain": MetadataValue.text(report.domain), "load id": MetadataValue.int(report.load_id or 0)}
    return shown | origin
