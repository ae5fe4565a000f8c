"""Loads that find their companies: through the registry, from what was learned, and without either."""

import logging
from dataclasses import replace

import pytest
from psycopg2 import sql
from tests.hub import Hub

from work_data_hub.domain.sample.companies import SampleCompany, company_universe
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.io.sample_drop import write_sample_drop

pytestmark = pytest.mark.integration

FROM_INDEX = ("index_plan_code", "index_customer_name", "index_plan_customer", "index_former_name")
_QUICK = {"WDH_EQC_RATE_LIMIT": "100000", "WDH_EQC_RATE_LIMIT_WINDOW": "1", "WDH_EQC_RUN_SECONDS": "120"}


@pytest.fixture(scope="module")
def universe() -> tuple[SampleCompany, ...]:
    return company_universe()


@pytest.fixture
def registry(universe: tuple[SampleCompany, ...]) -> Simulator:
    return Simulator(universe)


def at(hub: Hub, url: str, **extra: str) -> Hub:
    return replace(hub, extra={**_QUICK, "WDH_EQC_BASE_URL": url, "WDH_EQC_TOKEN": SAMPLE_TOKEN, **extra})


def companies(hub: Hub) -> list[tuple[object, ...]]:
    return hub.query(
        'select _source_sheet, _source_row, company_id, "期末资产规模" from business."规模明细" order by 1, 2'
    )


def sums(hub: Hub) -> list[tuple[object, ...]]:
    return hub.query('select company_id, sum("期末资产规模"), count(*) from business."规模明细" group by 1 order by 1')


def temporary(hub: Hub) -> set[str]:
    found = hub.query('select distinct "客户名称" from business."规模明细" where company_id like \'IN%\'')
    return {name for (name,) in found}


def test_the_second_load_of_a_month_finds_the_same_companies_without_asking(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=400)
    with registry.serving() as url:
        first = at(hub, url).etl("--execute")
        before, asked = companies(hub), registry.count()
        second = at(hub, url).etl("--execute", "--force")

        assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
        assert registry.count() == asked > 0
    assert companies(hub) == before
    by_source = second.domain["identity"]["by_source"]
    decided = sum(by_source[source] for source in by_source if source not in ("unresolved", "excluded"))
    known = decided - by_source["temporary_id"] - by_source["plan_override"] - by_source["name_override"]
    assert sum(by_source[source] for source in FROM_INDEX) >= 0.99 * known > 0
    assert second.domain["identity"]["registry"]["asked"] == 0
    assert first.domain["tables"][0]["inserted"] == second.domain["tables"][0]["unchanged"]


def test_what_was_asked_is_stored_and_learned_with_the_load(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=200)
    with registry.serving() as url:
        told = at(hub, url).etl("--execute").domain["identity"]

    outcomes = ("accepted", "review", "uncertain", "not_found")
    assert told["registry"]["asked"] == sum(told["registry"].get(outcome, 0) for outcome in outcomes)
    assert told["learned"] > 0
    counts = hub.counts()
    assert counts["enterprise.registry_searches"] == told["registry"]["asked"]
    assert counts["enterprise.base_info"] > 0
    assert counts["enterprise.enrichment_index"] >= told["learned"]
    raw = hub.query("select count(*) from enterprise.base_info where raw_data is not null and data_source = 'search'")
    assert raw == [(counts["enterprise.base_info"],)]
    learned = hub.query("select count(*) from enterprise.enrichment_index where company_id like 'IN%'")
    assert learned == [(0,)]


def test_a_plan_asks_nobody_and_writes_nothing(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=100)
    with registry.serving() as url:
        before = hub.counts()
        planned = at(hub, url).etl()

        assert planned.code == 0
        assert registry.count() == 0
    assert hub.counts() == before
    assert any("registry" in line for line in planned.domain["quality"]["not_checked"])


def test_without_a_registry_names_are_queued_and_the_report_says_so(hub: Hub) -> None:
    hub.sample(rows=100)
    told = hub.etl("--execute").domain

    names = len(temporary(hub))
    assert told["identity"]["queued"] == names > 0
    assert hub.query("select count(*) from enterprise.enrichment_requests where status = 'pending'") == [(names,)]
    assert any("WDH_EQC_BASE_URL" in line for line in told["quality"]["warnings"])


def test_no_enrichment_asks_nobody(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=100)
    with registry.serving() as url:
        assert at(hub, url).etl("--execute", "--no-enrichment").domain["identity"]["queued"] > 0
        assert registry.count() == 0


