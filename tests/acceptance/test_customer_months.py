"""Two years of months in any order, corrected, killed, synced twice at once: one and the same picture of customers."""

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from psycopg2 import sql
from pytest_postgresql.janitor import DatabaseJanitor
from tests.customer_story import EXTRA, StoryMonth, tell_story, told_wrong, write_story
from tests.hub import PROJECT, Hub
from tests.patience import until

from work_data_hub.domain.period import Period
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.postgres import connect
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.requests import FileRequest, Workplace

pytestmark = pytest.mark.integration

STORY = tell_story()
ORDERS = int(os.environ.get("WDH_CHAOS_ORDERS", "1"))
DETAILS = "annuity_performance"
FEW, HALF = 8, 12
WRONG_UNTIL = {2: 4, 5: 11, 8: 9}
"""Months by number that are delivered wrong at first, and the month after which each is corrected."""
LATER_WRONG = {4: 9, 11: 13, 19: 23}
BOOKKEEPING = "{id,created_at,updated_at,_derived_at}"
MASTER = "customer.客户明细"
TABLES = (
    "customer.customer_plan_contract",
    "customer.fct_customer_product_line_monthly",
    "customer.fct_customer_plan_monthly",
    MASTER,
)
SHARES = {"strategic_share", "existing_share"}
OPEN_TWICE = """
    select company_id from customer.customer_plan_contract where valid_to = '9999-12-31'
    group by company_id, plan_code, product_line_code having count(*) > 1
"""
Load = Callable[[Hub, Period, str], None]


def by_hand(hub: Hub, period: Period, domain: str) -> None:
    """Load one domain of a month, its hooks included, without a run in Dagster."""
    place = Workplace(
        data_root=hub.data,
        config_dir=Path(hub.extra["WDH_CONFIG_DIR"]),
        home=hub.home,
        database_url=hub.url,
        alias_salt="test",
        actor="tester",
        today=lambda: date(2025, 3, 1),
    )
    run = FileRun(FileRequest(run_id="story", domain=domain, period=period, execute=True), place)
    with closing(run):
        for stage in (run.find, run.read, run.refine, run.publish, run.follow):
            stage()
    assert [hook.error for hook in run.report().hooks if hook.error] == []


def by_command(hub: Hub, period: Period, domain: str) -> None:
    """Load one domain of a month as users do."""
    done = hub.wdh("etl", "--domains", domain, "--period", period.yyyymm, "--execute")
    assert done.code == 0, done.stderr


def few_strategic(folder: Path) -> dict[str, str]:
    """The configuration, but for how many of the largest contracts are strategic: few, as there are few in all."""
    shutil.copytree(PROJECT / "config", folder)
    rules = folder / "customer_mdm.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("whitelist_top_n: 10", "whitelist_top_n: 1"), encoding="utf-8")
    return {"WDH_CONFIG_DIR": str(folder)}


