"""Every fact table in parts by month: loads, corrections, upserts, companies found later and customers do the same."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from tests.hub import Hub
from tests.known_companies import know_everybody
from tests.same_tables import differences, table_rows

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.io.postgres import connect
from work_data_hub.io.sample_drop import write_sample_drop

pytestmark = pytest.mark.integration

UPSERTED = "sandbox_trustee_performance"


def load(hub: Hub, period: str, *arguments: str, domains: str = ",".join(DOMAINS)) -> None:
    answer = hub.wdh("etl", "--domains", domains, "--period", period, "--execute", *arguments)
    assert answer.code == 0, answer.stderr


def learn_and_apply(hub: Hub) -> int:
    """Tell the index all companies of the sample, and bring the facts up to date; rows that changed."""
    with closing(connect(hub.url, application_name="wdh test")) as connection:
        know_everybody(connection)
    answer = hub.wdh("identity", "apply", "--report", "json", "--execute")
    assert answer.code == 0, answer.stderr
    return int(answer.report["rows"]["changed"])


def lived(hub: Hub, *, after_the_first_load: Callable[[Hub], None]) -> int:
    """What happens to a warehouse in two months."""
    write_sample_drop(hub.data, period="202410", rows=120, versions=("V1",))
    load(hub, "202410")
    after_the_first_load(hub)
    write_sample_drop(hub.data, period="202410", rows=120)
    write_sample_drop(hub.data, period="202411", rows=120, versions=("V1",))
    load(hub, "202410")
    load(hub, "202411")
    load(hub, "202411", "--mode", "upsert", "--force", domains=UPSERTED)
    return learn_and_apply(hub)


def cut(hub: Hub) -> None:
    answer = hub.wdh("db", "partition", "--domains", ",".join(DOMAINS), "--by", "month", "--execute")
    assert answer.code == 0, answer.stderr


def test_everything_does_the_same_over_parts(hub_of: Callable[[str, Path], Hub], tmp_path: Path) -> None:
    whole, in_parts = hub_of("whole", tmp_path / "one"), hub_of("parts", tmp_path / "two")

    changed = lived(whole, after_the_first_load=lambda hub: None)

    assert lived(in_parts, after_the_first_load=cut) == changed > 0
    wanted = table_rows(whole)
    assert wanted["customer.fct_customer_plan_monthly"]
    assert differences(wanted, table_rows(in_parts)) == {}