def test_a_load_that_runs_out_of_its_rate_says_how_many_it_asked(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=120)
    slow = {"WDH_EQC_RATE_LIMIT": "5", "WDH_EQC_RATE_LIMIT_WINDOW": "600"}
    with registry.serving() as url:
        told = at(hub, url, **slow).etl("--execute").domain

        use = told["identity"]["registry"]
        assert (use["asked"], use["failed"]) == (registry.count(), 0) == (5, 0)
    assert use["not_asked"] > 0
    assert any("rate limit" in line for line in told["quality"]["warnings"])


def test_a_load_of_references_only_asks_nobody(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=60)
    with registry.serving() as url:
        assert at(hub, url).etl("--execute", "--skip-facts").code == 0
        assert registry.count() == 0


def test_a_plan_of_several_domains_says_that_they_teach_each_other(hub: Hub) -> None:
    write_sample_drop(hub.data, period="202410", rows=60)
    planned = hub.wdh("etl", "--all-domains", "--period", "202410", "--report", "json")

    lines = [" ".join(domain["quality"]["not_checked"]) for domain in planned.report["domains"]]
    assert ["domains before" in line for line in lines] == [False, True, True, True]


@pytest.mark.parametrize("trouble", ["401", "403", "429", "500", "hang", "cut", "not-json", "token-expired"])
def test_whatever_the_registry_does_the_load_ends_and_the_queue_puts_it_right(
    hub: Hub, registry: Simulator, universe: tuple[SampleCompany, ...], trouble: str
) -> None:
    hub.sample(rows=120)
    limits = {"WDH_EQC_RUN_SECONDS": "6", "WDH_EQC_TIMEOUT": "1", "WDH_EQC_RETRY_MAX": "1"}
    with registry.serving() as url:
        registry.fail(trouble)
        loaded = at(hub, url, **limits).etl("--execute")
        assert loaded.code == 0, loaded.stderr
        told = loaded.domain["identity"]
        assert told["by_source"]["registry"] == 0
        assert told["queued"] == len(temporary(hub)) > 0
        assert "registry" in " ".join(loaded.domain["quality"]["warnings"])

        registry.recover()
        drained = at(hub, url).wdh("identity", "queue", "--drain", "--report", "json")
        assert drained.code == 0, drained.stderr
        applied = at(hub, url).wdh("identity", "apply", "--execute", "--report", "json")
        assert applied.code == 0, applied.stderr

    assert not temporary(hub) & {company.full_name for company in universe}
    pending = hub.query("select count(*) from enterprise.enrichment_requests where status in ('pending', 'processing')")
    assert pending == [(0,)]


def test_after_draining_and_applying_sums_are_those_of_a_load_that_knew_at_once(hub: Hub, registry: Simulator) -> None:
    hub.sample(rows=300)
    with registry.serving() as url:
        hub.etl("--execute")
        at(hub, url).wdh("identity", "queue", "--drain")
        hub.wdh("identity", "apply", "--execute")
        late, late_sums = companies(hub), sums(hub)
        at(hub, url).etl("--execute", "--force")

    assert companies(hub) == late
    assert sums(hub) == late_sums


def test_a_token_shows_nowhere(hub: Hub, registry: Simulator, caplog: pytest.LogCaptureFixture) -> None:
    canary = "canary-5f1d0c9a7b-token-of-nobody"
    hub.sample(rows=60)
    shown = []
    with registry.serving() as url, caplog.at_level(logging.DEBUG):
        asking = at(hub, url, WDH_EQC_TOKEN=canary, LOG_LEVEL="DEBUG")
        for command in (
            ("etl", "--domains", "annuity_performance", "--period", "202410", "--execute", "--debug"),
            ("identity", "queue", "--drain"),
            ("registry", "check"),
            ("identity", "refresh", "--all", "--execute"),
        ):
            answer = asking.process(*command)
            shown += [answer.stdout, answer.stderr]
    rows = [str(row) for table in hub.counts() for row in _rows(hub, table)]

    assert any("401" in text or "refuse" in text for text in shown)
    assert canary not in "\n".join((*shown, *rows, caplog.text))
    papers = [path for path in hub.home.rglob("*") if path.is_file()]
    assert not [path for path in papers if canary.encode() in path.read_bytes()]


def _rows(hub: Hub, table: str) -> list[tuple[object, ...]]:
    return hub.query(sql.SQL("select t::text from {} as t").format(sql.Identifier(*table.split(".", 1))))
