"""The step library: every change a domain may declare, vectorised, rows and order kept."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from work_data_hub.domain.distinct import map_distinct
from work_data_hub.domain.findings import Counted, Rejected, counted
from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.identified import COMPANY_ID, CONFIDENCE, SOURCE, IdentityColumns
from work_data_hub.domain.identity.names import TAKES_WORDS, normalise_names, rule_counts, shortened
from work_data_hub.domain.identity.written_ids import contradicted_ids, unusable_ids
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.domain.run import IDENTITY_CONFIDENCE, IDENTITY_SOURCE, RefineRun
from work_data_hub.domain.spec import Step
from work_data_hub.domain.text import is_blank

_NO_NUMBER = frozenset({"nan", "none", "null", "-"})
_ZERO: Any = Decimal(0)  # pandas' stubs know no Decimal


def copy(target: str, *, source: str) -> Step:
    """Write `source` into `target` as it stands at this point."""

    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        return rows.assign(**{target: rows[source]})

    return Step(
        name=f"copy {source} → {target}",
        says=f"{target} is a copy of {source} as it stands at this point.",
        reads=(source,),
        writes=(target,),
        apply=apply,
    )


def correct(column: str, *, using: str) -> Step:
    """Replace exact values by the mapping `using`; other values stay."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        corrections = _mapping(context, using)
        hits = rows[column].isin(list(corrections))
        if hits.any():
            context.findings.append(counted(f"corrected {column}", rows.loc[hits, column]))
        return rows.assign(**{column: map_distinct(rows[column], lambda value: corrections.get(value, value))})

    return Step(
        name=f"correct {column}",
        says=f"Known mistakes in {column} are corrected and counted ({using}).",
        reads=(column,),
        writes=(column,),
        apply=apply,
    )


def standardise(column: str, *, using: str) -> Step:
    """Write known spellings in their standard form; unknown ones are kept, and counted as blanks are.

    The mapping `using` goes from spelling to standard form; a standard form needs no entry of its own.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        spellings = _mapping(context, using)
        standard = map_distinct(rows[column], lambda value: spellings.get(value, value))
        _count_strangers(context, column, standard, known=spellings.values())
        return rows.assign(**{column: standard})

    return Step(
        name=f"standardise {column}",
        says=f"Known spellings of {column} are written in one form ({using}); unknown ones stay and are counted.",
        reads=(column,),
        writes=(column,),
        apply=apply,
    )


def note_unknown(column: str, *, among: str) -> Step:
    """Count values of `column` that are no standard form of the mapping `among`, blanks apart; changes nothing."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        _count_strangers(context, column, rows[column], known=_mapping(context, among).values())
        return rows

    return Step(
        name=f"note unknown {column}",
        says=f"Blank and unknown {column} stay as they are and are counted ({among}).",
        reads=(column,),
        writes=(),
        apply=apply,
    )


def fill_missing(column: str, *, by: str, using: str) -> Step:
    """Give a blank `column` the value that the mapping `using` has for `by`, and count it."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        defaults = map_distinct(rows[by], _mapping(context, using).get)
        filled = rows[column].isna() & defaults.notna()
        if filled.any():
            context.findings.append(counted(f"defaulted {column}", defaults[filled]))
        return rows.assign(**{column: rows[column].fillna(defaults)})

    return Step(
        name=f"fill {column} by {by}",
        says=f"A blank {column} gets the default of its {by}, and is counted ({using}).",
        reads=(column, by),
        writes=(column,),
        apply=apply,
    )


def fill_zero(*columns: str) -> Step:
    """Write 0 where a number is blank, and count it; cells that could not be read are not counted."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        for column in columns:
            blank = rows[column].isna().to_numpy(dtype=bool) & ~_rejected_in(context, column, len(rows))
            if blank.any():
                nothing = pd.Series(pd.NA, index=range(int(blank.sum())), dtype="string")
                context.findings.append(counted(f"blank {column}", nothing))
        return rows.assign(**{column: rows[column].fillna(_ZERO) for column in columns})

    return Step(
        name=f"fill {', '.join(columns)} with 0",
        says=f"Blank {', '.join(columns)} are 0, and are counted.",
        reads=columns,
        writes=columns,
        apply=apply,
    )


