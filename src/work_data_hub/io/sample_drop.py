"""A whole invented month on disk, with the exact figures that a load of it must give."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from work_data_hub.domain.period import Period
from work_data_hub.domain.sample.cells import Cell
from work_data_hub.domain.sample.drafts import FIRST_VERSION, SampleMonth, SheetDraft, draft_sheet
from work_data_hub.domain.sample.faults import Fault, Reach, read_faults
from work_data_hub.domain.sample.layouts import AWARDS, DOMAINS, INCOME, LOSSES, PERFORMANCE, TRUSTEE, Layout
from work_data_hub.domain.sample.plans import plan_book
from work_data_hub.errors import UsageError
from work_data_hub.io.sample_damage import damage
from work_data_hub.io.sample_workbook import SheetContent, column_letters, write_workbook

DETAIL_FOLDER, REGISTER_FOLDER = Path("收集数据/数据采集"), Path("收集数据/业务收集")
FEWEST_ROWS = 50

_LOCK_FILE = b"\x02" + b"wd".ljust(164, b" ")
_MAIL = "From: clerk@example.invalid\nSubject: =?utf-8?B?5pWw5o2u?=\n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedCell:
    """Where a fault was put; `row` and `cell` as Excel counts them."""

    fault: Fault
    file: Path
    sheet: str
    cell: str
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSheet:
    """What a written sheet holds.

    `sums` are the exact totals of the amount columns, each cell rounded half up to four
    decimals, blanks and placeholders as nothing. Rows with a planted cell count in `rows`
    and `faulty_rows`, not in `sums`.
    """

    file: Path
    sheet: str
    domain: str
    version: str
    rows: int
    faulty_rows: int
    sums: dict[str, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDrop:
    """One written month: every file, every sheet that a domain reads, every planted cell."""

    folder: Path
    files: tuple[Path, ...]
    sheets: tuple[SampleSheet, ...]
    planted: tuple[PlantedCell, ...]

    def sheet(self, domain: str, version: str = FIRST_VERSION) -> SampleSheet:
        """Return the first sheet of the domain in that version."""
        return next(found for found in self.sheets if (found.domain, found.version) == (domain, version))


def month_folder(out: Path, period: str) -> Path:
    """Return the folder that a drop of the month fills; raise ConfigError where `period` is no month."""
    return out / Period.parse(period).yyyymm


def write_sample_drop(
    out: Path,
    *,
    period: str,
    rows: int = 33_000,
    seed: int = 7,
    faults: Iterable[str] = (),
    versions: Sequence[str] = ("V1", "V2"),
    only: Iterable[str] = (),
    fault_domain: str = PERFORMANCE.domain,
    company_ids: bool = False,
) -> SampleDrop:
    """Write one month under `out/YYYYMM` and return what is in it.

    `rows` counts 规模明细; the other sheets follow from it. Companies and plans depend on the
    seed alone, so months of one seed continue each other. V1 is the first delivery, every
    other version a correction of it: ten cells changed, three rows gone, two new. `faults`
    go into the first sheet of `fault_domain`, in the last version only; without them every
    row is good. `only` names the domains to write (all when empty). `company_ids` adds the
    heading 公司代码 to 规模明细. Files of the same names are overwritten.
    Raises UsageError, before anything is written, for what cannot be.
    """
    domains = _known_domains(only)
    month = SampleMonth(
        period=Period.parse(period), seed=seed, rows=_enough(rows), book=plan_book(seed), company_ids=company_ids
    )
    planted_in, wanted = _faulty_layout(fault_domain, domains), read_faults(faults)
    draft_sheet(month, planted_in, version=versions[-1], faults=wanted)  # refuses what it cannot plant
    pen = _Pen(month, month_folder(out, period), domains=domains, faults=wanted, planted_in=planted_in)
    for version in versions:
        pen.write_details(version, is_last=version == versions[-1])
    pen.write_registers()
    return pen.drop()


class _Pen:
    """Writes the files of one month and remembers what it wrote."""

    def __init__(
        self,
        month: SampleMonth,
        folder: Path,
        *,
        domains: tuple[str, ...],
        faults: tuple[Fault, ...],
        planted_in: Layout,
    ) -> None:
        self._month, self._folder, self._domains = month, folder, domains
        self._faults, self._planted_in = faults, planted_in
        self._files: list[Path] = []
        self._sheets: list[SampleSheet] = []
        self._planted: list[PlantedCell] = []

    def drop(self) -> SampleDrop:
        return SampleDrop(
            folder=self._folder, files=tuple(self._files), sheets=tuple(self._sheets), planted=tuple(self._planted)
        )

    def write_details(self, version: str, *, is_last: bool) -> None:
        """Write the workbook of 规模明细 and 收入明细, and what lies beside it."""
        workbook = self._folder / DETAIL_FOLDER / version / _detail_name(self._month.period, version)
        self._write(workbook, (PERFORMANCE, INCOME), version=version, faulty=is_last, others=_harmless(self._month))
        self._add_noise(workbook)

    def write_registers(self) -> None:
        """Write the register of awards and losses, the trustee's figures and a workbook nobody reads."""
        folder = self._folder / REGISTER_FOLDER / FIRST_VERSION
        register, nested = folder / "【导入模板】台账登记.xlsx", folder / f"每月业务收集-{self._month.period.month}月"
        self._write(register, (*AWARDS, *LOSSES), version=FIRST_VERSION, faulty=True)
        self._write(nested / "受托业绩.xlsx", (TRUSTEE,), version=FIRST_VERSION, faulty=True)
        self._write_others(folder / "考核加扣分反馈.xlsx", ("表1 受托考核加扣分反馈", "表2 投资考核加扣分反馈"))

    def _write(
        self,
        workbook: Path,
        layouts: Sequence[Layout],
        *,
        version: str,
        faulty: bool,
        others: Sequence[SheetContent] = (),
    ) -> None:
        drafts = [self._draft(layout, version, faulty) for layout in layouts if layout.domain in self._domains]
        if not drafts:
            return
        workbook.parent.mkdir(parents=True, exist_ok=True)
        contents = [
            SheetContent(name=draft.name, rows=draft.cells(), height=draft.height, width=draft.width)
            for draft in drafts
        ]
        write_workbook(workbook, [*contents, *others])
        self._sheets += [_written(draft, workbook, version) for draft in drafts]
        self._planted += [found for draft in drafts for found in _planted_cells(draft, workbook)]
        wanted = [fault for fault in self._faults if fault.reach is Reach.FILE and faulty]
        self._files += damage(workbook, wanted[0]) if wanted and self._planted_in in layouts else (workbook,)

    def _draft(self, layout: Layout, version: str, faulty: bool) -> SheetDraft:
        faults = self._faults if faulty and layout == self._planted_in else ()
        return draft_sheet(self._month, layout, version=version, faults=faults)

    def _add_noise(self, workbook: Path) -> None:
        """Lay a lock file, a mail and somebody's answer beside a workbook, for discovery to pass over."""
        if not workbook.parent.is_dir():
            return
        lock, mail = workbook.with_name(f"~${workbook.name}"), workbook.with_name(f"{workbook.stem}.eml")
        lock.write_bytes(_LOCK_FILE)
        mail.write_text(_MAIL, encoding="utf-8")
        self._files += [lock, mail]
        self._write_others(workbook.with_name(f"回复：{workbook.name}"), ("回复",))

    def _write_others(self, workbook: Path, sheets: Sequence[str]) -> None:
        workbook.parent.mkdir(parents=True, exist_ok=True)
        rows = [("机构", "反馈"), ("北京", "无")]
        write_workbook(workbook, [SheetContent(name=name, rows=rows, height=2, width=2) for name in sheets])
        self._files.append(workbook)


