"""`wdh demo`: the main job on sample data, with the same code that real months go through."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from openpyxl import load_workbook

from work_data_hub.cli.customer_mdm_history_run import history_lines
from work_data_hub.cli.demo_identity import show_identity
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.etl_run import run_domain
from work_data_hub.cli.render import Progress, render_report
from work_data_hub.cli.text_table import number_lines, page_width
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.report import DomainReport, RunReport
from work_data_hub.errors import UsageError, WarehouseError
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.returned_workbook import read_returned
from work_data_hub.io.sample_drop import write_sample_drop
from work_data_hub.io.schema_head import schema_folder
from work_data_hub.orchestration.customer_history import most_told_history
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.requests import FileRequest, Workplace
from work_data_hub.orchestration.rework import reworked
from work_data_hub.settings import Settings

DOMAIN, MONTH = "annuity_performance", "202410"
_BAD_MONTH = "202411"
OTHER_DOMAINS = ("annual_award", "annual_loss", "annuity_income")


def run_demo(*, rows: int, folder: Path | None, keep: bool) -> int:
    """Run every scene in a folder and a server of the demo's own; 0 when each ended as it should."""
    settings = _demo_settings(open_door(), folder)
    started = time.perf_counter()
    with _embedded(settings, keep=keep):
        shown = _scenes(settings, rows=rows)
        _say(f"{len(shown) + 1} who are these companies: wdh identity queue --drain, wdh identity apply")
        show_identity(settings, workplace(settings, execute=True))
        _say(f"{len(shown) + 2} one customer's contracts, and why: wdh customer-mdm history")
        print("\n".join(history_lines(most_told_history(workplace(settings, execute=False)), width=page_width())))
    _say("what happened")
    print("\n".join(number_lines([_TITLES, *(_row(name, report) for name, report in shown)])))
    _next_steps(settings, seconds=time.perf_counter() - started)
    wrong = [name for (name, report), status in zip(shown, _EXPECTED, strict=True) if report.status != status]
    if wrong:
        raise WarehouseError(
            f"the demo did not go as it should: {', '.join(wrong)}", hint="run it again with a clean --folder"
        )
    return 0


_TITLES = ["scene", "status", "read", "rejected", "deleted", "inserted", "unchanged", "seconds"]
_EXPECTED = ("planned", "loaded", "unchanged", "loaded", "failed", "loaded", "loaded", "loaded", "loaded")


def _scenes(settings: Settings, *, rows: int) -> list[tuple[str, DomainReport]]:
    data, cells = settings.data_root, max(rows, 100)
    _say(f"a sample month of {cells:,} rows, V1 and the corrected V2, in {data}")
    for period in (MONTH, _BAD_MONTH):
        shutil.rmtree(data / period, ignore_errors=True)
    write_sample_drop(data, period=MONTH, rows=cells)
    write_sample_drop(data, period=_BAD_MONTH, rows=cells, faults=["text_in_amount"])
    request = FileRequest(run_id=uuid4().hex[:12], domain=DOMAIN, period=Period.parse(MONTH), version="V1")
    place = workplace(settings, execute=True)
    scenes = [
        ("1 plan V1: writes nothing", request),
        ("2 execute V1: one transaction", replace(request, execute=True)),
        ("3 execute V1 again", replace(request, execute=True)),
        ("4 execute V2, the correction", replace(request, execute=True, version=None)),
        (
            "5 a month with text in amounts",
            replace(request, execute=True, version=None, period=Period.parse(_BAD_MONTH)),
        ),
    ]
    shown = [(name, _scene(name, request, place, settings)) for name, request in scenes]
    shown.append(_sent_back(scenes[-1][1], shown[-1][1], place, settings))
    for number, domain in enumerate(OTHER_DOMAINS, start=len(shown) + 1):
        name = f"{number} execute {domain}"
        other = replace(request, domain=domain, version=None, execute=True)
        shown.append((name, _scene(name, other, place, settings)))
    return shown


