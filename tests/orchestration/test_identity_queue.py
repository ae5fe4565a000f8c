"""The queue worked off against a registry over real HTTP: what becomes of each request, whatever goes wrong."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any, TypeAlias

import pytest
from dagster import DagsterInstance
from tests.hub import Hub
from tests.lookup_requests import (
    ask_database,
    change,
    let_leases_end,
    let_rests_end,
    queue_names,
    queue_place,
    watch_queue,
)

from work_data_hub.domain.identity.queue_rules import BELONGS_TO_NOBODY, NO_SUCH_COMPANY, resolved
from work_data_hub.domain.identity.registry_answers import NameAnswer
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.sample.companies import sample_company
from work_data_hub.errors import Interrupted, RegistryRefused, RegistryUnavailable
from work_data_hub.io.company_directory import CompanyDirectory
from work_data_hub.io.directory_access import DirectoryAccess
from work_data_hub.io.lookup_queue import claim, hold, reset_stale, settle, sign_on
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.orchestration.identity_jobs import identity_queue_job
from work_data_hub.orchestration.identity_queue import Drained, drain_queue
from work_data_hub.orchestration.queue_worker import DrainRequest, Registry
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.integration

Clients: TypeAlias = Callable[[], CompanyDirectory]
Drain: TypeAlias = Callable[..., Drained]

HENGTAI, LONGTENG, XINGYE = "北京恒泰电力有限公司", "昆明龙腾烟草有限公司", "上海兴业机械有限公司"
NOBODY = "火星贸易有限公司"
CROWD = tuple(
    f"济南{sign}光{kind}有限公司" for sign in "阳月星晨金银" for kind in ("纺织", "食品", "机床", "药业", "物流")
)
IDS = {name: str(600_000_001 + number) for number, name in enumerate((HENGTAI, LONGTENG, XINGYE, *CROWD))}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator([sample_company(name, company_id=company_id) for name, company_id in IDS.items()])
    with simulator.serving() as url:
        yield simulator, url


@pytest.fixture
def simulator(served: tuple[Simulator, str]) -> Simulator:
    served[0].recover()
    served[0].forget_calls()
    return served[0]


@pytest.fixture
def directory(served: tuple[Simulator, str], simulator: Simulator) -> Clients:
    """A registry's client that gives up soon."""
    access = DirectoryAccess(
        base_url=served[1],
        token=SAMPLE_TOKEN,
        timeout_seconds=5,
        retry_max=0,
        rate_limit=100_000,
        rate_window_seconds=1,
    )
    return lambda: CompanyDirectory(access)


@pytest.fixture
def drain(warehouse_url: str, tmp_path: Path, directory: Clients) -> Drain:
    def run(registry: Registry | None = None, **bounds: Any) -> Drained:
        with closing(directory()) as client:
            return drain_queue(
                DrainRequest(**bounds),
                queue_place(warehouse_url, tmp_path),
                registry=registry or client,
                lease_seconds=60,
            )

    return run


def requests(warehouse: Connection, columns: str = "raw_name, status, attempts") -> list[tuple[Any, ...]]:
    return ask_database(warehouse, f"select {columns} from enterprise.enrichment_requests order by created_at, id")


def test_each_request_is_closed_by_what_the_registry_says(warehouse: Connection, drain: Drain) -> None:
    for name in (HENGTAI, "龙腾烟草有限公司", NOBODY):
        queue_names(warehouse, name)

    done = drain()

    assert requests(warehouse, "status, resolved_company_id, last_error") == [
        ("done", IDS[HENGTAI], None),
        ("done", IDS[LONGTENG], None),
        ("failed", None, NO_SUCH_COMPANY),
    ]
    assert {word: number for word, number in done.counts.items() if number} == {
        "asked": 3,
        "resolved": 1,
        "review": 1,
        "unknown": 1,
    }
    assert (done.error, done.depth.pending) == (None, 0)


