"""One graph, two faces: months as assets show what jobs and the command line loaded, and Materialize loads the same."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import AssetCheckSeverity, AssetKey, DagsterInstance, ExecuteInProcessResult
from tests.hub import DOMAIN, Hub

from work_data_hub.domain.gates import COMPANIES as NAMED
from work_data_hub.domain.gates import FOLLOW_UPS, GATES, REJECTS, ROWS, SHRINK, TOTALS, USABLE
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import LAYERS, RAW, asset_key
from work_data_hub.orchestration.hooks import POST_ETL_HOOKS
from work_data_hub.orchestration.layer_facts import KNOWN
from work_data_hub.orchestration.month_checks import MONTH_IS_IN
from work_data_hub.orchestration.platform_assets import (
    COMPANIES,
    CONTRACTS,
    HOOK_ASSETS,
    REFERENCES,
    SNAPSHOTS,
    platform_assets,
)

GOLD = asset_key(LAYERS[-1], DOMAIN)
KEYS = [asset_key(layer, DOMAIN) for layer in LAYERS]


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def materialized(instance: DagsterInstance, key: AssetKey = GOLD) -> set[str]:
    return instance.get_materialized_partitions(key)


def by_job(instance: DagsterInstance, **config: object) -> ExecuteInProcessResult:
    return defs.get_job_def(f"{DOMAIN}_job").execute_in_process(
        instance=instance,
        run_config={"ops": {"find": {"config": {"period": "202410", **config}}}},
        raise_on_error=False,
    )


def by_materialize(instance: DagsterInstance, month: str = "2024-10", **config: object) -> ExecuteInProcessResult:
    """What a click on Materialize does."""
    given = {f"{DOMAIN}_graph": {"ops": {"find": {"config": config}}}} if config else {}
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=instance, partition_key=month, asset_selection=KEYS, run_config={"ops": given}, raise_on_error=False
    )


@pytest.mark.integration
def test_a_plan_turns_no_month_green(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    assert by_job(instance).success
    assert by_materialize(instance, execute=False).success

    assert [materialized(instance, layer) for layer in KEYS] == [set(), set(), set()]
    observed = instance.fetch_observations(GOLD, limit=5).records
    assert {record.partition_key for record in observed} == {"2024-10"}
    assert in_hub.query("select count(*) from business.规模明细") == [(0,)]


@pytest.mark.integration
def test_a_load_of_the_job_and_a_click_on_materialize_say_the_same(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    assert by_materialize(instance).success
    clicked = instance.fetch_materializations(GOLD, limit=1).records[0].asset_materialization
    assert by_job(instance, execute=True, force=True).success
    loaded = instance.fetch_materializations(GOLD, limit=1).records[0].asset_materialization

    assert clicked
    assert loaded
    assert materialized(instance) == {"2024-10"}
    # Of the same rows; the second load replaces them by their equals.
    same = ("dagster/partition_row_count", "rows read", "workbook", "sum 供款")
    assert [clicked.metadata[name] for name in same] == [loaded.metadata[name] for name in same]
    assert in_hub.query("select count(*) from ledger.loads") == [(2,)]


@pytest.mark.integration
def test_every_gate_of_a_load_shows_on_its_month(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    result = by_materialize(instance)

    seen = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert set(seen) == {*GATES, FOLLOW_UPS, MONTH_IS_IN}
    # Freshness is of the table, not of the month that was loaded.
    assert {name: one.partition for name, one in seen.items()} == dict.fromkeys(seen, "2024-10") | {MONTH_IS_IN: None}
    rows = seen[ROWS].metadata
    assert rows["read"].value == in_hub.query("select rows_read from ledger.loads")[0][0]
    assert not seen[NAMED].passed
    assert {name for name, one in seen.items() if not one.passed} <= {NAMED, "values_known", MONTH_IS_IN}


@pytest.mark.integration
def test_what_a_load_fills_beside_its_table_is_shown_for_its_month(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    by_job(instance, execute=True)

    filled = {
        key.to_user_string(): materialized(instance, key) for key in (REFERENCES, COMPANIES, CONTRACTS, SNAPSHOTS)
    }
    assert set(map(frozenset, filled.values())) == {frozenset({"2024-10"})}, filled


@pytest.mark.unit
def test_every_hook_fills_an_asset_that_is_there() -> None:
    assert {hook.name for hook in POST_ETL_HOOKS} == set(HOOK_ASSETS)
    assert set(HOOK_ASSETS.values()) <= {spec.key for spec in platform_assets()}


@pytest.mark.integration
def test_a_refused_load_shows_the_gate_it_did_not_pass(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample(faults=["text_in_amount"])

    result = by_materialize(instance)

    (refused,) = result.get_asset_check_evaluations()
    assert (result.success, refused.check_name, refused.passed) == (False, REJECTS, False)
    assert "rows rejected" in (refused.description or "")
    assert [materialized(instance, layer) for layer in KEYS] == [set(), set(), set()]
    seen = instance.fetch_observations(KEYS[1], limit=1).records[0].asset_observation
    assert seen
    assert "WDH-V201" in str(seen.metadata["why rejected"].value)


@pytest.mark.integration
def test_a_workbook_of_another_month_turns_nothing_green(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    shutil.copytree(in_hub.data / "202410", in_hub.data / "202411")

    result = by_materialize(instance, "2024-11")

    assert [one.check_name for one in result.get_asset_check_evaluations()] == [USABLE]
    assert [materialized(instance, layer) for layer in KEYS] == [set(), set(), set()]


@pytest.mark.integration
def test_a_load_that_leaves_the_facts_out_turns_nothing_green(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    result = by_materialize(instance, skip_facts=True)

    assert result.success
    assert [materialized(instance, layer) for layer in KEYS] == [set(), set(), set()]
    assert not {ROWS, SHRINK} & {one.check_name for one in result.get_asset_check_evaluations()}
    seen = instance.fetch_observations(GOLD, limit=1).records[0].asset_observation
    assert seen
    assert "the facts were left out" in (seen.description or "")


@pytest.mark.integration
def test_a_table_that_swallows_a_row_is_refused_and_said(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()
    in_hub.act(
        "create function public.swallow() returns trigger language plpgsql as $$ begin return null; end $$",
        "create trigger swallow before insert on business.规模明细 for each row when (new._source_row = 7)"
        " execute function public.swallow()",
    )

    result = by_materialize(instance)

    (refused,) = result.get_asset_check_evaluations()
    assert (result.success, refused.check_name, refused.passed) == (False, ROWS, False)
    assert "ROWS_NOT_KEPT" in (refused.description or "")
    assert in_hub.query("select (select count(*) from business.规模明细), (select count(*) from ledger.loads)") == [
        (0, 0)
    ]


@pytest.mark.integration
def test_each_layer_tells_its_rows_and_a_month_that_is_added_to_all_of_them(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample(faults=["text_in_amount"])
    by_materialize(instance, max_rejects="5%")
    ((read, rejected, held),) = in_hub.query(
        "select rows_read, rows_rejected, (select count(*) from business.规模明细) from ledger.loads"
    )

    assert [numbers(instance, key)["dagster/partition_row_count"] for key in KEYS] == [read, read - rejected, held]
    assert held == read - rejected > 0

    in_hub.sample(rows=50)
    by_job(instance, execute=True, mode="append")

    ((more,),) = in_hub.query("select count(*) from business.规模明细")
    assert numbers(instance, GOLD)["dagster/partition_row_count"] == more > held


@pytest.mark.integration
def test_a_month_that_was_let_shrink_is_a_warning(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample(rows=300)
    by_materialize(instance)
    in_hub.sample(rows=60)

    result = by_materialize(instance, allow_shrink=True)

    seen = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert (seen[SHRINK].passed, seen[SHRINK].severity) == (False, AssetCheckSeverity.WARN)
    assert "fewer than a load may leave unasked" in (seen[SHRINK].description or "")
    assert seen[TOTALS].description == "the workbook states no totals"


@pytest.mark.integration
def test_a_month_says_what_was_rejected_and_why(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample(faults=["text_in_amount"])

    result = by_materialize(instance, max_rejects="5%")

    gold, silver = (
        instance.fetch_materializations(key, limit=1).records[0].asset_materialization for key in (GOLD, KEYS[1])
    )
    assert gold
    assert silver
    for told in (gold.metadata, silver.metadata):
        assert told["rows rejected"].value == 3
        assert "| WDH-V201 金额无法识别 · number not recognised |" in str(told["why rejected"].value)
    workbook = Path(str(gold.metadata["rejected rows"].value))
    assert workbook.is_file()
    borne = next(one for one in result.get_asset_check_evaluations() if one.check_name == REJECTS)
    assert (borne.passed, borne.metadata["rejected rows"].value) == (False, str(workbook))
    assert "金额无法识别 · number not recognised (WDH-V201) 3" in (borne.description or "")


@pytest.mark.integration
def test_shares_of_known_companies_and_differences_to_stated_totals_are_numbers(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample(faults=["total_rows"])

    assert by_materialize(instance).success

    gold, silver = numbers(instance, GOLD), numbers(instance, KEYS[1])
    rows = {name: number for name, number in silver.items() if name.startswith("rows by ")}
    asked = sum(rows.values()) - rows["rows by excluded"]
    known = asked - rows["rows by temporary_id"] - rows["rows by unresolved"]
    assert silver[KNOWN] == gold[KNOWN] == round(100 * known / asked, 2)
    assert gold["stated totals compared"] > 0
    assert gold["difference to stated 供款"] == 0


def numbers(instance: DagsterInstance, key: AssetKey) -> dict[str, float]:
    """What the newest event of an asset has to plot."""
    event = instance.fetch_materializations(key, limit=1).records[0].asset_materialization
    assert event
    return {name: one.value for name, one in event.metadata.items() if isinstance(one.value, int | float)}


@pytest.mark.integration
def test_a_workbook_that_cannot_be_used_is_said_on_its_month(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample(faults=["missing_column"])
    refused = by_materialize(instance)
    in_hub.sample(period="202410")
    accepted = by_materialize(instance)

    (seen,) = refused.get_asset_check_evaluations()
    assert (seen.check_name, seen.passed, seen.partition) == (USABLE, False, "2024-10")
    assert "HEADINGS_MISSING" in (seen.description or "")
    assert {one.check_name: one.passed for one in accepted.get_asset_check_evaluations()}[USABLE]


@pytest.mark.integration
def test_the_workbook_of_a_run_is_observed_with_its_content(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    by_job(instance)

    (record,) = instance.fetch_observations(asset_key(RAW, DOMAIN), limit=2).records
    seen = record.asset_observation
    assert seen
    assert seen.partition == "2024-10"
    assert (seen.tags or {})["dagster/data_version"]
    assert "V2" in (seen.description or "")


@pytest.mark.integration
def test_a_month_found_unchanged_still_shows_what_its_load_showed(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample(faults=["text_in_amount"])
    by_materialize(instance, max_rejects="5%")
    by_materialize(instance, max_rejects="5%")

    again, first = (record.asset_materialization for record in instance.fetch_materializations(GOLD, limit=2).records)
    assert again
    assert first
    kept = {name: value for name, value in first.metadata.items() if name != "status"}
    assert {name: again.metadata[name] for name in kept} == kept
    assert [one.metadata["status"].value for one in (first, again)] == ["loaded", "unchanged"]


@pytest.mark.integration
def test_a_month_that_is_unchanged_is_green_in_an_instance_that_did_not_load_it(
    in_hub: Hub, instance: DagsterInstance
) -> None:
    in_hub.sample()
    in_hub.etl("--execute")

    assert by_materialize(instance).success

    assert materialized(instance) == {"2024-10"}
    assert in_hub.query("select count(*) from ledger.loads") == [(1,)]


@pytest.mark.integration
def test_a_partition_and_another_month_in_the_configuration_are_refused(in_hub: Hub, instance: DagsterInstance) -> None:
    in_hub.sample()

    result = by_materialize(instance, "2024-11", period="202410")

    failure = next(event for event in result.all_events if event.is_step_failure)
    assert "the run is for 202411" in failure.step_failure_data.error_display_string
