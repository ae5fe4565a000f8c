"""Steps about plans: the sponsor of a single plan, and plan codes from open contracts."""

import hashlib

import pandas as pd

from work_data_hub.domain.distinct import map_distinct
from work_data_hub.domain.findings import Remark, counted
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.domain.spec import Domain, Step
from work_data_hub.domain.steps import run_of
from work_data_hub.domain.text import is_blank

SINGLE, COLLECTIVE = "单一计划", "集合计划"
_PLAN_OF_A_COMPANY = "企业年金计划"
_FIRST_LETTER = {COLLECTIVE: "P", SINGLE: "S"}


def customer_of_single_plan(column: str, *, plan_type: str, plan_name: str) -> Step:
    """Name the sponsor of a single plan after the plan: 甲公司企业年金计划 → 甲公司, and count it.

    Placeholders and 0 in `column` become null first. Collective plans serve many customers: their
    rows stay blank.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        names = map_distinct(rows[column], _real_name)
        sponsors = map_distinct(rows[plan_name], _sponsor)
        filled = names.isna() & rows[plan_type].eq(SINGLE).fillna(False) & sponsors.notna()
        if filled.any():
            context.findings.append(counted(f"{column} from {plan_name}", sponsors[filled]))
        return rows.assign(**{column: names.mask(filled, sponsors)})

    return Step(
        name=f"{column} of single plans",
        says=f"A blank or 0 {column} of a {SINGLE} is what stands in {plan_name} before {_PLAN_OF_A_COMPANY};"
        " other plans stay blank.",
        reads=(column, plan_type, plan_name),
        writes=(column,),
        apply=apply,
    )


def complete_plan(column: str, *, company: str, product_line: str, plan_type: str) -> Step:
    """Give a blank plan code that of the company's open contract in the product line, and count it.

    Of several contracts a collective plan takes the first whose code begins with P, a single plan
    with S, any other and where there is none the very first; the newest contract comes first, then
    the smaller code. Codes that are there stay. Without contracts a remark says so.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        open_plans, blank = run_of(context).open_plans, rows[column].isna()
        if not blank.any():
            return rows
        if open_plans is None:
            context.findings.append(_not_completed(column, rows=int(blank.sum())))
            return rows
        keys = rows.loc[blank, [company, product_line, plan_type]].set_axis(["company", "line", "type"], axis=1)
        found = _first_plans(keys, open_plans).dropna()
        if len(found):
            context.findings.append(counted(f"completed {column}", found))
        return rows.assign(**{column: rows[column].fillna(found.reindex(rows.index))})

    return Step(
        name=f"complete {column}",
        says=f"A blank {column} is taken from the open contract of the {company} in the {product_line}, and counted.",
        reads=(column, company, product_line, plan_type),
        writes=(column,),
        apply=apply,
        needs_open_plans=True,
    )


def needs_open_plans(domain: Domain) -> bool:
    """Say whether a step of the domain looks plans up in open contracts."""
    return any(step.needs_open_plans for step in domain.steps)


def digest_of(open_plans: pd.DataFrame | None) -> str:
    """Sixteen hex digits that change with any open contract; empty where there is none."""
    if open_plans is None or open_plans.empty:
        return ""
    lines = open_plans.astype("string").sort_values(list(open_plans.columns)).to_csv(index=False)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def _real_name(written: str) -> str | None:
    return None if is_blank(written) or written.strip() == "0" else written


def _sponsor(plan: str) -> str | None:
    bare = plan.strip()
    return (bare.removesuffix(_PLAN_OF_A_COMPANY).strip() or None) if bare.endswith(_PLAN_OF_A_COMPANY) else None


def _not_completed(column: str, *, rows: int) -> Remark:
    return Remark(
        text=f"{column} was not completed from contracts: there is no contract table, or no database; "
        f"{rows} rows came without one and have the default of their plan type, or none"
    )


def _first_plans(keys: pd.DataFrame, open_plans: pd.DataFrame) -> pd.Series:
    """The plan code of each key (company, line, type), null where no contract is open; index kept."""
    plans = open_plans.set_axis(["company", "line", "plan", "since"], axis=1).astype({"plan": "string"})
    plans = plans.sort_values(["since", "plan"], ascending=[False, True], kind="stable")
    letters = keys["type"].map(_FIRST_LETTER).fillna("")
    found = _matched(keys, plans)
    for letter in _FIRST_LETTER.values():
        fitting = _matched(keys, plans[plans["plan"].str.startswith(letter)])
        found = fitting.where(letters.eq(letter) & fitting.notna(), found)
    return found


def _matched(keys: pd.DataFrame, plans: pd.DataFrame) -> pd.Series:
    """The first plan of each key's company and line."""
    first = plans.drop_duplicates(["company", "line"]).set_index(["company", "line"])["plan"]
    wanted = pd.MultiIndex.from_frame(keys[["company", "line"]])
    return pd.Series(first.reindex(wanted).to_numpy(), index=keys.index, dtype="string")
