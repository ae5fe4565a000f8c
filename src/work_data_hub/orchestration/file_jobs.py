"""Each file domain as one Dagster graph of thin ops, its hooks among them; the work is `file_run`'s."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Self

from dagster import (
    AssetsDefinition,
    Config,
    GraphDefinition,
    GraphOut,
    JobDefinition,
    MetadataValue,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    Output,
    ResourceDefinition,
    graph,
    in_process_executor,
    mem_io_manager,
    op,
)
from pydantic import Field

from work_data_hub.domain.arrivals import Place
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.gates import FOLLOW_UPS, GATES, REFUSALS, Gate, followed, judged
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import ONLY_WHAT_FAILED, HookFailed, UsageError, WorkDataHubError
from work_data_hub.io.returned_workbook import read_returned
from work_data_hub.orchestration.dagster_instance import WAREHOUSE_POOL
from work_data_hub.orchestration.file_assets import (
    BRONZE,
    GOLD,
    LAYER_KINDS,
    LAYERS,
    MONTHS,
    RAW,
    SILVER,
    Told,
    asset_key,
    check_specs,
    descriptions,
    gold_metadata,
    month_of,
    period_of,
    tell_gates,
    tell_layer,
    workbook_seen,
)
from work_data_hub.orchestration.hooks import POST_ETL_HOOKS, PostEtlHook
from work_data_hub.orchestration.platform_assets import told_by_hook, told_by_load
from work_data_hub.orchestration.requests import FileRequest, Tolerance
from work_data_hub.orchestration.rework import reworked
from work_data_hub.orchestration.run_marks import marks

JOB_SUFFIX = "_job"
# Frames lie in the memory of the process that died.
_RETRIED_WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}
_PRIORITY = "dagster/priority"


class FileRunConfig(Config):
    """What a run launched from Dagster is asked to do; `wdh etl` has a flag for each."""

    period: str = Field(default="", description="YYYYMM; blank only with a file")
    file: str = Field(default="", description="a workbook to load instead of the one found")
    execute: bool | None = Field(
        default=None, description="true writes; false plans; left out: a job plans, and Materialize writes"
    )
    mode: str = Field(default="delete_insert", description="delete_insert, append or upsert")
    pk: list[str] = Field(default_factory=list, description="narrower scope of the replacement")
    sheet: str = Field(default="", description="a sheet other than the domain's own")
    version: str = Field(default="", description="V2 takes that folder instead of the newest")
    file_selection: str = Field(default="", description="error, newest, oldest or first")
    max_files: int = Field(default=1, ge=1, le=20)
    max_rejects: str = Field(default="0", description="rejected rows tolerated: 12 or 1.5%")
    allow_shrink: bool = False
    force: bool = False
    skip_facts: bool = False
    lock_wait_seconds: float = Field(default=0.0, ge=0, description="how long to wait for another run of the month")
    rejects: str = Field(default="", description="folder of the rejected rows' workbook, instead of the usual one")
    no_enrichment: bool = Field(default=False, description="true: ask no company registry")
    no_post_hooks: bool = Field(default=False, description="true: run no hooks after the load")
    requeue: str = Field(default="", description="a rejects workbook sent back, to load its files corrected")

    @classmethod
    def of(cls, request: FileRequest) -> Self:
        """The configuration whose `request` is the given one."""
        return cls(
            period=request.period.yyyymm if request.period else "",
            file=str(request.file or ""),
            execute=request.execute,
            mode=request.mode.value,
            pk=list(request.scope),
            sheet=request.sheet or "",
            version=request.version or "",
            file_selection=request.file_selection or "",
            max_files=request.max_files,
            max_rejects=_tolerance_text(request.tolerance),
            allow_shrink=request.allow_shrink,
            force=request.force,
            skip_facts=request.skip_facts,
            lock_wait_seconds=request.lock_wait_seconds,
            rejects=str(request.rejects_folder or ""),
            no_enrichment=not request.asks_registry,
            no_post_hooks=not request.runs_hooks,
            requeue=request.rework.path if request.rework else "",
        )

    def for_month(self, key: str | None, *, materializes: bool) -> Self:
        """The configuration with what the run itself says: its partition's month, and whether it is to write.

        Raises UsageError where the configuration names another month.
        """
        period = self.period if key is None else period_of(key).yyyymm
        if self.period and self.period != period:
            raise UsageError(
                f"the run is for {period}, its configuration for {self.period}",
                operation="find",
                hint="leave period out of the configuration, or choose its partition",
            )
        execute = materializes if self.execute is None else self.execute
        return self.model_copy(update={"period": period, "execute": execute})

    def request(self, *, domain: str, run_id: str) -> FileRequest:
        """The same request that the command line would make."""
        request = FileRequest(
            run_id=run_id,
            domain=domain,
            period=Period.parse(self.period) if self.period else None,
            file=Path(self.file) if self.file else None,
            execute=bool(self.execute),
            mode=LoadMode(self.mode),
            scope=tuple(self.pk),
            sheet=self.sheet or None,
            version=self.version or None,
            file_selection=self.file_selection or None,
            max_files=self.max_files,
            tolerance=Tolerance.parse(self.max_rejects),
            allow_shrink=self.allow_shrink,
            force=self.force,
            skip_facts=self.skip_facts,
            lock_wait_seconds=self.lock_wait_seconds,
            rejects_folder=Path(self.rejects) if self.rejects else None,
            asks_registry=not self.no_enrichment,
            runs_hooks=not self.no_post_hooks,
        )
        return reworked(request, read_returned(Path(self.requeue), domains=DOMAINS)) if self.requeue else request


_LAYER = Out(Nothing, is_required=False)


def _find_op(domain: Domain) -> OpDefinition:
    """The op that opens the domain's run; its name is its own, since names are unique in Dagster."""

    @op(
        name=f"find_{domain.name}",
        required_resource_keys={"desk"},
        pool=WAREHOUSE_POOL,
        description="Choose the workbook and take the month.",
    )
    def find(context: OpExecutionContext, config: FileRunConfig) -> Iterator[Any]:
        config = config.for_month(_month_of_run(context), materializes=context.has_assets_def)
        request = config.request(domain=domain.name, run_id=context.run_id)
        context.instance.add_run_tags(context.run_id, _found_tags(request, context.run_tags))
        run = context.resources.desk.open(request)
        context.instance.add_run_tags(context.run_id, marks(run, dagster_run=context.run_id))
        yield from _done(context, run, run.find)
        if run.found and request.period:
            yield workbook_seen(Place(domain.name, request.period), run.found)
        if run.found:
            context.add_output_metadata({"reason": run.found.reason, "files": [f.label for f in run.found.files]})
        yield Output(run, "result")

    return find


