"""Runs that Dagster believes to be running, closed by the ledger's verdict once their process is gone.

Dagster itself leaves a run STARTED when its whole process tree is killed.
"""

from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetRecordsFilter,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    IntMetadataValue,
    RunsFilter,
)
from dagster._core.storage.tags import PARTITION_NAME_TAG

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.postgres import reading_cursor
from work_data_hub.io.run_verdicts import CommittedLoad, committed_loads, is_any_held, warehouse_name
from work_data_hub.log import get_logger
from work_data_hub.orchestration.file_assets import GOLD, LAYERS, MONTHS, asset_key, period_of
from work_data_hub.orchestration.file_jobs import JOB_SUFFIX
from work_data_hub.orchestration.hooks import due_hooks
from work_data_hub.orchestration.launched_runs import SETTLED_SECONDS, UNDER_WAY, is_lost
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.run_marks import LEDGER_TAG, WAREHOUSE_TAG, asked_of, is_dead, is_marked

log = get_logger(__name__)
_UNFINISHED = [DagsterRunStatus.NOT_STARTED, *UNDER_WAY]
_EVENTS_LOOKED_AT = 20
_NOTHING = "its process was killed before anything was committed: the month is as it was before; run it again"
_PLANNED = "its process was killed; it was a plan, which writes nothing: run it again"
_NO_LOAD = "its process was killed; what it had stored stays: run it again"
_OF_ASSETS = "__"  # how Dagster names the jobs it makes


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a run whose process is gone really ended."""

    run_id: str
    succeeded: bool
    text: str
    loads: tuple[CommittedLoad, ...] = ()


def close_orphans(
    instance: DagsterInstance, place: Workplace, *, settled_seconds: float = SETTLED_SECONDS
) -> tuple[Verdict, ...]:
    """Close each unfinished run whose process of this machine is gone; returns how each had ended.

    A load is a success where each of its domains is in and nothing that follows is due, else a failure that says
    what stands and what to do; any other run is a failure. A committed month is shown as materialized. Left alone are
    runs of another warehouse than the place's, those whose month a session still holds, and those that say nothing of
    their process yet and changed within `settled_seconds`.
    """
    ended = []
    for record in instance.get_run_records(filters=RunsFilter(statuses=_UNFINISHED)):
        run = record.dagster_run
        is_own = is_marked(run)
        if is_dead(run, home=place.home) if is_own else is_lost(instance, record, settled_seconds=settled_seconds):
            ended.append(_closed(instance, run.run_id, place, is_own=is_own))
    return tuple(verdict for verdict in ended if verdict)


def _closed(instance: DagsterInstance, run_id: str, place: Workplace, *, is_own: bool) -> Verdict | None:
    """The verdict, once Dagster has it; None where there is none to give."""
    verdict = judged(instance, run_id, place)
    # Read again: it may have ended by itself just before its process did, or its process has just begun.
    run = instance.get_run_by_id(run_id)
    if verdict is None or run is None or run.status not in _UNFINISHED or is_marked(run) is not is_own:
        return None
    show_loads(instance, run, verdict)
    _close(instance, run, verdict)
    return verdict


def judged(instance: DagsterInstance, run_id: str, place: Workplace) -> Verdict | None:
    """How a run whose process is gone ended, by the ledger; None where that cannot be known, or not yet.

    Raises WarehouseError where the ledger cannot be asked.
    """
    run = instance.get_run_by_id(run_id)
    loads = _committed(run, place) if run else None
    if run is None or loads is None:
        return None
    told = _told(instance, run)
    return _verdict(run, loads, {**_unchanged(run, told), **{load.domain: load for load in loads}}, place)


def show_loads(instance: DagsterInstance, run: DagsterRun, verdict: Verdict) -> None:
    """Show what the run committed as materialized, where its own words were lost."""
    told = _told(instance, run).keys()
    for load in verdict.loads:
        _show(instance, load, told=told)


def _told(instance: DagsterInstance, run: DagsterRun) -> Mapping[AssetKey, AbstractSet[str | None]]:
    return instance.get_asset_partitions_for_run(run.run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)


def _close(instance: DagsterInstance, run: DagsterRun, verdict: Verdict) -> None:
    if verdict.succeeded:
        event = DagsterEvent(DagsterEventType.PIPELINE_SUCCESS.value, job_name=run.job_name, message=verdict.text)
        instance.report_dagster_event(event, run_id=run.run_id)
    else:
        instance.report_run_failed(run, verdict.text)
    log.info("run.closed", dagster_run=run.run_id, succeeded=verdict.succeeded, verdict=verdict.text)


def _domains(run: DagsterRun) -> tuple[str, ...]:
    """The domains that the run was to load: its job's, else those of the assets chosen, all where none was chosen."""
    name, chosen = run.job_name.removesuffix(JOB_SUFFIX), run.asset_selection
    if name in DOMAINS:
        return (name,)
    if not run.job_name.startswith(_OF_ASSETS) or (chosen is None and run.asset_check_selection):
        return ()
    return tuple(name for name in DOMAINS if chosen is None or asset_key(GOLD, name) in chosen)