def _sent_back(
    failed: FileRequest, report: DomainReport, place: Workplace, settings: Settings
) -> tuple[str, DomainReport]:
    """The rejected cells corrected in their workbook, and the workbook taken back."""
    if report.rejects_path is None:
        raise WarehouseError(
            "the demo's bad month wrote no rejects workbook", hint="run it again with a clean --folder"
        )
    _say(f"the rejects workbook, {report.rejects_path}: its red cells are given an amount")
    print("\n".join(f"  {line}" for line in _correct(Path(report.rejects_path))))
    name = "6 the workbook sent back: wdh requeue"
    returned = read_returned(Path(report.rejects_path), domains=DOMAINS)
    return name, _scene(name, reworked(replace(failed, period=None), returned), place, settings)


def _correct(path: Path) -> list[str]:
    """Type an amount into every cell that carries a reason, as its owner would; says what was changed."""
    book, lines = load_workbook(path), []
    for sheet in book.worksheets:
        for cell in (cell for row in sheet.iter_rows() for cell in row if cell.comment):
            lines.append(f"{sheet.title}!{cell.coordinate}  {cell.value} → 1000")
            cell.value = 1000
    book.save(path)
    return lines


def _scene(name: str, request: FileRequest, place: Workplace, settings: Settings) -> DomainReport:
    _say(name)
    began = time.perf_counter()
    report = run_domain(replace(request, run_id=uuid4().hex[:12]), place, settings, Progress(sys.stderr, quiet=False))
    run = RunReport(
        mode="execute" if request.execute else "plan",
        run_id=request.run_id,
        seconds=time.perf_counter() - began,
        database=describe_database(place.database_url),
        domains=(report,),
    )
    sys.stdout.flush()
    render_report(run)
    return report


def _demo_settings(settings: Settings, folder: Path | None) -> Settings:
    if settings.database_url is not None:
        raise UsageError(
            "the demo writes only to an embedded server of its own, and DATABASE_URL is set",
            hint="unset DATABASE_URL for this command: env -u DATABASE_URL ./wdh demo",
        )
    home = (folder or settings.home / "demo").resolve()
    home.mkdir(parents=True, exist_ok=True)
    config = settings.config_dir if settings.config_dir.is_dir() else schema_folder().parent.parent / "config"
    ours = {"home": home, "data_root": home / "data", "dagster_home": None, "config_dir": config, "eqc_enabled": False}
    return settings.model_copy(update=ours)


@contextmanager
def _embedded(settings: Settings, *, keep: bool) -> Iterator[None]:
    _say("an embedded PostgreSQL, migrated")
    try:
        yield
    finally:
        server = EmbeddedPostgres(settings.home)
        if not keep and server.is_running():
            server.stop()


def _row(name: str, report: DomainReport) -> list[str]:
    effect = report.tables[0] if report.tables else None
    counts = (effect.deleted, effect.inserted, effect.unchanged) if effect else (0, 0, 0)
    numbers = (report.rows_read, report.rows_rejected, *counts)
    return [name, report.status, *(f"{number:,}" for number in numbers), f"{sum(report.seconds.values()):.1f}"]


def _say(words: str) -> None:
    print(f"\n── {words}", flush=True)


def _next_steps(settings: Settings, *, seconds: float) -> None:
    home = f"WDH_HOME={settings.home} WDH_DATA_ROOT={settings.data_root}"
    print(
        f"\ndone in {seconds:.0f} s. Try next:\n"
        f"  {home} ./wdh etl --all-domains --period {MONTH}\n"
        f"  {home} ./wdh rejects\n"
        f"  {home} ./wdh identity unknown\n"
        f"  {home} ./wdh customer-mdm snapshot --plot customers.html\n"
        f"  {home} ./wdh db shell\n"
        f"  {home} ./wdh dagster up       # the months and runs above, on http://127.0.0.1:3000\n"
        f"  ./wdh rule WDH-V201           # why a cell was rejected\n"
        f"  ./wdh etl --help"
    )
