"""What `wdh sample` does once its options are read."""

from pathlib import Path

import typer

from work_data_hub.domain.sample.faults import Fault
from work_data_hub.errors import UsageError
from work_data_hub.io.sample_drop import SampleDrop, month_folder, write_sample_drop


def run(
    *,
    period: str,
    rows: int,
    out: Path,
    seed: int,
    faults: tuple[str, ...],
    fault_domain: str,
    only: tuple[str, ...],
    versions: tuple[str, ...],
    company_ids: bool,
    force: bool,
) -> None:
    """Write the month and list its files; raise UsageError when its folder is there and `force` is not set."""
    folder = month_folder(out, period)
    if folder.exists() and not force:
        raise UsageError(
            "the month is there already", file=str(folder), hint="--force overwrites, --out goes elsewhere"
        )
    drop = write_sample_drop(
        out,
        period=period,
        rows=rows,
        seed=seed,
        faults=faults,
        versions=versions,
        only=only,
        fault_domain=fault_domain,
        company_ids=company_ids,
    )
    for line in _lines(drop, out):
        typer.echo(line)


def print_faults() -> None:
    """List every fault that can be planted, with a line on each."""
    for fault in Fault:
        typer.echo(f"{fault:<18} {fault.words}")


def _lines(drop: SampleDrop, out: Path) -> list[str]:
    rows = {file: [sheet for sheet in drop.sheets if sheet.file == file] for file in drop.files}
    lines = []
    for file, sheets in rows.items():
        held = ", ".join(f"{sheet.sheet} {sheet.rows:,} rows" for sheet in sheets)
        lines.append(f"{file.relative_to(out)}  {held}".rstrip())
    lines += [f"planted {cell.fault}: {cell.sheet}!{cell.cell} in {cell.file.name}" for cell in drop.planted]
    return lines
