"""Each file domain as one Dagster graph of thin ops, its hooks among them; the work is `file_run`'s."""

from pathlib import Path
from typing import Any, Self

from dagster import (
    Config,
    JobDefinition,
    MetadataValue,
    OpDefinition,
    OpExecutionContext,
    ResourceDefinition,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    graph,
    in_process_executor,
    mem_io_manager,
    op,
)
from pydantic import Field

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.report import DomainReport
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import ONLY_WHAT_FAILED, HookFailed
from work_data_hub.io.returned_workbook import read_returned
from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.hooks import POST_ETL_HOOKS, PostEtlHook
from work_data_hub.orchestration.requests import FileRequest, Tolerance
from work_data_hub.orchestration.rework import reworked

JOB_SUFFIX = "_job"


class FileRunConfig(Config):
    """What a run launched from Dagster is asked to do; `wdh etl` has a flag for each."""

    period: str = Field(default="", description="YYYYMM; blank only with a file")
    file: str = Field(default="", description="a workbook to load instead of the one found")
    execute: bool = Field(default=False, description="true writes; false plans")
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

    def request(self, *, domain: str, run_id: str) -> FileRequest:
        """The same request that the command line would make."""
        request = FileRequest(
            run_id=run_id,
            domain=domain,
            period=Period.parse(self.period) if self.period else None,
            file=Path(self.file) if self.file else None,
            execute=self.execute,
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


@op(name="find", required_resource_keys={"desk"}, description="Choose the workbook and take the month.")
def find(context: OpExecutionContext, config: FileRunConfig) -> Any:
    """Open the run of the job's domain; every job shares these ops, whose names are unique in Dagster."""
    request = config.request(domain=context.job_name.removesuffix(JOB_SUFFIX), run_id=context.run_id)
    run = context.resources.desk.open(request)
    run.find()
    if run.found:
        context.add_output_metadata({"reason": run.found.reason, "files": [f.label for f in run.found.files]})
    return run


@op(name="read", description="Read the sheet into a frame of cells.")
def read(context: OpExecutionContext, run: Any) -> Any:
    """Read the run's sheets."""
    run.read()
    context.add_output_metadata({"rows": run.report().rows_read})
    return run


@op(name="refine", description="Clean, identify and check the rows.")
def refine(context: OpExecutionContext, run: Any) -> Any:
    """Clean the run's rows."""
    run.refine()
    report = run.report()
    context.add_output_metadata(
        {"rejected": report.rows_rejected, "identity": MetadataValue.json(dict(report.identity))}
    )
    return run


@op(name="publish", description="Load in one transaction, or say what would be loaded.")
def publish(context: OpExecutionContext, run: Any) -> Any:
    """Load the run's rows, or count what that would do."""
    run.publish()
    context.add_output_metadata(_report_metadata(run.report()) | {"dagster/column_schema": column_schema(run.domain)})
    return run


def _hook_op(hook: PostEtlHook) -> OpDefinition:
    """The op of a hook: it fails no run of itself, so that those after it run; `settle` does once all have run."""

    @op(name=hook.name, description=f"After the load: {hook.name.replace('_', ' ')}.")
    def follow(context: OpExecutionContext, run: Any) -> Any:
        run.follow(hook.name)
        done = next((one for one in run.hooks.runs if one.name == hook.name), None)
        told = done.as_json() if done else {"status": "not run: nothing was loaded that waits for it"}
        context.add_output_metadata({name: _shown(value) for name, value in told.items()})
        if done and done.error:
            context.log.error(str(done.error))
        return run

    return follow


def _shown(value: Any) -> MetadataValue:
    return MetadataValue.text(value) if isinstance(value, str) else MetadataValue.json(value)


HOOK_OPS = {hook.name: _hook_op(hook) for hook in POST_ETL_HOOKS}


@op(name="settle", description="Fail the run where a hook failed: the facts are loaded and stay.")
def settle(run: Any) -> None:
    """Raise HookFailed, naming the hooks, where one failed."""
    failed = [one for one in run.hooks.runs if one.error]
    if failed:
        raise HookFailed(
            f"{', '.join(one.name for one in failed)} failed after the load: {failed[0].error}",
            domain=run.request.domain,
            hint=ONLY_WHAT_FAILED,
        )


def file_job(domain: Domain, *, desk: ResourceDefinition) -> JobDefinition:
    """The job `<domain>_job`: find → read → refine → publish → its hooks, in one process, frames by reference.

    `desk` gives what opens the run.
    """

    @graph(name=f"{domain.name}_graph", description=f"{domain.title} → {domain.table}")
    def file_graph() -> None:
        run = publish(refine(read(find())))
        for hook in POST_ETL_HOOKS:
            run = HOOK_OPS[hook.name](run) if domain.name in hook.domains else run
        settle(run)

    return file_graph.to_job(
        name=f"{domain.name}{JOB_SUFFIX}",
        executor_def=in_process_executor,
        resource_defs={"io_manager": mem_io_manager, "desk": desk},
        tags={"wdh/domain": domain.name},
    )


def file_jobs(desk: ResourceDefinition) -> list[JobDefinition]:
    """One job a declared domain."""
    return [file_job(domain, desk=desk) for domain in DOMAINS.values()]


def column_schema(domain: Domain) -> TableSchema:
    """The domain's table as Dagster shows it: every column with its type, its note and whether it may be blank."""
    return TableSchema(
        columns=[
            TableColumn(
                name=column.name,
                type=column.postgres_type,
                description=column.note or None,
                constraints=TableColumnConstraints(nullable=column.nullable),
            )
            for column in domain.stored
        ]
    )


class GivenDesk:
    """A desk that hands out one run made elsewhere, so that its maker can ask it for its report."""

    def __init__(self, run: FileRun) -> None:
        self._run = run

    def open(self, request: FileRequest) -> FileRun:
        """The given run, whatever is requested: both come from the same command."""
        return self._run


def _tolerance_text(tolerance: Tolerance) -> str:
    """As `Tolerance.parse` reads it."""
    return f"{tolerance.percent:f}%" if tolerance.percent else str(tolerance.rows)


def _report_metadata(report: DomainReport) -> dict[str, Any]:
    tables = {t.table: [t.deleted, t.inserted, t.unchanged] for t in report.tables}
    return {
        "status": report.status,
        "load_id": report.load_id or 0,
        "rows_read": report.rows_read,
        "rows_rejected": report.rows_rejected,
        "deleted, inserted, unchanged": MetadataValue.json(tables),
        "sums": MetadataValue.json({name: str(total) for name, total in report.sums.items()}),
    }
