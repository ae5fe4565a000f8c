"""A file run in the words of its report: counts, warnings, and what a plan could not check."""

from collections.abc import Mapping
from dataclasses import replace

from work_data_hub.domain.control_totals import Controls
from work_data_hub.domain.identity.record import IdentityEffect
from work_data_hub.domain.loads import LastLoad, LoadEffects
from work_data_hub.domain.period import Period
from work_data_hub.domain.reject_reasons import reject_reasons
from work_data_hub.domain.report import DomainReport, FileRead
from work_data_hub.domain.run import Outcome
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.source_files import Found
from work_data_hub.orchestration.requests import FileRequest

NOT_CHECKED_WITHOUT_DATABASE = (
    "the warehouse: rows to delete and unchanged, references to add, the same file again, a shrunken month",
    "corrections sent back for these files",
    "the index of companies and what was decided in reviews",
)
REGISTRY_NOT_ASKED = "the company registry, for names with temporary ids"
NEVER_PROVEN_BY_A_PLAN = ("disk space", "concurrent writers", "triggers")


def domain_report(
    request: FileRequest,
    *,
    period: Period | None,
    found: Found | None,
    files: tuple[FileRead, ...],
    outcome: Outcome | None,
    unchanged: LastLoad | None,
    effects: LoadEffects | None,
    controls: Controls,
    load_id: int | None,
    rejects_path: str | None,
    seconds: Mapping[str, float],
    error: WorkDataHubError | None,
    heading_remarks: tuple[str, ...],
    has_database: bool,
) -> DomainReport:
    """What is known of a run so far, at any stage and however it ended; counts of an unchanged file are its load's."""
    report = DomainReport(
        domain=request.domain,
        period=period.yyyymm if period else None,
        status=_status(error, unchanged=unchanged, load_id=load_id),
        load_id=load_id or (unchanged.load_id if unchanged else None),
        files=files,
        rows_read=unchanged.rows_read if unchanged else outcome.rows_read if outcome else 0,
        rows_rejected=unchanged.rows_rejected if unchanged else outcome.rows_rejected if outcome else 0,
        tables=(effects.facts,) if effects else (),
        references=effects.references if effects else (),
        rejects_path=rejects_path,
        seconds=seconds,
        error=error,
        reason=found.reason if found else "",
        not_checked=() if request.execute else _not_checked(outcome, has_database=has_database),
        sql=effects.sql if effects else (),
        replaced_sums=effects.replaced_sums if effects else {},
        skips_facts=request.skip_facts,
        rows_loaded=effects.held.of_load if effects and effects.held else 0,
        rows_in_month=effects.held.of_month if effects and effects.held else 0,
        controls=replace(controls, compared=effects.controls) if effects and effects.controls else controls,
        identity_effect=effects.identity if effects and effects.identity else IdentityEffect(),
        warnings=(*heading_remarks, *(effects.review.warnings if effects and effects.review else ())),
    )
    return report if outcome is None else _with_outcome(report, outcome)


def quality_metrics(outcome: Outcome) -> dict[str, float]:
    """The numbers that `public.data_quality_metrics` keeps of a run, by name."""
    counts = {count.name: float(count.rows) for count in outcome.counts}
    identity = {f"identity {source}": float(rows) for source, rows in outcome.identity.items()}
    rows = {"rows read": float(outcome.rows_read), "rows rejected": float(outcome.rows_rejected)}
    return rows | counts | identity | {"unresolved names": float(len(outcome.unresolved_names))}


def _with_outcome(report: DomainReport, outcome: Outcome) -> DomainReport:
    return replace(
        report,
        identity=outcome.identity,
        unresolved=len(outcome.unresolved_names),
        quality={count.name: {"rows": count.rows, "values": dict(count.values)} for count in outcome.counts},
        sums=outcome.sums,
        reject_reasons=reject_reasons(outcome.rejects),
        warnings=(*_warnings(outcome), *outcome.remarks, *report.warnings),
    )


def _warnings(outcome: Outcome) -> tuple[str, ...]:
    groups = (
        ("headings that no declaration knows, ignored", outcome.unknown_headings),
        ("headings missing, their columns stay empty", outcome.missing_headings),
    )
    return tuple(f"{words}: {', '.join(names)}" for words, names in groups if names)


def _not_checked(outcome: Outcome | None, *, has_database: bool) -> tuple[str, ...]:
    names = outcome.unresolved_names if outcome else ()
    return (
        *(() if has_database else NOT_CHECKED_WITHOUT_DATABASE),
        *((REGISTRY_NOT_ASKED,) if names else ()),
        *NEVER_PROVEN_BY_A_PLAN,
    )


def _status(error: WorkDataHubError | None, *, unchanged: LastLoad | None, load_id: int | None) -> str:
    if load_id:
        return "loaded"
    if error is not None:
        return "failed"
    return "unchanged" if unchanged else "planned"
