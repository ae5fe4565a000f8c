"""What follows a load by itself: named hooks, in this order, after the commit of an executed load."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass

from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.period import Period
from work_data_hub.domain.report import HookRun
from work_data_hub.errors import ConfigError, WorkDataHubError
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.hook_runs import finished_hooks, newest_load, record_hook_run
from work_data_hub.io.postgres import Cursor, connect, transaction, warehouse_errors
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.log import get_logger
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_master import update_master
from work_data_hub.orchestration.customer_snapshots import refresh_monthly_snapshot
from work_data_hub.orchestration.customer_year import init_year
from work_data_hub.orchestration.requests import Workplace

log = get_logger(__name__)

Follow = Callable[[Period, Workplace], CustomerReport | None]
JANUARY = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PostEtlHook:
    """Something done after loads of `domains`.

    `run` gets the month of the load and the place, and gives its report; None where that month asks for
    nothing. One that `needs_period` does not follow a load whose month is unknown.
    """

    name: str
    domains: tuple[str, ...]
    needs_period: bool
    run: Follow


def _sync_contracts(period: Period, place: Workplace) -> CustomerReport:
    return sync_contract_status(period, place, rules=load_customer_rules(place.config_dir))


def _begin_year(period: Period, place: Workplace) -> CustomerReport | None:
    if period.month != JANUARY:
        return None
    return init_year(period.year, place, rules=load_customer_rules(place.config_dir), dry_run=False)


def _refresh_snapshots(period: Period, place: Workplace) -> CustomerReport:
    return refresh_monthly_snapshot(period, place, status_rules=load_status_rules(place.config_dir))


POST_ETL_HOOKS = (
    PostEtlHook(name="contract_status_sync", domains=("annuity_performance",), needs_period=True, run=_sync_contracts),
    PostEtlHook(name="year_init", domains=("annuity_performance",), needs_period=True, run=_begin_year),
    PostEtlHook(
        name="snapshot_refresh",
        domains=("annuity_performance", "annual_award", "annual_loss"),
        needs_period=True,
        run=_refresh_snapshots,
    ),
    PostEtlHook(name="customer_master", domains=("annuity_income",), needs_period=True, run=update_master),
)


def run_post_etl_hooks(
    domain: str,
    period: Period | None,
    console: Callable[[str], None],
    *,
    place: Workplace,
    hooks: Sequence[PostEtlHook] = POST_ETL_HOOKS,
) -> tuple[HookRun, ...]:
    """Run the hooks that follow the newest load of the domain's month, those that need not run again left out.

    `console` hears the name of each before it runs. One that fails does not stop those after it.
    """
    runs: list[HookRun] = []
    if period is None:
        return ()
    for hook in due_hooks(domain, period, place=place, hooks=hooks):
        console(hook.name)
        runs.append(run_hook(hook, domain, period, place=place))
    return tuple(runs)


def due_hooks(
    domain: str, period: Period | None, *, place: Workplace, hooks: Sequence[PostEtlHook] = POST_ETL_HOOKS
) -> tuple[PostEtlHook, ...]:
    """The hooks that the newest load of the domain's month still waits for, in their order.

    Each builds on those before it: one that is due makes all after it due again.
    """
    _refuse_duplicates(hooks)
    following = [hook for hook in hooks if domain in hook.domains and (period or not hook.needs_period)]
    if not following or period is None:
        return ()
    with _ledger(place) as cursor:
        load_id = newest_load(cursor, domain=domain, period=period)
        done = finished_hooks(cursor, load_id=load_id) if load_id else set()
    waiting = [at for at, hook in enumerate(following) if load_id and hook.name not in done]
    return tuple(following[waiting[0] :]) if waiting else ()


def run_hook(hook: PostEtlHook, domain: str, period: Period, *, place: Workplace) -> HookRun:
    """Run one hook and put on record how it ended; its failure is part of what comes back."""
    started, started_at = time.perf_counter(), place.now()
    log.info("hook.started", hook=hook.name, domain=domain, period=period.yyyymm)
    try:
        done = _told(hook, domain, hook.run(period, place))
    except WorkDataHubError as error:
        done = HookRun(name=hook.name, domain=domain, status="failed", error=error)
    with _ledger(place) as cursor:
        load_id = newest_load(cursor, domain=domain, period=period)
        if load_id:
            record_hook_run(cursor, done, period=period, load_id=load_id, started_at=started_at)
    seconds = time.perf_counter() - started
    log.info("hook.ended", hook=hook.name, domain=domain, status=done.status, seconds=round(seconds, 3))
    return done


def _told(hook: PostEtlHook, domain: str, report: CustomerReport | None) -> HookRun:
    if report is None:
        return HookRun(name=hook.name, domain=domain, status="skipped")
    counts = {
        table.table: {word: number for word, number in table.as_json().items() if word != "table" and number}
        for table in report.tables
    }
    return HookRun(name=hook.name, domain=domain, status="succeeded", counts=counts, warnings=report.warnings)


def _refuse_duplicates(hooks: Sequence[PostEtlHook]) -> None:
    names = [hook.name for hook in hooks]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"two hooks are named {name}", field="POST_ETL_HOOKS", hint="give each a name of its own")


@contextmanager
def _ledger(place: Workplace) -> Iterator[Cursor]:
    """A cursor on the warehouse, in a transaction of its own."""
    if place.database_url is None:
        raise WorkDataHubError("hooks need a database", hint="set DATABASE_URL, or run wdh db start")
    with (
        warehouse_errors(),
        closing(connect(place.database_url, application_name="wdh hooks")) as connection,
        transaction(connection),
        connection.cursor() as cursor,
    ):
        yield cursor
