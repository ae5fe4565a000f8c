"""What a load was held to, and how it did: the verdicts of its own run, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from work_data_hub.domain.loads import is_shrunken
from work_data_hub.domain.report import DomainReport
from work_data_hub.errors import DataError, RowsNotKept, ShrinkRefused, SourceError, TotalsDiffer, WorkDataHubError

REJECTS, ROWS, TOTALS, SHRINK = "rejects_borne", "every_row_accounted_for", "totals_agree", "not_shrunken"
USABLE, MAPPINGS, COMPANIES, FOLLOW_UPS = "workbook_usable", "values_known", "companies_known", "follow_ups_done"
# As `domain.steps` names what it counts.
_UNKNOWN_VALUES = ("unknown ", "unreadable ", "unusable ")
_MOST_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One verdict on a run. A gate `stops` where a run that does not pass it loads nothing, else it warns."""

    name: str
    passed: bool
    stops: bool
    text: str
    facts: Mapping[str, int | str] = field(default_factory=dict)


_REFUSED_BY: Mapping[type[WorkDataHubError], str] = {
    RowsNotKept: ROWS,
    ShrinkRefused: SHRINK,
    TotalsDiffer: TOTALS,
    DataError: REJECTS,
    SourceError: USABLE,
}
REFUSALS = tuple(_REFUSED_BY)
"""The errors with which a gate refuses a month."""

GATES: Mapping[str, str] = {
    USABLE: "the workbook is there, and its sheet and headings are as declared",
    ROWS: "rows read are rows rejected and rows that the warehouse then held of the load",
    REJECTS: "no row is rejected; those that are stand in the rejects workbook",
    TOTALS: "every stated total is the sum of its rows",
    SHRINK: "the month lost no unusual share of its rows",
    MAPPINGS: "every value is known to its mapping",
    COMPANIES: "every row has its company, none a temporary id",
}
"""The gates of a load, and what passing means."""


def judged(report: DomainReport) -> tuple[Gate, ...]:
    """The verdicts of a run that loaded, or was refused; those that it did not reach are left out.

    They restate what the run itself decided in its transaction; nothing is computed a second time.
    """
    refusal = _refusal(report)
    if refusal is not None:
        return (refusal,)
    if report.error or report.status not in ("loaded", "unchanged"):
        return ()
    return tuple(_of_load(report)) if report.status == "loaded" else (_usable(report),)


def followed(report: DomainReport) -> Gate | None:
    """The verdict on what follows a load; None where nothing was loaded."""
    if report.status not in ("loaded", "unchanged"):
        return None
    failed = [hook.name for hook in report.hooks if hook.error]
    text = f"failed: {', '.join(failed)}" if failed else f"{len(report.hooks)} hooks ran"
    return Gate(name=FOLLOW_UPS, passed=not failed, stops=False, text=text, facts={"hooks": len(report.hooks)})


def _refusal(report: DomainReport) -> Gate | None:
    name = next((name for kind, name in _REFUSED_BY.items() if isinstance(report.error, kind)), None)
    return Gate(name=name, passed=False, stops=True, text=str(report.error)) if name else None


def _of_load(report: DomainReport) -> list[Gate]:
    """The verdicts on a load that stands: what would have stopped it passed, what warns may not have."""
    unknown = {name: int(found["rows"]) for name, found in report.quality.items() if name.startswith(_UNKNOWN_VALUES)}
    sums = len(report.controls.compared)
    return [
        _usable(report),
        *([] if report.skips_facts else [_shrink(report), _rows(report)]),
        _passed(TOTALS, f"{sums:,} stated sums compared" if sums else "the workbook states no totals", sums=sums),
        _warning(REJECTS, report.rows_rejected, f"rows rejected and borne: {_reasons(report)}"),
        _warning(MAPPINGS, sum(unknown.values()), "values kept or given up: " + _named(unknown), **unknown),
        _warning(COMPANIES, report.unresolved, "names have a temporary id: wdh identity unknown"),
    ]


def _rows(report: DomainReport) -> Gate:
    """The rows of the workbook beside those that the warehouse counted in the load's transaction."""
    return Gate(
        name=ROWS,
        passed=report.rows_read == report.rows_loaded + report.rows_rejected,
        stops=True,
        text=f"{report.rows_read:,} read; {report.rows_loaded:,} in the warehouse, {report.rows_rejected:,} rejected",
        facts={"read": report.rows_read, "loaded": report.rows_loaded, "rejected": report.rows_rejected},
    )


def _shrink(report: DomainReport) -> Gate:
    """A load that stands and shrank its month was allowed to; that is worth a warning."""
    (table,) = report.tables
    existing, lost = table.deleted + table.unchanged, table.deleted - table.inserted
    shrunken = is_shrunken(existing=existing, incoming=table.inserted + table.unchanged)
    text = f"{existing:,} rows were to be replaced, {table.inserted + table.unchanged:,} came"
    return Gate(
        name=SHRINK,
        passed=not shrunken,
        stops=not shrunken,
        text=f"{text}: fewer than a load may leave unasked, and was allowed to" if shrunken else text,
        facts={"rows before": existing, "rows fewer": max(lost, 0)},
    )


def _usable(report: DomainReport) -> Gate:
    return _passed(USABLE, ", ".join(f"{file.path} [{file.sheet}]" for file in report.files))


def _passed(name: str, text: str, **facts: int) -> Gate:
    return Gate(name=name, passed=True, stops=True, text=text, facts=facts)


def _warning(name: str, found: int, text: str, **facts: int) -> Gate:
    return Gate(
        name=name,
        passed=not found,
        stops=False,
        text=f"{found:,} {text}" if found else "none",
        facts={"found": found, **facts},
    )


def _reasons(report: DomainReport) -> str:
    return ", ".join(f"{reason.name} {reason.rows:,}" for reason in report.reject_reasons[:_MOST_TOLD])


def _named(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {rows:,}" for name, rows in sorted(counts.items(), key=lambda one: -one[1])[:_MOST_TOLD])
