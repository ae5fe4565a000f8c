"""Freshness by month on a real ledger: red once a month is late, green when it comes in, never red for nothing."""

from datetime import UTC, datetime

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetSelection,
    DagsterInstance,
    Definitions,
    build_sensor_context,
    define_asset_job,
    in_process_executor,
)
from tests.hub import DOMAIN, Hub
from tests.known_companies import know_everybody

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.io.postgres import Connection
from work_data_hub.orchestration.definitions import defs
from work_data_hub.orchestration.file_assets import GOLD, asset_key
from work_data_hub.orchestration.month_checks import MONTH_IS_IN, month_checks, month_sensor
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

# The 10th begins in Shanghai eight hours before it does in UTC.
JUST_BEFORE, DUE = datetime(2024, 12, 9, 15, 59, tzinfo=UTC), datetime(2024, 12, 9, 16, tzinfo=UTC)


class Watch:
    """The sensor, ticked by hand at moments of the test's choice, with the cursor it left."""

    def __init__(self) -> None:
        self.cursor: str | None = None

    def tick(self, now: datetime) -> dict[str, AssetCheckEvaluation]:
        """What one look tells, by domain."""
        told = month_sensor(lambda: now).evaluate_tick(build_sensor_context(cursor=self.cursor))
        self.cursor = told.cursor
        return {one.asset_key.path[0]: one for one in told.asset_events if isinstance(one, AssetCheckEvaluation)}


def test_a_warehouse_without_months_has_nothing_late(in_hub: Hub) -> None:
    told = Watch().tick(DUE)

    assert {domain: one.passed for domain, one in told.items()} == dict.fromkeys(DOMAINS, True)
    assert {one.check_name for one in told.values()} == {MONTH_IS_IN}


def test_a_month_is_late_from_the_tenth_in_shanghai_and_in_once_it_is_loaded(in_hub: Hub) -> None:
    in_hub.sample(period="202410")
    in_hub.etl("--execute")
    watch = Watch()
    watch.tick(JUST_BEFORE)

    late = watch.tick(DUE)
    again = watch.tick(DUE)
    in_hub.sample(period="202411")
    in_hub.etl("--execute", period="202411")
    here = watch.tick(DUE)

    assert set(late) == {DOMAIN}
    assert (late[DOMAIN].passed, late[DOMAIN].metadata["month"].value) == (False, "2024-11")
    assert "2024-11 was due on 2024-12-10 and is not in" in (late[DOMAIN].description or "")
    assert again == {}
    assert (here[DOMAIN].passed, here[DOMAIN].description) == (True, "2024-11 is in")


def test_a_load_of_references_alone_brings_no_month_in(in_hub: Hub) -> None:
    in_hub.sample(period="202411")
    in_hub.etl("--execute", "--skip-facts", period="202411")

    assert "no month has been loaded yet" in (Watch().tick(DUE)[DOMAIN].description or "")


def test_a_change_of_companies_in_all_months_is_no_month(in_hub: Hub, warehouse: Connection) -> None:
    in_hub.sample(period="202411")
    in_hub.etl("--execute", period="202411")
    know_everybody(warehouse)
    assert in_hub.wdh("identity", "apply", "--execute").code == 0
    assert in_hub.query("select count(*) from ledger.loads where period is null and rows_updated > 0") == [(1,)]

    assert (Watch().tick(DUE)[DOMAIN].description or "") == "2024-11 is in"


def test_a_click_on_the_check_says_the_same(in_hub: Hub) -> None:
    in_hub.sample(period="202410")
    in_hub.etl("--execute")
    checks = month_checks(lambda: DUE)
    job = define_asset_job("clicked", selection=AssetSelection.checks(checks), executor_def=in_process_executor)
    here = Definitions(assets=defs.assets, asset_checks=[checks], jobs=[job], resources=defs.resources)

    with DagsterInstance.ephemeral() as instance:
        result = here.resolve_job_def("clicked").execute_in_process(instance=instance)

    seen = {one.asset_key: one for one in result.get_asset_check_evaluations()}
    assert set(seen) == {asset_key(GOLD, domain) for domain in DOMAINS}
    assert [key for key, one in seen.items() if not one.passed] == [asset_key(GOLD, DOMAIN)]


def test_a_warehouse_that_does_not_answer_is_said(in_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    get_settings.cache_clear()

    told = month_sensor(lambda: DUE).evaluate_tick(build_sensor_context())

    assert "WAREHOUSE_ERROR" in (told.skip_message or "")