def test_what_the_registry_says_is_stored_with_the_request(warehouse: Connection, drain: Drain) -> None:
    queue_names(warehouse, HENGTAI, NOBODY)

    drain()

    searches = "select searched_name, outcome from enterprise.registry_searches order by outcome"
    assert ask_database(warehouse, searches) == [(HENGTAI, "accepted"), (NOBODY, "not_found")]
    index = "select company_id, source from enterprise.enrichment_index where lookup_key = '北京恒泰电力有限公司'"
    assert ask_database(warehouse, index) == [(IDS[HENGTAI], "eqc_api")]


def test_a_name_that_is_known_by_now_is_done_without_asking(
    warehouse: Connection, drain: Drain, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    drain()
    simulator.forget_calls()
    change(warehouse, "delete from enterprise.registry_searches")
    queue_names(warehouse, HENGTAI)

    done = drain()

    assert (done.counts["known"], done.counts["asked"], simulator.count()) == (1, 0, 0)
    assert requests(warehouse, "status, resolved_company_id")[1] == ("done", IDS[HENGTAI])


def test_a_name_that_belongs_to_nobody_is_not_asked_for(
    warehouse: Connection, drain: Drain, simulator: Simulator
) -> None:
    queue_names(warehouse, "保留账户管理")

    drain()

    assert requests(warehouse, "status, last_error") == [("failed", BELONGS_TO_NOBODY)]
    assert simulator.count() == 0


def test_a_refused_token_is_no_requests_fault(warehouse: Connection, drain: Drain, simulator: Simulator) -> None:
    queue_names(warehouse, HENGTAI, LONGTENG)
    simulator.fail("401")

    stopped = drain()

    assert isinstance(stopped.error, RegistryRefused)
    assert stopped.error.exit_code == 7
    assert requests(warehouse, "status, attempts, next_retry_at <= now()") == [("pending", 0, True)] * 2
    simulator.recover()
    assert drain().counts["resolved"] == 2


def test_a_failed_ask_is_repeated_after_one_and_five_minutes_and_then_given_up(
    warehouse: Connection, drain: Drain, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("503")
    seen = []
    for _ in range(3):
        drain()
        seen += requests(warehouse, "status, attempts, extract(epoch from next_retry_at - updated_at)::integer")
        let_rests_end(warehouse)

    assert seen == [("pending", 1, 60), ("pending", 2, 300), ("failed", 3, None)]
    assert "503" in requests(warehouse, "last_error")[0][0]


def test_a_request_that_rests_is_not_asked_for(warehouse: Connection, drain: Drain, simulator: Simulator) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("503", times=1)
    drain()

    again = drain()

    assert (again.counts["asked"], simulator.count()) == (0, 1)


def test_a_registry_that_is_gone_costs_three_asks_and_no_other_request_an_attempt(
    warehouse: Connection, drain: Drain, simulator: Simulator
) -> None:
    queue_names(warehouse, *CROWD[:6])
    simulator.fail("503")

    stopped = drain()

    assert isinstance(stopped.error, RegistryUnavailable)
    assert stopped.counts["retried"] == 3
    assert sorted(requests(warehouse, "status, attempts")) == [("pending", 0)] * 3 + [("pending", 1)] * 3


def test_what_was_given_up_is_asked_for_again_on_request(
    warehouse: Connection, drain: Drain, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("503")
    for _ in range(3):
        drain()
        let_rests_end(warehouse)
    simulator.recover()

    assert drain().counts["asked"] == 0
    assert drain(retry_failed=True).counts["resolved"] == 1


def test_a_drain_stops_at_its_limit(warehouse: Connection, drain: Drain) -> None:
    queue_names(warehouse, *CROWD[:5])

    done = drain(limit=3, batch_size=2)

    assert (done.counts["asked"], done.depth.ready, done.depth.processing) == (3, 2, 0)


def test_a_drain_without_time_gives_back_what_it_took(warehouse: Connection, drain: Drain) -> None:
    queue_names(warehouse, *CROWD[:5])

    done = drain(seconds=0)

    assert (done.counts["asked"], done.depth.ready, done.depth.processing) == (0, 5, 0)


class Meddling:
    """A registry during whose answers something else happens."""

    def __init__(self, client: CompanyDirectory, *, meanwhile: Callable[[], None]) -> None:
        self._client, self._meanwhile = client, meanwhile

    @property
    def is_available(self) -> bool:
        return self._client.is_available

    @property
    def reason(self) -> str | None:
        return self._client.reason

    def look_up(self, name: str, *, rules: IdentityRules) -> NameAnswer:
        answer = self._client.look_up(name, rules=rules)
        self._meanwhile()
        return answer


def test_a_worker_that_lost_its_lease_changes_nothing(warehouse: Connection, drain: Drain, directory: Clients) -> None:
    queue_names(warehouse, HENGTAI)

    def taken_over() -> None:
        let_leases_end(warehouse)
        sign_on(warehouse, worker="other")
        reset_stale(warehouse)
        let_rests_end(warehouse)
        (item,) = claim(warehouse, worker="other", limit=1, lease_seconds=60)
        with transaction(warehouse), warehouse.cursor() as cursor:
            assert hold(cursor, item.request_id, worker="other")
            settle(cursor, item.request_id, resolved("600000999"), worker="other")

    with closing(directory()) as client:
        done = drain(Meddling(client, meanwhile=taken_over))

    assert (done.counts["lost"], done.counts["resolved"]) == (1, 0)
    assert requests(warehouse, "status, resolved_company_id") == [("done", "600000999")]
    assert ask_database(warehouse, "select count(*) from enterprise.registry_searches") == [(0,)]
    assert ask_database(warehouse, "select count(*) from enterprise.enrichment_index") == [(0,)]


def test_a_worker_that_slept_through_its_lease_stores_nothing(
    warehouse: Connection, drain: Drain, directory: Clients
) -> None:
    queue_names(warehouse, HENGTAI)
    with closing(directory()) as client:
        first = drain(Meddling(client, meanwhile=lambda: let_leases_end(warehouse)), limit=1)

    assert (first.counts["lost"], first.counts["asked"]) == (1, 0)
    assert ask_database(warehouse, "select count(*) from enterprise.registry_searches") == [(0,)]


def test_ctrl_c_keeps_what_is_answered_and_gives_back_the_rest(
    warehouse: Connection,
    drain: Drain,
    directory: Clients,
    simulator: Simulator,
) -> None:
    queue_names(warehouse, *CROWD[:5])

    def interrupt() -> None:
        if simulator.count("search") == 3:
            raise KeyboardInterrupt

    with closing(directory()) as client:
        stopped = drain(Meddling(client, meanwhile=interrupt))

    assert isinstance(stopped.error, Interrupted)
    assert stopped.error.exit_code == 130
    assert (stopped.counts["resolved"], stopped.depth.ready, stopped.depth.processing) == (2, 3, 0)
    assert {attempts for (attempts,) in requests(warehouse, "attempts")} == {0}


def test_an_answer_that_cannot_be_stored_does_not_stop_the_queue(warehouse: Connection, drain: Drain) -> None:
    queue_names(warehouse, HENGTAI)
    queue_names(warehouse, LONGTENG)
    change(warehouse, f"alter table enterprise.registry_searches add check (searched_name <> '{HENGTAI}')")

    drain()

    assert requests(warehouse) == [(HENGTAI, "pending", 1), (LONGTENG, "done", 0)]
    assert requests(warehouse, "last_error")[0][0].startswith("the answer could not be stored")


def test_two_drains_at_once_ask_for_every_name_once(warehouse: Connection, drain: Drain, simulator: Simulator) -> None:
    watch_queue(warehouse)
    queue_names(warehouse, *CROWD)
    done: list[Drained] = []
    drains = [Thread(target=lambda: done.append(drain(batch_size=4))) for _ in range(2)]
    for each in drains:
        each.start()
    for each in drains:
        each.join()

    assert simulator.count("search") == len(CROWD)
    assert sum(each.counts["resolved"] for each in done) == len(CROWD)
    audit = "select count(*), count(distinct request_id) from public.queue_audit where became = 'done'"
    assert ask_database(warehouse, audit) == [(len(CROWD), len(CROWD))]


def test_what_a_killed_worker_left_behind_is_taken_over(
    warehouse: Connection, warehouse_url: str, drain: Drain
) -> None:
    queue_names(warehouse, HENGTAI, LONGTENG)
    with closing(connect(warehouse_url)) as other:
        sign_on(other, worker="killed")
        claim(other, worker="killed", limit=50, lease_seconds=3_600)
        assert drain().counts["asked"] == 0
        let_leases_end(warehouse)

        done = drain()

    assert (done.counts["recovered"], done.counts["resolved"]) == (2, 1)
    assert sorted(requests(warehouse, "status, attempts")) == [("done", 0), ("pending", 1)]


@pytest.fixture
def queue_hub(hub: Hub, served: tuple[Simulator, str], simulator: Simulator) -> Hub:
    """A hub whose settings name the simulated registry."""
    hub.extra.update(
        WDH_EQC_BASE_URL=served[1], WDH_EQC_TOKEN=SAMPLE_TOKEN, WDH_EQC_RATE_LIMIT="100000", WDH_EQC_RETRY_MAX="0"
    )
    return hub


def test_the_command_shows_the_queue_and_changes_nothing(warehouse: Connection, queue_hub: Hub) -> None:
    queue_names(warehouse, HENGTAI, NOBODY)
    before = queue_hub.contents()

    shown = queue_hub.wdh("identity", "queue")

    assert shown.code == 0
    assert "pending 2 (2 ready now)" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "next: wdh identity queue --drain"
    assert queue_hub.contents() == before


def test_the_command_drains_and_names_the_next_step(warehouse: Connection, queue_hub: Hub) -> None:
    queue_names(warehouse, HENGTAI, NOBODY)

    drained = queue_hub.wdh("identity", "queue", "--drain")

    assert drained.code == 0
    assert "asked 2 · resolved 1 · review 0 · unknown 1 · retried 0 · gave up 0 · left 0" in drained.stdout
    assert drained.stdout.splitlines()[-1] == "next: wdh identity apply"


def test_the_report_is_one_document(warehouse: Connection, queue_hub: Hub) -> None:
    queue_names(warehouse, HENGTAI)

    report = queue_hub.wdh("identity", "queue", "--drain", "--report", "json").report

    assert (report["command"], report["mode"], report["status"], report["error"]) == (
        "identity queue",
        "drain",
        "ok",
        None,
    )
    assert (report["drained"]["resolved"], report["drained"]["left"], report["depth"]["done"]) == (1, 0, 1)


def test_a_refused_token_is_exit_7_and_shows_what_was_done(
    warehouse: Connection, queue_hub: Hub, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("401")

    refused = queue_hub.wdh("identity", "queue", "--drain", "--report", "json")

    assert refused.code == refused.report["error"]["code"] == 7
    assert "REGISTRY_REFUSED" in refused.stderr
    assert refused.report["drained"]["left"] == 1


def test_without_a_token_nothing_is_drained_and_the_command_says_so(warehouse: Connection, queue_hub: Hub) -> None:
    queue_names(warehouse, HENGTAI)

    refused = queue_hub.wdh("identity", "queue", "--drain", WDH_EQC_TOKEN="")

    assert refused.code == 7
    assert "WDH_EQC_TOKEN is not set" in refused.stderr
    assert requests(warehouse) == [(HENGTAI, "pending", 0)]


@pytest.mark.parametrize("option", [["--limit", "3"], ["--seconds", "3"], ["--retry-failed"]])
def test_an_option_that_only_drains_is_refused_without_drain(queue_hub: Hub, option: list[str]) -> None:
    refused = queue_hub.wdh("identity", "queue", *option)

    assert refused.code == 2
    assert "--drain" in refused.stderr


def test_a_queue_that_is_too_deep_is_told(warehouse: Connection, queue_hub: Hub) -> None:
    change(
        warehouse,
        "insert into enterprise.enrichment_requests (raw_name, normalized_name, normaliser_version, temp_id)"
        " select n::text, n::text, 1, 'INAAAAAAAAAAAAAAAA' from generate_series(1, 10001) as n",
    )

    assert "10,001 names wait, more than 10,000" in queue_hub.wdh("identity", "queue").stdout


def test_what_failed_last_is_shown_with_its_reason(warehouse: Connection, queue_hub: Hub, simulator: Simulator) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("503")
    queue_hub.wdh("identity", "queue", "--drain")

    shown = queue_hub.wdh("identity", "queue").stdout

    assert "next retry" in shown
    assert "503" in next(line for line in shown.splitlines() if HENGTAI in line)


def test_a_drain_with_nothing_ready_says_so(warehouse: Connection, queue_hub: Hub) -> None:
    assert queue_hub.wdh("identity", "queue", "--drain").stdout.splitlines()[-1] == "nothing is ready to be asked for"


def test_a_drain_that_left_requests_resting_says_when_to_come_back(
    warehouse: Connection, queue_hub: Hub, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("503")

    drained = queue_hub.wdh("identity", "queue", "--drain")

    assert drained.code == 0
    assert "retried 1 · gave up 0 · left 1" in drained.stdout
    assert drained.stdout.splitlines()[-1].startswith("next: wdh identity queue --drain, from 20")


@pytest.mark.parametrize("fault", ["401", "403", "429", "503", "cut", "not-json", "wrong-shape", "token-expired"])
def test_the_token_shows_nowhere_whatever_the_registry_does(
    warehouse: Connection, queue_hub: Hub, simulator: Simulator, fault: str
) -> None:
    queue_names(warehouse, *CROWD[:4])
    simulator.fail(fault)

    drained = queue_hub.wdh("identity", "queue", "--drain", "--debug", "--report", "json")

    stored = ask_database(warehouse, "select request::text from enterprise.enrichment_requests as request")
    assert drained.code == 7
    assert SAMPLE_TOKEN not in f"{drained.stdout}{drained.stderr}{stored}"


@pytest.fixture
def in_queue_hub(queue_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """The hub's environment as this process's own."""
    given = queue_hub.environment()
    for name in given:
        if name == "DATABASE_URL" or name.startswith("WDH_"):
            monkeypatch.setenv(name, given[name])
    get_settings.cache_clear()
    yield queue_hub
    get_settings.cache_clear()


def test_the_dagster_job_drains_within_its_limit(warehouse: Connection, in_queue_hub: Hub) -> None:
    queue_names(warehouse, *CROWD[:3])

    with DagsterInstance.ephemeral() as instance:
        result = identity_queue_job.execute_in_process(
            run_config={"ops": {"drain_identity_queue": {"config": {"limit": 2}}}}, instance=instance
        )

    (drained,) = [event for event in result.all_node_events if event.is_successful_output]
    shown = {name: value.value for name, value in drained.step_output_data.metadata.items()}
    assert (shown["asked"], shown["resolved"], shown["left"]) == (2, 2, 1)


def test_the_dagster_job_fails_where_the_registry_refuses(
    warehouse: Connection, in_queue_hub: Hub, simulator: Simulator
) -> None:
    queue_names(warehouse, HENGTAI)
    simulator.fail("401")

    with DagsterInstance.ephemeral() as instance:
        result = identity_queue_job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    assert requests(warehouse) == [(HENGTAI, "pending", 0)]