def _known_domains(only: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(only) or DOMAINS
    if unknown := [name for name in wanted if name not in DOMAINS]:
        raise UsageError("no such domain", input_data=" ".join(unknown), hint=f"one of {', '.join(DOMAINS)}")
    return wanted


def _faulty_layout(domain: str, domains: tuple[str, ...]) -> Layout:
    if domain in domains:
        return next(
            layout for layout in (PERFORMANCE, INCOME, AWARDS[0], LOSSES[0], TRUSTEE) if layout.domain == domain
        )
    if domain == PERFORMANCE.domain:
        return PERFORMANCE
    raise UsageError("faults can only go into a domain that is written", input_data=domain, hint=", ".join(domains))


def _enough(rows: int) -> int:
    if rows < FEWEST_ROWS:
        raise UsageError("too few rows for a month", input_data=str(rows), hint=f"{FEWEST_ROWS} or more")
    return rows


def _detail_name(period: Period, version: str) -> str:
    """Return the workbook's name as it arrives: sent on the 8th of the next month, corrected on the 11th."""
    sent = period.month % 12 + 1
    day = 8 if version == FIRST_VERSION else 11
    both = "及" if period >= Period(2025, 11) else ""
    month = f"{period.year % 100}年{period.month:02d}月"
    return f"【for年金机构经营分析】{month}年金规模{both}收入数据 {sent:02d}{day:02d}.xlsx"


def _harmless(month: SampleMonth) -> tuple[SheetContent, ...]:
    """Return the sheet that comes along in every such workbook and that no domain reads."""
    period = month.period
    rows: list[Sequence[Cell]] = [("月度", "组合", "规模")]
    rows += [(int(period.yyyymm), plan.name, 100 + number) for number, plan in enumerate(month.book.collective)]
    name = f"{period.year % 100}{period.month:02d}企年投资集合计划组合层"
    return (SheetContent(name=name, rows=rows, height=len(rows), width=3),)


def _written(draft: SheetDraft, workbook: Path, version: str) -> SampleSheet:
    return SampleSheet(
        file=workbook,
        sheet=draft.name,
        domain=draft.layout.domain,
        version=version,
        rows=draft.count,
        faulty_rows=len(draft.planted),
        sums=draft.sums,
    )


def _planted_cells(draft: SheetDraft, workbook: Path) -> list[PlantedCell]:
    return [
        PlantedCell(
            fault=plant.fault,
            file=workbook,
            sheet=draft.name,
            cell=f"{column_letters(plant.column)}{row}",
            row=row,
        )
        for plant, row in [
            *((plant, draft.row_number(plant.row)) for plant in draft.planted),
            *((plant, plant.row) for plant in draft.wrong_totals),
        ]
    ]