def _month_of_run(context: OpExecutionContext) -> str | None:
    """The partition of the run. Raises UsageError where it is to do several at once."""
    if context.has_partition_key:
        return context.partition_key
    if not context.has_partition_key_range:
        return None
    months = context.partition_key_range
    if months.start != months.end:
        raise UsageError(
            f"a run loads one month, not {months.start} to {months.end}",
            operation="find",
            hint="launch a run a month, as a backfill does by itself",
        )
    return months.start


def _found_tags(request: FileRequest, known: Mapping[str, str]) -> dict[str, str]:
    """What Dagster shows of the run; who started it is what its starter said."""
    actor = known.get("wdh/actor", "dagster")
    tags = run_tags(request.domain, request.period, is_executed=request.execute, actor=actor)
    return tags | _RETRIED_WHOLE


@op(name="read", description="Read the sheet into a frame of cells.")
def read(context: OpExecutionContext, run: Any) -> Iterator[Told]:
    """Read the run's sheets."""
    yield from _done(context, run, run.read)
    yield Output(run, "result")


@op(name="refine", description="Clean, identify and check the rows.")
def refine(context: OpExecutionContext, run: Any) -> Iterator[Told]:
    """Clean the run's rows."""
    yield from _done(context, run, run.refine)
    yield Output(run, "result")


@op(
    name="publish",
    out={"run": Out(), **dict.fromkeys((*LAYERS, *GATES), _LAYER)},
    description="Load in one transaction, or say what would be loaded.",
)
def publish(context: OpExecutionContext, run: Any) -> Iterator[Told]:
    """Load the run's rows, or count what that would do; all layers of the month are in with the one commit."""
    yield from _done(context, run, run.publish, shown_when_refused=(BRONZE, SILVER))
    yield Output(run, "run")
    for layer in LAYERS:
        yield from tell_layer(context, layer, run.report(), is_in=run.request.execute and not run.request.skip_facts)
    yield from told_by_load(run.report(), month_of(context, run.report()))
    gates = _gates(run)
    yield from tell_gates(context, run.report(), gates)
    yield from (Output(None, gate.name) for gate in gates)


def _done(
    context: OpExecutionContext, run: Any, stage: Callable[[], None], *, shown_when_refused: Sequence[str] = ()
) -> Iterator[Told]:
    """Do a stage of the run; where a gate refuses the month, say so beside it, and fail as the stage does."""
    try:
        stage()
    except REFUSALS as error:
        report = run.report(error)
        for layer in shown_when_refused:
            yield from tell_layer(context, layer, report, is_in=False)
        yield from tell_gates(context, report, _gates(run, error=error))
        raise


def _gates(run: Any, *, error: WorkDataHubError | None = None) -> tuple[Gate, ...]:
    """How an executed run met its gates; a plan says nothing of them."""
    return judged(run.report(error)) if run.request.execute else ()


def _hook_op(hook: PostEtlHook) -> OpDefinition:
    """The op of a hook: it fails no run of itself, so that those after it run; `settle` does once all have run."""

    @op(name=hook.name, description=f"After the load: {hook.name.replace('_', ' ')}.")
    def follow(context: OpExecutionContext, run: Any) -> Iterator[Told]:
        run.follow(hook.name)
        done = next((one for one in run.hooks.runs if one.name == hook.name), None)
        told = done.as_json() if done else {"status": "not run: nothing was loaded that waits for it"}
        context.add_output_metadata({name: _shown(value) for name, value in told.items()})
        if done:
            yield from told_by_hook(done, month_of(context, run.report()))
        if done and done.error:
            context.log.error(str(done.error))
        yield Output(run, "result")

    return follow


