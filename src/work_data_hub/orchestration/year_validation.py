"""A year of contracts judged: what is stored against what the facts, the rules and the other tables say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd

from work_data_hub.domain.customers.contracts import Step, Timeline, states
from work_data_hub.domain.customers.history import compare, thread
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import month_of
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.domain.customers.year_checks import (
    Finding,
    YearCheck,
    YearVerdict,
    comparable,
    found_nothing,
    rebuild_check,
    share_checks,
    structure_checks,
    sums_check,
    synced_check,
)
from work_data_hub.errors import UsageError
from work_data_hub.io.contract_store import cut_over_years, periods, read_versions
from work_data_hub.io.customer_checks import orphans, snapshot_sums, unknown_product_lines
from work_data_hub.io.customer_facts import fact_loads, fact_months, read_monthly_facts
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.postgres import Cursor
from work_data_hub.orchestration.customer_snapshots import snapshot_differences


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """Everything that is judged, as it was at one moment."""

    versions: pd.DataFrame
    facts: pd.DataFrame
    timeline: Timeline
    synced: Mapping[int, int | None]
    loads: Mapping[int, int | None]

    @classmethod
    def read(cls, cursor: Cursor) -> "_Seen":
        synced = {month: mark.load_id for month, mark in periods(cursor).items()}
        if not synced:
            raise UsageError("there are no contracts to judge", hint="make them first: wdh customer-mdm sync")
        loaded, every_month = fact_loads(cursor), fact_months(cursor)
        months = tuple(month for month in every_month if month <= max(synced))
        return cls(
            versions=read_versions(cursor),
            facts=read_monthly_facts(cursor, first=min((*months, *synced)), through=max(synced)),
            timeline=Timeline(months=months, turns=cut_over_years(cursor)),
            synced=synced,
            loads={month: loaded.get(month) for month in months},
        )

    @property
    def through(self) -> int:
        """The newest month that was synced."""
        return max(self.synced)

    def months_of(self, year: int) -> tuple[int, ...]:
        """The months of a year that have facts."""
        return tuple(month for month in self.timeline.months if month_of(month).year == year)

    def last_step(self, year: int | None) -> Step:
        """The last step of a year, or of all; raises UsageError for a year that has none."""
        steps = self.timeline.steps()
        mine = [step for step in steps if year in (None, step.day.year)]
        if mine:
            return mine[-1]
        known = sorted({step.day.year for step in steps})
        raise UsageError(
            f"no month of {year} is synced" if known else "no synced month has facts",
            field="--year",
            input_data=str(year),
            rule=f"years that are: {', '.join(map(str, known))}" if known else None,
            hint="choose one of these, or load and sync a month of it",
        )


def judge_year(
    cursor: Cursor, year: int | None, *, rules: CustomerRules, status_rules: StatusRules, config_dir: Path
) -> YearVerdict:
    """The verdict on a year, by default the newest that contracts have; reads only.

    Shares, snapshots and their sums are those of the year; contracts are judged over their whole history,
    each month as of its own year. Raises UsageError for a year without contracts.
    """
    seen, rules = _Seen.read(cursor), replace(rules, status_year=None)
    step = seen.last_step(year)
    chosen = step.day.year
    checks = (
        *share_checks(seen.versions, year=chosen, day=step.day, rules=rules),
        *structure_checks(seen.versions),
        _orphans(cursor),
        _rebuilt(seen, rules),
        _snapshots(cursor, seen.months_of(chosen), status_rules),
        sums_check(_sums(seen, chosen), snapshot_sums(cursor, year=chosen)),
        _product_lines(cursor, through=month_of(seen.through)),
        _master(cursor, config_dir=config_dir),
        synced_check(seen.loads, seen.synced, through=seen.through),
    )
    return YearVerdict(year=chosen, day=step.day, checks=checks)


def _orphans(cursor: Cursor) -> YearCheck:
    expected = "every contract and snapshot has its customer and its product line"
    return found_nothing("no_orphans", expected=expected, findings=orphans(cursor))


def _product_lines(cursor: Cursor, *, through: date) -> YearCheck:
    expected = "every product_line_code of facts and contracts has its row in mapping.产品线"
    findings = unknown_product_lines(cursor, through=through)
    return found_nothing("product_lines_known", expected=expected, findings=findings)


def _master(cursor: Cursor, *, config_dir: Path) -> YearCheck:
    wrong = refresh_master(cursor, config_dir=config_dir, write=False)
    told = {"other amounts, tier or state": wrong.updated, "nobody knows any more": wrong.deleted}
    return found_nothing(
        "master_equals_facts",
        expected="amounts, tier and state of 客户明细 follow from facts and contracts; derived customers are known",
        findings=[Finding(text=f"{what}: {rows:,} rows", rows=rows) for what, rows in told.items() if rows],
    )


def _rebuilt(seen: _Seen, rules: CustomerRules) -> YearCheck:
    """The stored history against one that is made from nothing."""
    nothing = seen.versions.iloc[:0]
    wanted = thread(nothing, states(seen.facts, seen.timeline, rules=rules), timeline=seen.timeline, since=None)
    changes = compare(comparable(seen.versions), wanted)
    return rebuild_check(
        {
            "missing": changes.inserted,
            "ends otherwise": changes.closed,
            "is otherwise": changes.updated,
            "does not follow from facts": changes.deleted,
        }
    )


def _sums(seen: _Seen, year: int) -> dict[int, int]:
    """期末资产规模 of the facts that count, by month."""
    mine = seen.facts[seen.facts["month"].isin(seen.months_of(year))]
    sums = mine.groupby("month")["aum"].sum()
    return dict(zip(sums.index.tolist(), sums.tolist(), strict=True))


def _snapshots(cursor: Cursor, months: tuple[int, ...], status_rules: StatusRules) -> YearCheck:
    differing = snapshot_differences(cursor, months, status_rules=status_rules)
    return found_nothing(
        "snapshots_equal_history",
        expected="the snapshots of the year are those that contracts, facts, awards and losses give anew",
        findings=[
            Finding(text=f"{month_of(month):%Y-%m}: {rows:,} rows", rows=rows) for month, rows in differing.items()
        ],
    )