def translate(target: str, *, source: str, using: str, unknown: str | None = None, tells: bool = True) -> Step:
    """Write the translation of `source` into `target`; blank and unknown values become `unknown`, counted apart.

    Without `tells` nothing is counted: for a source that a step before has counted already.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        translations = _mapping(context, using)
        translated = map_distinct(rows[source], lambda name: None if is_blank(name) else translations.get(name))
        if tells:
            _count_missing(context, source, rows.loc[translated.isna(), source])
        return rows.assign(**{target: translated if unknown is None else translated.fillna(unknown)})

    otherwise = "stays blank" if unknown is None else f"becomes {unknown}"
    return Step(
        name=f"translate {source} → {target}",
        says=f"{target} is looked up by {source} ({using}); without a hit it {otherwise}, and is counted.",
        reads=(source,),
        writes=(target,),
        apply=apply,
    )


def branch_of(target: str, *, name: str, using: str, unknown: str) -> Step:
    """Write the branch code of each row: by the branch's name; where that is blank, the known code delivered.

    Reads `name` and, as delivered, `target`. What is left, blank or unknown, becomes `unknown`; every
    row whose code does not come from the name is counted.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        branches = _mapping(context, using)
        names, codes = _without_placeholders(rows[name]), _without_placeholders(rows[target])
        by_name = map_distinct(names, branches.get)
        unnamed = names.isna()
        delivered = codes.where(unnamed & codes.isin(list(branches.values())))
        if delivered.notna().any():
            context.findings.append(counted(f"delivered {target}", delivered.dropna()))
        left = by_name.isna() & delivered.isna()
        by_code = unnamed & codes.notna()
        _count_missing(context, target, codes[left & by_code])
        _count_missing(context, name, names[left & ~by_code])
        return rows.assign(**{target: by_name.fillna(delivered).fillna(unknown)})

    return Step(
        name=f"branch of {name}",
        says=f"{target} is looked up by {name}; where that is blank, a known code delivered counts; else it is"
        f" {unknown}. All but the first are counted ({using}).",
        reads=(name, target),
        writes=(target,),
        apply=apply,
    )


def strip_prefix(column: str, *, letters: str) -> Step:
    """Drop one leading letter of `letters` in front of anything; blanks and placeholders become null."""

    def strip(value: str) -> str | None:
        bare = value[1:] if value[:1] in letters and len(value) > 1 else value
        return None if bare.lower() in _NO_NUMBER else bare

    return _each_distinct(
        f"strip prefix of {column}", column, strip, says=f"One leading {' or '.join(letters)} of {column} is dropped."
    )


def clean_portfolio(column: str) -> Step:
    """Drop one leading F, write whole numbers as digits: F001 → 001, 12345.0 → 12345; placeholders become null."""

    def clean(value: str) -> str | None:
        bare = value[1:] if value[:1] in "Ff" else value
        digits = bare.removesuffix(".0")
        return None if is_blank(value) or is_blank(bare) else (digits if digits.isdigit() else bare).strip()

    return _each_distinct(
        f"clean {column}", column, clean, says=f"One leading F of {column} is dropped; placeholders are blank."
    )


