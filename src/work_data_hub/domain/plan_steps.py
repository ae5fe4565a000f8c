"""Steps about plans: the sponsor of a single plan, and plan codes from contracts."""

import hashlib
from datetime import date

import pandas as pd

from work_data_hub.domain.distinct import map_distinct
from work_data_hub.domain.findings import Remark, counted
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.domain.spec import Domain, Step
from work_data_hub.domain.steps import run_of
from work_data_hub.domain.text import is_blank

SINGLE, COLLECTIVE = "单一计划", "集合计划"
REPORTED, COMPLETED = "上报", "合同"
"""Where the plan code of a register's row is from; a default has neither."""

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


def complete_plan(column: str, *, source: str, month: str, company: str, product_line: str, plan_type: str) -> Step:
    """Give a blank plan code that of a contract the company has in the product line, and count it.

    Only contracts that began before the row's month count, so that a month's own facts do not change what
    the same register says. Of several, a collective plan takes the first whose code begins with P, a single
    plan with S, any other and where there is none the very first; the newest contract comes first, then the
    smaller code. Codes that are there stay. `source` tells 上报 from 合同. Without contracts a remark says so.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        blank = rows[column].isna()
        found = _completed(rows[blank], context, column, [company, product_line, plan_type, month])
        origin = pd.Series(REPORTED, index=rows.index, dtype="string").mask(blank, None)
        return rows.assign(
            **{column: rows[column].fillna(found), source: origin.fillna(found.notna().map({True: COMPLETED}))}
        )

    return Step(
        name=f"complete {column}",
        says=f"A blank {column} is taken from a contract of the {company} in the {product_line} that is older than the"
        f" {month}, and counted; {source} tells {REPORTED} from {COMPLETED}.",
        reads=(column, company, product_line, plan_type, month),
        writes=(column, source),
        apply=apply,
        needs_open_plans=True,
    )


def _completed(rows: pd.DataFrame, context: PipelineContext, column: str, reads: list[str]) -> pd.Series:
    """The plan code of each row, null where no contract gives one; counted, or told that there are no contracts."""
    known = run_of(context).open_plans
    if known is None or rows.empty:
        if len(rows):
            context.findings.append(_not_completed(column, rows=len(rows)))
        return pd.Series(pd.NA, index=rows.index, dtype="string")
    found = first_plans(rows[reads].set_axis(["company", "line", "type", "month"], axis=1), known)
    if found.notna().any():
        context.findings.append(counted(f"completed {column}", found.dropna()))
    return found


def needs_open_plans(domain: Domain) -> bool:
    """Say whether a step of the domain looks plans up in contracts."""
    return any(step.needs_open_plans for step in domain.steps)


def digest_of(open_plans: pd.DataFrame | None, *, before: date) -> str:
    """Sixteen hex digits that change with any contract that began before the day; empty where there is none."""
    known = None if open_plans is None else open_plans[_began(open_plans) < pd.Timestamp(before)]
    if known is None or known.empty:
        return ""
    lines = known.astype("string").sort_values(list(known.columns)).to_csv(index=False)
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


def first_plans(keys: pd.DataFrame, known: pd.DataFrame) -> pd.Series:
    """The plan code of each key (company, line, type, month), null where no contract is older; index kept.

    `known` has a company, line and plan and the day its contract began, in that order of columns.
    """
    plans = known.set_axis(["company", "line", "plan", "since"], axis=1).astype({"plan": "string"})
    plans = plans.assign(since=_began(known)).sort_values(["since", "plan"], ascending=[False, True], kind="stable")
    found = pd.Series(pd.NA, index=keys.index, dtype="string")
    for month, group in keys.groupby(pd.to_datetime(keys["month"]), dropna=True):
        found = found.fillna(_fitting(group, plans[plans["since"] < month]))
    return found


def _began(plans: pd.DataFrame) -> pd.Series:
    return pd.to_datetime(plans.iloc[:, -1])


def _fitting(keys: pd.DataFrame, plans: pd.DataFrame) -> pd.Series:
    """The plan of each key among the plans, those of its type's letter first."""
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
