"""Bronze cells to gold rows: parse, run the domain's steps, check, and set bad rows aside with their reasons."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import PROVENANCE, SOURCE_FILE, SOURCE_ROW, SOURCE_SHEET, Bronze
from work_data_hub.domain.cell_blocks import parse_cells
from work_data_hub.domain.exact import exact_sums
from work_data_hub.domain.findings import Counted, Rejected, Remark, added_up, reject_table, rejected
from work_data_hub.domain.identity.identified import Identified
from work_data_hub.domain.kinds import DATE_DTYPE, parse_column
from work_data_hub.domain.period import Period
from work_data_hub.domain.pipelines import DataFrameStep, Pipeline, PipelineConfig, PipelineContext, PipelineResult
from work_data_hub.domain.run import IDENTITY_CONFIDENCE, IDENTITY_SOURCE, Outcome, RefineRun
from work_data_hub.domain.spec import Column, Domain, Kind
from work_data_hub.errors import NoDataRows, WrongMonth

Emit = Callable[[str, Mapping[str, Any]], None]


def refine(
    domain: Domain,
    bronze: Bronze,
    run: RefineRun,
    *,
    emit: Emit = lambda event, facts: None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Outcome:
    """Clean and check a sheet; every row read ends in `gold` or, with a reason, in `rejects`.

    Raises WrongMonth when a row names another month than the run, or a month to come.
    """
    context = PipelineContext(
        pipeline_name=domain.name, execution_id=run.run_id, facts={"run": run, "bronze": bronze, "domain": domain}
    )
    pipeline = Pipeline(domain.name, PipelineConfig(stop_on_error=True), emit=emit, clock=clock)
    steps: tuple[DataFrameStep, ...] = (
        ParseCells(domain=domain),
        *domain.steps,
        CheckMonth(domain=domain),
        CheckRequired(domain=domain),
        CheckUnique(domain=domain),
    )
    for step in steps:
        pipeline.add_step(step)
    result: PipelineResult = pipeline.run(bronze.frame, context)
    result.raise_first()
    return _outcome(domain, bronze, run, rows=result.output_data, findings=context.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParseCells:
    """Read every cell by its column's kind; columns the sheet lacks are all null."""

    domain: Domain
    name: str = "parse cells"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        bronze: Bronze = context.facts["bronze"]
        run: RefineRun = context.facts["run"]
        there = [column for column in self.domain.columns if column.name in df.columns]
        values, findings = parse_cells(there, bronze, mapper=run.mapper)
        context.findings.extend((*findings, *_broken_cells(bronze)))
        parsed = {
            column.name: values[column.name] if column.name in values else _all_null(column, df.index)
            for column in self.domain.columns
        }
        return pd.DataFrame(parsed | {name: df[name] for name in PROVENANCE}, copy=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMonth:
    """Refuse the file when a row names another month than the run or a month to come."""

    domain: Domain
    name: str = "check month"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        run: RefineRun = context.facts["run"]
        months = df[self.domain.load.column]
        expected = _expected_month(run, months)
        wrong = (months.notna() & (months != expected.first_day)).to_numpy(dtype=bool, na_value=False)
        if wrong.any():
            raise self._wrong_month(df, context, expected=expected, at=int(np.flatnonzero(wrong)[0]), rows=wrong.sum())
        if expected.first_day > run.today:
            raise self._wrong_month(df, context, expected=expected, at=0, rows=len(df))
        return df

    def _wrong_month(
        self, df: pd.DataFrame, context: PipelineContext, *, expected: Period, at: int, rows: int
    ) -> WrongMonth:
        bronze: Bronze = context.facts["bronze"]
        column, row = self.domain.load.column, bronze.frame.iloc[at]
        month = df[column].iloc[at]
        letters = bronze.letters_of(row[SOURCE_FILE], row[SOURCE_SHEET])
        written = [name for name in self._sources() if name in letters and pd.notna(row[name])]
        named = Period.of(month) if pd.notna(month) else None
        future = pd.notna(month) and month > context.facts["run"].today
        found = "a month to come" if future else "another month"
        return WrongMonth(
            f"{rows} rows name {found}: {column} is {named or '(blank)'}, the run is for {expected}",
            domain=self.domain.name,
            file=row[SOURCE_FILE],
            sheet=row[SOURCE_SHEET],
            cell=f"{letters[written[0]] if written else ''}{row[SOURCE_ROW]}",
            row_number=int(row[SOURCE_ROW]),
            field=column,
            input_data=" ".join(str(row[name]) for name in written),
            rule="every row's month is the month of its folder, and not in the future",
            hint=f"correct the rows, or load the file with --period {named.yyyymm if named else 'YYYYMM'}",
        )

    def _sources(self) -> tuple[str, ...]:
        """The columns of the sheet that the month comes from."""
        column = self.domain.load.column
        writers = [step.reads for step in self.domain.steps if column in step.writes]
        return writers[-1] if writers else (column,)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequired:
    """Reject rows in which a value that may never be null is null after all defaults."""

    domain: Domain
    name: str = "check required values"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        key = self.domain.unique_key
        for column in self.domain.stored:
            if (not column.nullable or column.name in key) and column.kind is not Kind.MONTH:
                missing = np.flatnonzero(df[column.name].isna())
                if len(missing):
                    context.findings.append(rejected(missing, column=column.name, values="", rule="WDH-V303"))
        return df


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckUnique:
    """Reject every further row of a unique key, at the key's last column; rows with a blank in the key are left out."""

    domain: Domain
    name: str = "check unique key"

    def execute(self, df: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        if not self.domain.unique_key:
            return df
        keys = df[list(self.domain.unique_key)]
        repeated = np.flatnonzero(keys.duplicated().to_numpy() & keys.notna().all(axis=1).to_numpy())
        if len(repeated):
            last = self.domain.unique_key[-1]
            values = keys[last].iloc[repeated]
            context.findings.append(rejected(repeated, column=last, values=values, rule="WDH-V304"))
        return df


def _expected_month(run: RefineRun, months: pd.Series) -> Period:
    if run.period is not None:
        return run.period
    known = months.dropna()
    if known.empty:
        raise NoDataRows("no row names a month", hint="fill in the month column")
    return Period.of(known.iloc[0])


def _all_null(column: Column, index: pd.Index) -> pd.Series:
    if column.kind in (Kind.MONTH, Kind.DATE):
        return pd.Series(pd.NA, index=index, dtype=DATE_DTYPE)
    if column.is_number:
        empty = Bronze(
            frame=pd.DataFrame({column.name: np.full(len(index), np.nan)}, index=index),
            texts=pd.DataFrame({"position": [], "column": [], "text": []}),
            broken=pd.DataFrame(),
            letters={},
        )
        return parse_column(column, empty)[0]
    return pd.Series(pd.NA, index=index, dtype="boolean" if column.kind is Kind.FLAG else "string")


def _with_identity(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a domain that identifies no company have its columns all null."""
    if IDENTITY_SOURCE in rows.columns:
        return rows
    source = pd.Series(pd.NA, index=rows.index, dtype="string")
    confidence = pd.Series(np.nan, index=rows.index)
    return rows.assign(**{IDENTITY_SOURCE: source, IDENTITY_CONFIDENCE: confidence})


def _broken_cells(bronze: Bronze) -> list[Rejected]:
    if bronze.broken.empty:
        return []
    found = bronze.broken["found"].astype("string")
    rules = np.where(
        found.str.startswith("#"), "WDH-V401", np.where(found.isin(["TRUE", "FALSE"]), "WDH-V403", "WDH-V402")
    )
    cells = bronze.broken[["position", "column"]].assign(value=found.to_numpy(), rule=rules)
    return [Rejected(cells=cells)]


def _outcome(domain: Domain, bronze: Bronze, run: RefineRun, *, rows: pd.DataFrame, findings: list[Any]) -> Outcome:
    rejects = _placed(reject_table([f for f in findings if isinstance(f, Rejected)]), bronze)
    kept = np.ones(len(rows), dtype=bool)
    kept[rejects["position"].unique().astype("int64")] = False
    names = [column.name for column in domain.stored]
    gold = _with_identity(rows)[[*names, IDENTITY_SOURCE, IDENTITY_CONFIDENCE, *PROVENANCE]]
    gold = gold if kept.all() else gold[kept].reset_index(drop=True)
    identified = [f for f in findings if isinstance(f, Identified)]
    return Outcome(
        gold=gold,
        rejects=rejects,
        rows_read=bronze.rows_read,
        period=_expected_month(run, rows[domain.load.column]),
        counts=added_up(f for f in findings if isinstance(f, Counted)),
        remarks=tuple(f.text for f in findings if isinstance(f, Remark)),
        identity=identified[-1].hits if identified else {},
        unresolved_names=identified[-1].unresolved_names if identified else (),
        identified=identified[-1].of_rows(kept) if identified else None,
        sums=exact_sums(gold, [column.name for column in domain.stored if column.kind is Kind.MONEY]),
        unknown_headings=tuple(h for h in bronze.unknown_headings if h not in domain.ignored_headings),
        missing_headings=tuple(
            column.name for column in domain.read if column.stored and column.name not in bronze.frame.columns
        ),
    )


def _placed(rejects: pd.DataFrame, bronze: Bronze) -> pd.DataFrame:
    """Give each rejected cell its file, sheet, row and A1 address."""
    rejects = rejects.drop_duplicates(["position", "column"], ignore_index=True)
    place = bronze.frame[list(PROVENANCE)].iloc[rejects["position"].astype("int64")].reset_index(drop=True)
    cells = [
        f"{bronze.letters_of(file, sheet).get(column, '')}{row}"
        for column, (file, sheet, row) in zip(rejects["column"], place.itertuples(index=False), strict=True)
    ]
    return pd.concat([rejects, place], axis=1).assign(cell=pd.Series(cells, dtype="string"))
