"""Reports as people read them: tables on a terminal, plain lines in a pipe, Chinese in its true width."""

from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.status import Status

from work_data_hub.cli.complaints import complain
from work_data_hub.cli.text_table import number_lines
from work_data_hub.domain.report import DomainReport, RunReport
from work_data_hub.errors import ONLY_WHAT_FAILED, HookFailed

_EFFECTS_PLANNED = ("table", "delete", "insert", "update", "unchanged")
_EFFECTS = ("table", "deleted", "inserted", "updated", "unchanged")


class Progress:
    """What a run is doing, on a terminal's stderr; silent in a pipe."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        self._console = Console(file=stream) if stream.isatty() and not quiet else None
        self._status: Status | None = None
        self._domain = ""

    def begin(self, domain: str) -> None:
        """Show that a domain is being worked on."""
        self._domain = domain
        if self._console:
            self._status = self._console.status(f"{domain}: starting")
            self._status.start()

    def step(self, stage: str) -> None:
        """Show the stage the domain is in."""
        if self._status:
            self._status.update(f"{self._domain}: {stage}")

    def end(self) -> None:
        """Take the line away."""
        if self._status:
            self._status.stop()
            self._status = None


def render_report(report: RunReport, *, show_sql: bool = False, quiet: bool = False, execute: str = "") -> None:
    """Print the report to stdout, errors to stderr; `execute` is the command that does what was planned."""
    console = Console(no_color=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
    planned = report.mode == "plan"
    if not quiet:
        console.print(headline(report.database, execute=not planned))
    for domain in report.domains:
        _domain(console, domain, planned=planned, quiet=quiet, show_sql=show_sql)
    if len(report.domains) > 1:
        _summary(console, report, planned=planned)
    if planned and not quiet:
        checked = sorted({line for domain in report.domains for line in domain.not_checked})
        console.print(f"not checked: {'; '.join(checked)}" if checked else "")
    if report.error:
        complain(report.error)
    elif not quiet:
        _next_step(console, report, execute)


def headline(database: Mapping[str, str] | None, *, execute: bool) -> str:
    """The first line of what a command did or would do, and where."""
    where = f"{database['name']} on {database['server']}" if database else "no database"
    return f"{'EXECUTE' if execute else 'PLAN — nothing was written'} · {where}"


def _summary(console: Console, report: RunReport, *, planned: bool) -> None:
    """One line a domain, and how the whole call ended."""
    effects = _EFFECTS_PLANNED if planned else _EFFECTS
    rows = [["", "status", "read", "rejected", *effects[1:], "seconds"]]
    for domain in report.domains:
        tables = domain.tables
        counts = [
            sum(counted)
            for counted in (
                [t.deleted for t in tables],
                [t.inserted for t in tables],
                [t.updated for t in tables],
                [t.unchanged for t in tables],
            )
        ]
        numbers = [f"{number:,}" for number in (domain.rows_read, domain.rows_rejected, *counts)]
        rows.append([domain.domain, domain.status, *numbers, f"{sum(domain.seconds.values()):.1f}"])
    console.print(f"{report.status}: {len(report.domains)} domains")
    console.print("\n".join(number_lines(rows)))


def _domain(console: Console, domain: DomainReport, *, planned: bool, quiet: bool, show_sql: bool) -> None:
    month = f"{domain.period[:4]}-{domain.period[4:]}" if domain.period else "month unknown"
    load = f" · load {domain.load_id}" if domain.load_id else ""
    seconds = f" · {sum(domain.seconds.values()):.1f} s" if domain.seconds else ""
    console.print(f"{domain.domain} {month}: {domain.status}{load}{seconds}")
    if quiet:
        _complain(domain)
        return
    for file in domain.files:
        console.print(f"  file     {file.path} [{file.sheet}]")
    if domain.reason:
        console.print(f"  chosen   {domain.reason}")
    if domain.rows_read:
        _rows(console, domain)
        _effects(console, domain, planned=planned)
        _noticed(console, domain)
    _hooks(console, domain)
    if domain.rejects_path:
        console.print(f"  rejects  {domain.rejects_path}")
    if show_sql and domain.sql:
        console.print("\n".join(f"  sql      {statement}" for statement in domain.sql))
    _complain(domain)


def _rows(console: Console, domain: DomainReport) -> None:
    counts = {"read": domain.rows_read, "rejected": domain.rows_rejected, "loaded": domain.rows_loaded}
    console.print("  rows     " + " · ".join(f"{word} {rows:,}" for word, rows in counts.items()))


def _noticed(console: Console, domain: DomainReport) -> None:
    if domain.identity:
        found = " · ".join(f"{source} {rows:,}" for source, rows in domain.identity.items() if rows)
        console.print(f"  company  {found}")
        for line in _identity_lines(domain):
            console.print(f"  company  {line}")
    for name, finding in domain.quality.items():
        shown = "、".join(f"{value} {rows:,}" for value, rows in list(finding["values"].items())[:3])
        console.print(f"  noticed  {name}: {finding['rows']:,} rows{f' ({shown})' if shown else ''}")
    for line in domain.controls.lines():
        console.print(f"  totals   {line}")
    for warning in domain.warnings:
        console.print(f"  warning  {warning}")
    if domain.sums.get("期末资产规模") is not None:
        console.print(f"  sum      期末资产规模 {domain.sums['期末资产规模']:,}")


def _identity_lines(domain: DomainReport) -> list[str]:
    """What was asked of the registry, what the load taught, and where the unknown names stand."""
    use, effect = domain.registry, domain.identity_effect
    outcomes = " · ".join(f"{word} {names:,}" for word, names in use.outcomes.items())
    counts = {"learned": effect.learned, "replaced": effect.replaced, "queued": effect.queued}
    told = " · ".join(f"{word} {number:,}" for word, number in counts.items() if number)
    asked = f"registry asked {use.asked:,}{f' · {outcomes}' if outcomes else ''}" if use.asked else ""
    failed = f" · failed {use.failed:,}" if use.failed else ""
    unknown = f"unknown names {domain.unknown_names_path}" if domain.unknown_names_path else ""
    return [line for line in (f"{asked}{failed}", told, unknown) if line]


def _hooks(console: Console, domain: DomainReport) -> None:
    """What followed the load, a line a table that changed."""
    for hook in domain.hooks:
        told = [f"{table}: {_words(counts)}" for table, counts in hook.counts.items() if set(counts) - {"skipped"}]
        nothing = "nothing to do in this month" if hook.status == "skipped" else "nothing changed"
        for line in ["failed"] if hook.error else told or [nothing]:
            console.print(f"  hook     {hook.name}: {line}")
        for warning in hook.warnings:
            console.print(f"  warning  {hook.name}: {warning}")


def _words(counts: Mapping[str, int | str]) -> str:
    return " · ".join(f"{'unchanged' if word == 'skipped' else word} {number:,}" for word, number in counts.items())


def _complain(domain: DomainReport) -> None:
    if domain.error:
        complain(domain.error)
    for hook in domain.hooks:
        if hook.error:
            complain(HookFailed(f"{hook.name}: {hook.error}", domain=domain.domain, hint=ONLY_WHAT_FAILED))


def _effects(console: Console, domain: DomainReport, *, planned: bool) -> None:
    rows = [(t.table, t.deleted, t.inserted, t.updated, t.unchanged) for t in domain.tables]
    rows += [(r.table, 0, r.inserted, r.updated, 0) for r in domain.references if r.inserted or r.updated]
    if not rows:
        return
    cells = [[row[0], *(f"{number:,}" for number in row[1:])] for row in rows]
    console.print("\n".join(number_lines([list(_EFFECTS_PLANNED if planned else _EFFECTS), *cells])))


def _next_step(console: Console, report: RunReport, execute: str) -> None:
    if not report.domains or report.exit_code:
        return
    if report.status == "planned" and execute:
        console.print(f"next: {execute}")
    elif report.status == "unchanged":
        console.print("nothing to do: the same input is loaded already (--force loads it again)")