def _may_write(run: DagsterRun) -> bool:
    """Whether the run was to load: it says so once it has begun; before that, its configuration does."""
    if is_marked(run):
        return WAREHOUSE_TAG in run.tags
    return run.job_name.startswith(_OF_ASSETS) or asked_of(run).get("execute") is True


def _committed(run: DagsterRun, place: Workplace) -> tuple[CommittedLoad, ...] | None:
    """What the run committed; None where that cannot be known, or not yet."""
    domains, url = _domains(run), place.database_url
    if not domains or not _may_write(run):
        return ()
    if url is None or (is_marked(run) and warehouse_name(url) != run.tags[WAREHOUSE_TAG]):
        return None
    ledger_id = run.tags[LEDGER_TAG] if is_marked(run) else run.run_id
    with reading_cursor(url, application_name="wdh run verdicts") as cursor:
        # In this order: a COMMIT that the process had sent may end after its death, and with it goes the lock.
        if is_any_held(cursor, domains=domains, months=_months(run)):
            return None
        return committed_loads(cursor, ledger_id, domains=domains)


def _months(run: DagsterRun) -> tuple[Period, ...]:
    """The month of the run; any, where only its rows say which it is."""
    month = run.tags.get("wdh/month") or run.tags.get(PARTITION_NAME_TAG, "").replace("-", "")
    return (Period.parse(month),) if month else tuple(period_of(key) for key in MONTHS.get_partition_keys())


def _unchanged(run: DagsterRun, told: Mapping[AssetKey, AbstractSet[str | None]]) -> dict[str, Period]:
    """The domains whose month the run itself said to be in, and the month."""
    keys = {name: told.get(asset_key(GOLD, name), ()) for name in _domains(run)}
    return {name: period_of(month) for name, months in keys.items() for month in months if month}


def _verdict(
    run: DagsterRun,
    loads: tuple[CommittedLoad, ...],
    standing: Mapping[str, CommittedLoad | Period],
    place: Workplace,
) -> Verdict:
    """By what stands of the run: a load of its own, or only the month, where that was in already."""
    domains = _domains(run)
    if not standing:
        text = _NO_LOAD if not domains else _NOTHING if _may_write(run) else _PLANNED
        return Verdict(run_id=run.run_id, succeeded=False, text=text)
    said = {name: _said(standing[name]) for name in domains if name in standing}
    done = ", ".join(f"{name}: {text}" for name, text in said.items()) if domains[1:] else said[domains[0]]
    missing = [name for name in domains if name not in standing]
    followed = [name for name in said if _is_followed(run, name)]
    due = [name for domain in followed for name in _due(domain, standing[domain], place)]
    if not missing and not due:
        text = f"{done}; all that follows had run when its process was killed"
        return Verdict(run_id=run.run_id, succeeded=True, text=text, loads=loads)
    text = f"{done}; its process was killed before {', '.join(dict.fromkeys((*missing, *due)))}: run it again"
    return Verdict(run_id=run.run_id, succeeded=False, text=text, loads=loads)


def _said(stands: CommittedLoad | Period) -> str:
    return f"{stands} was in already" if isinstance(stands, Period) else f"load {stands.load_id} is committed"


def _is_followed(run: DagsterRun, domain: str) -> bool:
    """Whether the run was to let hooks follow the domain's load."""
    asked = asked_of(run, graph=f"{domain}_graph") if run.job_name.startswith(_OF_ASSETS) else asked_of(run)
    return not (asked.get("no_post_hooks") or asked.get("skip_facts"))


def _due(domain: str, stands: CommittedLoad | Period, place: Workplace) -> tuple[str, ...]:
    """What the month still waits for; a failure to ask counts as everything."""
    try:
        month = stands if isinstance(stands, Period) else stands.period
        return tuple(hook.name for hook in due_hooks(domain, month, place=place))
    except WorkDataHubError:
        return ("what follows it",)


def _show(instance: DagsterInstance, load: CommittedLoad, *, told: Collection[AssetKey]) -> None:
    """Say that the month is in, unless that was told of this load or a later one; the run's own words stay."""
    if not load.brought_facts or _is_told(instance, load):
        return
    for key in (asset_key(layer, load.domain) for layer in LAYERS):
        if key not in told:
            instance.report_runless_asset_event(_materialized(key, load))


def _is_told(instance: DagsterInstance, load: CommittedLoad) -> bool:
    wanted = AssetRecordsFilter(asset_key=asset_key(GOLD, load.domain), asset_partitions=[str(load.period)])
    records = instance.fetch_materializations(wanted, limit=_EVENTS_LOOKED_AT).records
    events = (record.asset_materialization for record in records)
    ids = (event.metadata.get("load id") for event in events if event)
    return any(isinstance(one, IntMetadataValue) and (one.value or 0) >= load.load_id for one in ids)


def _materialized(key: AssetKey, load: CommittedLoad) -> AssetMaterialization:
    return AssetMaterialization(
        key,
        partition=str(load.period),
        description=f"load {load.load_id}, whose run was killed after its commit",
        metadata={"load id": load.load_id, "rows read": load.rows_read, "rows rejected": load.rows_rejected},
    )