def normalise_company(column: str) -> Step:
    """Write company names in their comparable form; names that are none become null.

    Rows whose name loses words are counted, rule by rule; what only changes how it is typed is not told.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        names, changed = normalise_names(rows[column]), shortened(rows[column])
        if changed.any():
            counts = rule_counts(rows.loc[changed, column])
            told = {rule: count for rule, count in counts.items() if count and rule in TAKES_WORDS}
            context.findings.append(Counted(name=f"shortened {column}", rows=int(changed.sum()), values=told))
        return rows.assign(**{column: names.mask(names == "")})

    return Step(
        name=f"normalise {column}",
        says=f"{column} is written in its comparable form (`wdh identity names` lists the rules); what is no name is"
        " blank. Names that lose words are counted.",
        reads=(column,),
        writes=(column,),
        apply=apply,
    )


def identify_company(
    target: str,
    *,
    plan: str | None,
    customer: str,
    existing: str | None,
    plan_type: str | None = None,
    written: str | None = None,
) -> Step:
    """Find each row's company id by the ordered matchers; keeps which matcher decided and how surely.

    Without `plan_type` no plan code stands for a company; `written` is the customer's name as typed.
    """
    columns = IdentityColumns(
        target=target, plan=plan, plan_type=plan_type, customer=customer, existing=existing, written=written
    )

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        out = _rejected_rows(context, len(rows))
        found = identify(rows, book=run_of(context).book, columns=columns, rejected=out)
        context.findings.append(found)
        answers = found.frame
        if existing:
            _count_written_ids(context, existing, rows[existing], found=answers[COMPANY_ID])
        if (other := found.against_plan).any():
            context.findings.append(
                counted(f"{customer} known as another company's than the plan's", rows[customer][other])
            )
        return rows.assign(
            **{
                target: answers[COMPANY_ID],
                IDENTITY_SOURCE: answers[SOURCE],
                IDENTITY_CONFIDENCE: answers[CONFIDENCE],
            }
        )

    by_hand = " or ".join(name for name in (plan, customer) if name)
    return Step(
        name="identify company",
        says=f"{target} is what people have settled for the {by_hand}, else what the index knows of it,"
        f" else {existing or 'nothing'} as delivered, else the registry's answer, else a temporary id made from"
        " the name.",
        reads=(*columns.reads, *((written,) if written else ())),
        writes=(target,),
        apply=apply,
        identity=columns,
    )


def run_of(context: PipelineContext) -> RefineRun:
    """The run's own facts, as `refine` put them into the context."""
    run = context.facts["run"]
    if not isinstance(run, RefineRun):
        raise TypeError("the pipeline context carries no RefineRun")
    return run


def _count_written_ids(context: PipelineContext, column: str, written: pd.Series, *, found: pd.Series) -> None:
    """Count delivered ids that are none, and those of another company than the one found."""
    for name, mask in (
        (f"unusable {column}", unusable_ids(written)),
        (f"{column} of another company", contradicted_ids(written, found)),
    ):
        if mask.any():
            context.findings.append(counted(name, written[mask]))


def _count_missing(context: PipelineContext, column: str, values: pd.Series) -> None:
    """Count the rows given as blank or unknown `column`, by whether a value stands there."""
    if len(values):
        names = _without_placeholders(values)
        for finding, found in (("blank", names[names.isna()]), ("unknown", names[names.notna()])):
            if len(found):
                context.findings.append(counted(f"{finding} {column}", found))


def _count_strangers(context: PipelineContext, column: str, values: pd.Series, *, known: Iterable[str]) -> None:
    _count_missing(context, column, values[~values.isin(list(set(known)))])


def _rejected_in(context: PipelineContext, column: str, rows: int) -> np.ndarray:
    """Which rows have a rejected cell in the column."""
    found = np.zeros(rows, dtype=bool)
    for finding in context.findings:
        if isinstance(finding, Rejected):
            cells = finding.cells
            found[cells.loc[cells["column"] == column, "position"].to_numpy(dtype="int64")] = True
    return found


def _rejected_rows(context: PipelineContext, rows: int) -> np.ndarray:
    """Which rows have a rejected cell so far."""
    found = np.zeros(rows, dtype=bool)
    for finding in context.findings:
        if isinstance(finding, Rejected):
            found[finding.cells["position"].to_numpy(dtype="int64")] = True
    return found


def _without_placeholders(values: pd.Series) -> pd.Series:
    return map_distinct(values, lambda value: None if is_blank(value) else value)


def _mapping(context: PipelineContext, name: str) -> Mapping[str, str]:
    return run_of(context).mapping(name)


def _each_distinct(name: str, column: str, function: Callable[[str], str | None], *, says: str) -> Step:
    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        return rows.assign(**{column: map_distinct(rows[column], function)})

    return Step(name=name, says=says, reads=(column,), writes=(column,), apply=apply)