def _shown(value: Any) -> MetadataValue:
    return MetadataValue.text(value) if isinstance(value, str) else MetadataValue.json(value)


HOOK_OPS = {hook.name: _hook_op(hook) for hook in POST_ETL_HOOKS}


@op(
    name="settle",
    out={FOLLOW_UPS: _LAYER},
    description="Fail the run where a hook failed: the facts are loaded and stay.",
)
def settle(context: OpExecutionContext, run: Any) -> Iterator[Told]:
    """Raise HookFailed, naming the hooks, where one failed."""
    report = run.report()
    gate = followed(report)
    if gate is not None:
        yield from tell_gates(context, report, [gate])
        yield Output(None, FOLLOW_UPS)
    failed = [one for one in report.hooks if one.error]
    if failed:
        raise HookFailed(
            f"{', '.join(one.name for one in failed)} failed after the load: {failed[0].error}",
            domain=run.request.domain,
            hint=ONLY_WHAT_FAILED,
        )


@cache
def file_graph(name: str) -> GraphDefinition:
    """A domain's find → read → refine → publish → hooks → settle; publish gives all layers, since it commits.

    The same graph for job and assets: Dagster knows ops by what they are, and refuses two of one name. Where a run
    holds several domains, each ends before the next begins, in the order of the command line.
    """
    domain = DOMAINS[name]
    specs = {spec.name: spec.get_python_identifier() for spec in check_specs(domain)}
    turn = {_PRIORITY: str(_turn(name))}

    @graph(
        name=f"{domain.name}_graph",
        description=f"{domain.title} → {domain.table}",
        out={name: GraphOut() for name in (*LAYERS, *specs.values())},
    )
    def stages() -> dict[str, Any]:
        cells = read.tag(turn)(_find_op(domain).alias("find").tag(turn)())
        published = publish.tag(turn)(refine.tag(turn)(cells))
        run = published.run
        for hook in POST_ETL_HOOKS:
            run = HOOK_OPS[hook.name].tag(turn)(run) if domain.name in hook.domains else run
        told = {specs[name]: getattr(published, name) for name in GATES} | {specs[FOLLOW_UPS]: settle.tag(turn)(run)}
        return {layer: getattr(published, layer) for layer in LAYERS} | told

    return stages


def file_job(domain: Domain, *, desk: ResourceDefinition) -> JobDefinition:
    """The job `<domain>_job`: its graph in one process, frames by reference; `desk` gives what opens the run."""
    return file_graph(domain.name).to_job(
        name=f"{domain.name}{JOB_SUFFIX}",
        description=(
            f"{domain.title} → {domain.table}. Plans the month that is chosen as partition; "
            "with `execute: true` under ops › find › config it loads it."
        ),
        executor_def=in_process_executor,
        resource_defs={"io_manager": mem_io_manager, "desk": desk},
        partitions_def=MONTHS,
        tags={"wdh/domain": domain.name},
    )


def file_assets(domain: Domain) -> AssetsDefinition:
    """The same graph as the domain's assets, a partition a month: Materialize loads it, and backfills load many."""
    layers = {layer: asset_key(layer, domain.name) for layer in LAYERS}
    raw = asset_key(RAW, domain.name)
    return AssetsDefinition.from_graph(
        file_graph(domain.name),
        keys_by_output_name=layers,
        internal_asset_deps=dict(zip(LAYERS, ({before} for before in (raw, *layers.values())), strict=False)),
        partitions_def=MONTHS,
        group_name=domain.name,
        descriptions_by_output_name=descriptions(domain),
        tags_by_output_name={layer: {f"dagster/kind/{kind}": ""} for layer, kind in LAYER_KINDS.items()},
        metadata_by_output_name={GOLD: gold_metadata(domain)},
        check_specs=check_specs(domain),
    )


def file_jobs(desk: ResourceDefinition) -> list[JobDefinition]:
    """One job a declared domain."""
    return [file_job(domain, desk=desk) for domain in DOMAINS.values()]


def _turn(domain: str) -> int:
    """Higher for what loads first."""
    return len(DOMAINS) - list(DOMAINS).index(domain)


def run_tags(domain: str, period: Period | None, *, is_executed: bool, actor: str) -> dict[str, str]:
    """What a run of a domain's job is tagged with; runs of one domain and month share `wdh/target`.

    Of runs that wait, domains go in the order of the command line, and all of them before those of a backfill.
    """
    month = period.yyyymm if period else ""
    return {
        "wdh/domain": domain,
        "wdh/month": month,
        "wdh/mode": "execute" if is_executed else "plan",
        "wdh/actor": actor,
        "wdh/target": f"{domain} {month}".strip(),
        _PRIORITY: str(_turn(domain)),
    }


def _tolerance_text(tolerance: Tolerance) -> str:
    """As `Tolerance.parse` reads it."""
    return f"{tolerance.percent:f}%" if tolerance.percent else str(tolerance.rows)
