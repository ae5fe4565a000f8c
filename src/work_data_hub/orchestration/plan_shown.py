"""What a run changes in its month, as an operator reads it: one line, and a table of rows and sums."""

from collections.abc import Iterator
from decimal import Decimal

from work_data_hub.domain.exact import written
from work_data_hub.domain.report import DomainReport, TableEffect

_NOTHING = Decimal(0)
_MARKS = str.maketrans({"|": "\\|"})


def differences_line(report: DomainReport) -> str:
    """The differences in one line, and what to do to load what was planned; blank where nothing was compared."""
    if report.status == "unchanged":
        return f"nothing to do: load {report.load_id} is of the same workbook"
    if not report.tables:
        return ""
    if report.skips_facts:
        return f"{report.status}: the facts were left out, as asked"
    table = report.tables[0]
    rows = f"{table.table}: {table.inserted:,} rows in, {table.deleted:,} out, {table.unchanged:,} stay"
    rows += f", {table.updated:,} change" if table.updated else ""
    sums = [f"{name} {_signed(now - before)}" for name, before, now in _sums(report) if now != before]
    moved = "; ".join(sums) if sums else "no sum changes"
    if report.status != "planned":
        return f"{rows}; {moved}"
    command = f"wdh etl --domains {report.domain} --period {report.period} --execute"
    return f"planned, nothing was written. {rows}; {moved}. To load it: Materialize the month, or {command}"


def differences_table(report: DomainReport) -> str:
    """The differences as two tables of Markdown: by table and by sum; blank where nothing was compared."""
    if not report.tables:
        return ""
    rows = [_row(table) for table in (*report.tables, *_references(report))]
    tables = ["| table | in | out | changed | unchanged |", "|--|--:|--:|--:|--:|", *rows]
    sums = [
        f"| {_cell(name)} | {written(before)} | {written(now)} | {_signed(now - before)} |"
        for name, before, now in _sums(report)
    ]
    before = "| sum | loaded until now | this workbook | difference |"
    return "\n".join([*tables, "", before, "|--|--:|--:|--:|", *sums] if sums else tables)


def _references(report: DomainReport) -> Iterator[TableEffect]:
    """The reference tables that gain or change rows."""
    for effect in report.references:
        if effect.inserted or effect.updated:
            yield TableEffect(table=effect.table, inserted=effect.inserted, updated=effect.updated)


def _sums(report: DomainReport) -> Iterator[tuple[str, Decimal, Decimal]]:
    """Each sum before and after; nothing for rows that only come in beside others."""
    for name, before in report.replaced_sums.items():
        now = report.sums.get(name, _NOTHING)
        if before or now:
            yield name, before, now


def _row(table: TableEffect) -> str:
    counts = (table.inserted, table.deleted, table.updated, table.unchanged)
    return f"| {_cell(table.table)} | " + " | ".join(f"{count:,}" for count in counts) + " |"


def _cell(text: str) -> str:
    return text.translate(_MARKS)


def _signed(difference: Decimal) -> str:
    if not difference:
        return "="
    return f"{'+' if difference > 0 else '−'}{written(abs(difference))}"