def story_hub(url: str, folder: Path) -> Hub:
    home = folder / "home"
    home.mkdir(parents=True)
    return Hub(home=home, data=folder / "data", url=url, extra=few_strategic(folder / "config"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A warehouse that knows the story, and what was seen in it after a few months, after half and after all."""

    hub: Hub
    early: dict[str, list[str]]
    halfway: dict[str, list[str]]
    whole: dict[str, list[str]]


@pytest.fixture
def telling(warehouse_url: str, tmp_path: Path) -> Hub:
    """An empty warehouse to tell the story to."""
    return story_hub(warehouse_url, tmp_path / "telling")


@pytest.fixture(scope="module")
def in_order(migrated_template: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """A warehouse that was told the story from its first month to its last."""
    server, name = migrated_template, "wdh_in_order"
    place = {"user": server.user, "host": server.host, "port": server.port, "password": server.password}
    with DatabaseJanitor(dbname=name, template_dbname=server.template_dbname, **place):
        url = f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{name}"
        hub = story_hub(url, tmp_path_factory.mktemp("in_order"))
        tell(hub, loads_of(STORY[:FEW]), load=by_hand)
        early = picture(hub)
        tell(hub, loads_of(STORY[FEW:HALF]), load=by_hand)
        halfway = picture(hub)
        tell(hub, loads_of(STORY[HALF:]), load=by_hand)
        yield Told(hub=hub, early=early, halfway=halfway, whole=picture(hub))


def loads_of(story: Sequence[StoryMonth]) -> list[tuple[StoryMonth, str]]:
    return [(month, domain) for month in story for domain in month.domains]


def tell(hub: Hub, loads: Sequence[tuple[StoryMonth, str]], *, load: Load) -> None:
    """Write the workbooks of all months, and load them in this order."""
    for month in {month.period: month for month, _ in loads}.values():
        write_story(hub.data, month)
    for month, domain in loads:
        load(hub, month.period, domain)


def tell_with_mistakes(hub: Hub, story: Sequence[StoryMonth], *, wrong_until: dict[int, int], load: Load) -> None:
    """Load the months in order, some of them wrong at first and corrected months later."""
    for at, month in enumerate(story):
        write_story(hub.data, told_wrong(month) if at in wrong_until else month)
        for domain in month.domains:
            load(hub, month.period, domain)
        for wrong in (wrong for wrong, end in wrong_until.items() if end == at):
            write_story(hub.data, story[wrong], version="V2")
            load(hub, story[wrong].period, DETAILS)


def shuffled(loads: Sequence[tuple[StoryMonth, str]], *, seed: int) -> list[tuple[StoryMonth, str]]:
    return random.Random(seed).sample(list(loads), len(loads))


def picture(hub: Hub) -> dict[str, list[str]]:
    """All rows of what customers are told by, without when they were written."""
    row = sql.SQL("(to_jsonb(t) - {}::text[])::text").format(sql.Literal(BOOKKEEPING))
    return {
        table: [
            found[0]
            for found in hub.query(
                sql.SQL("select {} from {} as t order by 1").format(row, sql.Identifier(*table.split(".")))
            )
        ]
        for table in TABLES
    }


def broken_checks(hub: Hub, year: int) -> list[str]:
    """The checks of a year that fail, but for the shares: a story of two dozen companies has its own."""
    verdict = hub.wdh("customer-mdm", "validate", "--year", str(year), "--report", "json").report
    assert len(verdict["checks"]) > len(SHARES)
    return [check["name"] for check in verdict["checks"] if not check["passed"] and check["name"] not in SHARES]


def is_sound(hub: Hub) -> bool:
    """Whether every year passes, and neither a rebuild nor another refresh finds anything to do."""
    seen = picture(hub)
    rebuilt = hub.wdh("customer-mdm", "sync", "--rebuild", "--report", "json").report
    again = hub.wdh("customer-mdm", "snapshot", "--period", "202301", "--report", "json").report
    assert (rebuilt["status"], again["status"]) == ("unchanged", "unchanged")
    assert picture(hub) == seen
    years = hub.query("select distinct extract(year from period)::int from customer.contract_periods")
    return [broken_checks(hub, year) for (year,) in years] == [[]] * len(years)


def test_the_story_has_everything_that_can_happen(in_order: Told) -> None:
    flags = "is_strategic is_existing is_new is_new_arrival is_winning_this_year is_loss_reported is_churned_this_year"
    for flag in (*flags.split(), "is_award_only"):
        values = in_order.hub.query(
            sql.SQL("select distinct {} from customer.fct_customer_product_line_monthly").format(sql.Identifier(flag))
        )
        assert len(values) == 2, flag
    versions = "select count(distinct contract_status), count(*) filter (where valid_to < '9999-12-31') > 50"
    assert in_order.hub.query(f"{versions} from customer.customer_plan_contract") == [(2, True)]
    assert is_sound(in_order.hub)


def test_months_in_random_order_give_the_same_customers(in_order: Told, telling: Hub) -> None:
    tell(telling, shuffled(loads_of(STORY[:FEW]), seed=5), load=by_hand)

    assert picture(telling) == in_order.early
    assert is_sound(telling)


def test_months_corrected_later_give_the_same_customers(in_order: Told, telling: Hub) -> None:
    tell_with_mistakes(telling, STORY[:HALF], wrong_until=WRONG_UNTIL, load=by_hand)

    assert picture(telling) == in_order.halfway
    assert not any(EXTRA in row for rows in picture(telling).values() for row in rows)
    assert is_sound(telling)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", range(1, 1 + ORDERS))
def test_any_order_on_the_command_line_gives_the_same_customers(in_order: Told, telling: Hub, seed: int) -> None:
    tell(telling, shuffled(loads_of(STORY), seed=seed), load=by_command)

    assert picture(telling) == in_order.whole
    assert is_sound(telling)


@pytest.mark.chaos
def test_corrections_on_the_command_line_give_the_same_customers(in_order: Told, telling: Hub) -> None:
    tell_with_mistakes(telling, STORY, wrong_until=LATER_WRONG, load=by_command)

    assert picture(telling) == in_order.whole
    assert is_sound(telling)


# -- what goes wrong on the way


def two_months(hub: Hub) -> str:
    """Load a month with its hooks, write the next one with one company more; returns the second's period."""
    first, second = STORY[10], STORY[11]
    tell(hub, [(first, DETAILS)], load=by_hand)
    write_story(hub.data, replace(second, holdings=(*second.holdings, replace(second.holdings[0], company=EXTRA))))
    return second.period.yyyymm


def etl(period: str) -> tuple[str, ...]:
    return ("etl", "--domains", DETAILS, "--period", period, "--execute", "--report", "json")


@pytest.mark.parametrize(
    "point", ["after_contract_lock", "inside_contracts", "before_contract_commit", "before_snapshot_commit"]
)
def test_a_hook_that_was_killed_runs_with_the_same_command_again(telling: Hub, point: str) -> None:
    period = two_months(telling)
    before = picture(telling)[TABLES[0]]

    assert telling.process(*etl(period), WDH_FAULT=point).code == -9
    killed = picture(telling)[TABLES[0]]
    again, third = telling.wdh(*etl(period)), telling.wdh(*etl(period))

    assert (killed == before) is (point != "before_snapshot_commit")
    assert (again.code, again.domain["status"]) == (0, "unchanged"), again.stderr
    assert "succeeded" in {hook["status"] for hook in again.report["hooks"]}
    assert (third.code, third.report["hooks"]) == (0, [])
    assert telling.query("select count(*) from customer.contract_periods where snapshot_is_current") == [(2,)]
    assert telling.query(OPEN_TWICE) == []
    assert is_sound_so_far(telling)


def is_sound_so_far(hub: Hub) -> bool:
    """Whether a rebuild finds nothing to do, and every contract of the newest month is open."""
    rebuilt = hub.wdh("customer-mdm", "sync", "--rebuild", "--report", "json").report
    facts = hub.query(
        "select distinct company_id, 计划代码, 产品线代码 from business.规模明细"
        " where 月度 = (select max(月度) from business.规模明细) and company_id !~ '^IN' order by 1, 2, 3"
    )
    contracts = hub.query(
        "select company_id, plan_code, product_line_code from customer.customer_plan_contract"
        " where valid_to = '9999-12-31' order by 1, 2, 3"
    )
    return rebuilt["status"] == "unchanged" and facts == contracts and len(facts) > 20


def test_two_syncs_at_once_do_the_work_of_one(telling: Hub) -> None:
    period = two_months(telling)
    assert telling.wdh(*etl(period), "--no-post-hooks").code == 0
    command = telling.command("customer-mdm", "sync", "--period", period, "--lock-wait", "60")

    with closing(connect(telling.url, application_name="test")) as holder, holder.cursor() as cursor:
        lock_contracts(cursor, wait_seconds=10)
        syncs = [
            subprocess.Popen(command, env=telling.environment(), cwd=telling.home, stdout=subprocess.DEVNULL)
            for _ in range(2)
        ]
        wait_for_syncs(telling, 2)

    assert [sync.wait(timeout=120) for sync in syncs] == [0, 0]
    assert telling.query(OPEN_TWICE) == []
    assert is_sound_so_far(telling)


def wait_for_syncs(hub: Hub, number: int) -> None:
    """Both have put on record that they run, and wait for the lock."""
    running = "wdh customer-mdm sync %"
    asked = sql.SQL(
        "select count(*) from pg_stat_activity where application_name like {} and query like '%advisory_xact_lock%'"
    ).format(sql.Literal(running))
    until(lambda: hub.query(asked) == [(number,)])


def test_a_fact_of_an_unknown_company_makes_it_a_customer(telling: Hub) -> None:
    period = two_months(telling)
    assert telling.wdh(*etl(period), "--no-post-hooks").code == 0
    with closing(connect(telling.url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("delete from customer.客户明细 where company_id = %s", (EXTRA,))
        assert cursor.rowcount == 1

    done = telling.wdh("customer-mdm", "sync", "--period", period, "--report", "json")

    added = {table["table"]: table["inserted"] for table in done.report["tables"]}
    assert (done.code, added[MASTER]) == (0, 1)
    assert is_sound_so_far(telling)
