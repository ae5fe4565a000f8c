"""The customer master as Dagster judges it: the verdicts of `wdh customer-mdm validate`, as checks on its assets."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetKey,
    AssetSelection,
    DefaultSensorStatus,
    RunRequest,
    RunsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
    in_process_executor,
    multi_asset_check,
)

from work_data_hub.domain.customers.year_checks import YearCheck
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.customer_checks import newest_change
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.postgres import reading_cursor
from work_data_hub.orchestration.customer_year import validate_year
from work_data_hub.orchestration.dagster_instance import WAREHOUSE_POOL
from work_data_hub.orchestration.launched_runs import UNDER_WAY
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.platform_assets import CONTRACTS, MASTER, SNAPSHOTS
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import get_settings

JUDGED: dict[str, AssetKey] = {
    "strategic_share": CONTRACTS,
    "existing_share": CONTRACTS,
    "no_overlaps": CONTRACTS,
    "one_open_version": CONTRACTS,
    "status_year": CONTRACTS,
    "no_orphans": CONTRACTS,
    "contracts_equal_facts": CONTRACTS,
    "product_lines_known": CONTRACTS,
    "months_synced": CONTRACTS,
    "snapshots_equal_history": SNAPSHOTS,
    "snapshot_sums": SNAPSHOTS,
    "master_equals_facts": MASTER,
}
"""On which asset each verdict stands."""

# A year like no other is no fault of the data.
_ONLY_WARN = ("strategic_share", "existing_share")
LOOK_SECONDS = 60


# In the pool of loads: never judged between a load and its hooks.
@multi_asset_check(specs=[AssetCheckSpec(name, asset=key) for name, key in JUDGED.items()], pool=WAREHOUSE_POOL)
def customer_checks() -> Iterator[AssetCheckResult]:
    """All verdicts on the newest year, judged at one moment: by a click, or when `customer_master_changes` asks.

    Fails with a sentence where there is no warehouse, and where it has no contracts; it makes neither.
    """
    settings = get_settings()
    verdict = validate_year(None, workplace(settings, execute=False), rules=load_customer_rules(settings.config_dir))
    yield from (_result(check, year=verdict.year) for check in verdict.checks)


customer_checks_job = define_asset_job(
    "customer_checks_job",
    selection=AssetSelection.checks(customer_checks),
    executor_def=in_process_executor,
    description="Judges the customer master: shares, versions, snapshots, sums.",
)


def customer_sensor() -> SensorDefinition:
    """A sensor that has the customer master judged after whatever changed it."""
    return SensorDefinition(
        name="customer_master_changes",
        job=customer_checks_job,
        evaluation_fn=ask_for_verdicts,
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=DefaultSensorStatus.RUNNING,
        description="A load, its hooks or customer-mdm changed the customer master: has its checks judged.",
    )


def ask_for_verdicts(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    """A run of the checks once for each change, when no load is under way that is about to change more."""
    try:
        change = _newest_change(workplace(get_settings(), execute=False))
    except WorkDataHubError as error:
        return SkipReason(str(error))
    if change is None:
        return SkipReason("there are no contracts to judge")
    if change == context.cursor:
        return SkipReason("nothing has changed since it was judged")
    loading = RunsFilter(statuses=UNDER_WAY, tags={"wdh/mode": "execute"})
    if context.instance.get_runs_count(loading):
        return SkipReason("a load is under way; judged when it is over")
    return SensorResult(run_requests=[RunRequest(run_key=change)], cursor=change)


def _newest_change(place: Workplace) -> str | None:
    if place.database_url is None:
        return None
    with reading_cursor(place.database_url, application_name="wdh customer changes") as cursor:
        return newest_change(cursor)


def _result(check: YearCheck, *, year: int) -> AssetCheckResult:
    return AssetCheckResult(
        asset_key=JUDGED[check.name],
        check_name=check.name,
        passed=check.passed,
        severity=AssetCheckSeverity.WARN if check.name in _ONLY_WARN else AssetCheckSeverity.ERROR,
        description=f"{check.expected}: {check.seen}",
        metadata={"year": year, "seen": check.seen, "examples": list(check.examples)},
    )
