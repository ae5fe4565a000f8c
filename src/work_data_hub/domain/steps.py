"""The step library: every change a domain may declare, vectorised, rows and order kept."""

from collections.abc import Callable, Mapping

import pandas as pd

from work_data_hub.domain.distinct import map_distinct
from work_data_hub.domain.findings import counted
from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.names import normalise_names
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.domain.run import IDENTITY_CONFIDENCE, IDENTITY_SOURCE, RefineRun
from work_data_hub.domain.spec import Step
from work_data_hub.domain.text import is_blank

_NO_NUMBER = frozenset({"nan", "none", "null", "-"})
_BLANK_NAMES = frozenset({"(空白)", "（空白）", "空白"})


def copy(target: str, *, source: str) -> Step:
    """Write `source` into `target` as it stands at this point."""

    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        return rows.assign(**{target: rows[source]})

    return Step(name=f"copy {source} → {target}", reads=(source,), writes=(target,), apply=apply)


def correct(column: str, *, using: str) -> Step:
    """Replace exact values by the mapping `using`; other values stay."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        corrections = _mapping(context, using)
        hits = rows[column].isin(list(corrections))
        if hits.any():
            context.findings.append(counted(f"corrected {column}", rows.loc[hits, column]))
        return rows.assign(**{column: map_distinct(rows[column], lambda value: corrections.get(value, value))})

    return Step(name=f"correct {column}", reads=(column,), writes=(column,), apply=apply)


def fill_missing(column: str, *, by: str, using: str) -> Step:
    """Give a blank `column` the value that the mapping `using` has for `by`, and count it."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        defaults = map_distinct(rows[by], _mapping(context, using).get)
        filled = rows[column].isna() & defaults.notna()
        if filled.any():
            context.findings.append(counted(f"defaulted {column}", defaults[filled]))
        return rows.assign(**{column: rows[column].fillna(defaults)})

    return Step(name=f"fill {column} by {by}", reads=(column, by), writes=(column,), apply=apply)


def translate(target: str, *, source: str, using: str, unknown: str | None = None) -> Step:
    """Write the translation of `source` into `target`; blank and unknown values become `unknown`, counted apart."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        names = rows[source].mask(rows[source].isin(list(_BLANK_NAMES)))
        translated = map_distinct(names, _mapping(context, using).get)
        missing = translated.isna()
        for finding, mask in (("blank", missing & names.isna()), ("unknown", missing & names.notna())):
            if mask.any():
                context.findings.append(counted(f"{finding} {source}", names[mask]))
        return rows.assign(**{target: translated if unknown is None else translated.fillna(unknown)})

    return Step(name=f"translate {source} → {target}", reads=(source,), writes=(target,), apply=apply)


def strip_prefix(column: str, *, letters: str) -> Step:
    """Drop one leading letter of `letters` in front of anything; blanks and placeholders become null."""

    def strip(value: str) -> str | None:
        bare = value[1:] if value[:1] in letters and len(value) > 1 else value
        return None if bare.lower() in _NO_NUMBER else bare

    return _each_distinct(f"strip prefix of {column}", column, strip)


def clean_portfolio(column: str) -> Step:
    """Drop one leading F, write whole numbers as digits: F001 → 001, 12345.0 → 12345; placeholders become null."""

    def clean(value: str) -> str | None:
        bare = value[1:] if value[:1] in "Ff" else value
        digits = bare.removesuffix(".0")
        return None if is_blank(value) or is_blank(bare) else (digits if digits.isdigit() else bare).strip()

    return _each_distinct(f"clean {column}", column, clean)


def normalise_company(column: str) -> Step:
    """Write company names in their comparable form; names that are none become null."""

    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        names = normalise_names(rows[column])
        return rows.assign(**{column: names.mask(names == "")})

    return Step(name=f"normalise {column}", reads=(column,), writes=(column,), apply=apply)


def identify_company(target: str, *, plan: str | None, customer: str, existing: str | None) -> Step:
    """Find each row's company id by the ordered matchers; keeps which matcher decided and how surely."""

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        found = identify(rows, book=run_of(context).book, plan=plan, customer=customer, existing=existing)
        context.findings.append(found)
        return rows.assign(
            **{
                target: found.frame["company_id"],
                IDENTITY_SOURCE: found.frame[IDENTITY_SOURCE],
                IDENTITY_CONFIDENCE: found.frame[IDENTITY_CONFIDENCE],
            }
        )

    reads = tuple(name for name in (plan, customer, existing) if name)
    return Step(name="identify company", reads=reads, writes=(target,), apply=apply)


def run_of(context: PipelineContext) -> RefineRun:
    """The run's own facts, as `refine` put them into the context."""
    run = context.facts["run"]
    if not isinstance(run, RefineRun):
        raise TypeError("the pipeline context carries no RefineRun")
    return run


def _mapping(context: PipelineContext, name: str) -> Mapping[str, str]:
    return run_of(context).mapping(name)


def _each_distinct(name: str, column: str, function: Callable[[str], str | None]) -> Step:
    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        return rows.assign(**{column: map_distinct(rows[column], function)})

    return Step(name=name, reads=(column,), writes=(column,), apply=apply)
