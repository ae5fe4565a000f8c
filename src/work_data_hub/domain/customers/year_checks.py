"""What is expected of a year of contracts, and what was seen: frames and counts in, checks out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pandas as pd

from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, CONTRACT_KEY, OPEN_END, month_of

MOST_EXAMPLES = 5
_KEY = list(CONTRACT_KEY)
_OPEN = pd.Timestamp(OPEN_END).as_unit("s")


@dataclass(frozen=True, slots=True, kw_only=True)
class YearCheck:
    """One thing that was looked at: what was expected, what was seen, and some of what is wrong."""

    name: str
    passed: bool
    expected: str
    seen: str
    examples: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The check as one JSON object."""
        return {
            "name": self.name,
            "passed": self.passed,
            "expected": self.expected,
            "seen": self.seen,
            "examples": list(self.examples),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class YearVerdict:
    """What is to be thought of a year; its shares are those of the contracts in force on `day`."""

    year: int
    day: date
    checks: tuple[YearCheck, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of the checks that did not pass."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failed

    @property
    def error(self) -> str | None:
        """The one sentence about the checks that failed; None where none did."""
        if self.passed:
            return None
        return f"{len(self.failed)} of {len(self.checks)} checks of {self.year} failed: {', '.join(self.failed)}"

    def as_json(self) -> dict[str, Any]:
        """The verdict as one JSON document: that of every customer command, and its checks."""
        return {
            "command": "customer-mdm validate",
            "period": str(self.year),
            "status": "done" if self.passed else "failed",
            "tables": [],
            "warnings": [],
            "notes": {},
            "error": self.error,
            "day": self.day.isoformat(),
            "checks": [check.as_json() for check in self.checks],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Rows of one place that something is wrong with, and how to name them."""

    text: str
    rows: int = 1


def found_nothing(name: str, *, expected: str, findings: Iterable[Finding]) -> YearCheck:
    """The check that passes when there is no finding."""
    found = list(findings)
    rows = sum(finding.rows for finding in found)
    return YearCheck(
        name=name,
        passed=not found,
        expected=expected,
        seen=f"{rows:,} exceptions" if rows else "no exception",
        examples=tuple(finding.text for finding in found[:MOST_EXAMPLES]),
    )


def share_checks(versions: pd.DataFrame, *, year: int, day: date, rules: CustomerRules) -> tuple[YearCheck, YearCheck]:
    """Whether as many of the year's contracts in force on `day` are strategic, and existing, as a sound year has."""
    at = pd.Timestamp(day)
    in_force = (versions["valid_from"] <= at) & (versions["valid_to"] > at)
    mine = versions[in_force & (versions["status_year"] == year)]
    strategic, existing = int(mine["is_strategic"].sum()), int(mine["is_existing"].sum())
    least, most = rules.least_strategic_share, rules.most_strategic_share
    return (
        YearCheck(
            name="strategic_share",
            passed=bool(len(mine)) and least * len(mine) <= strategic <= most * len(mine),
            expected=f"{_percent(least)} to {_percent(most)} of the contracts in force on {day} are strategic",
            seen=_share(strategic, of=len(mine)),
        ),
        YearCheck(
            name="existing_share",
            passed=bool(len(mine)) and existing >= rules.least_existing_share * len(mine),
            expected=f"at least {_percent(rules.least_existing_share)} of them held money in December {year - 1}",
            seen=_share(existing, of=len(mine)),
        ),
    )


def structure_checks(versions: pd.DataFrame) -> tuple[YearCheck, ...]:
    """Whether versions are apart, at most one of a contract is open, and each belongs to the year it begins in."""
    return (
        found_nothing(
            "no_overlaps",
            expected="no version of a contract overlaps another, and none is empty",
            findings=_versions_named(versions[_overlaps(versions)]),
        ),
        found_nothing(
            "one_open_version",
            expected="a contract has at most one open version",
            findings=_versions_named(versions[_opened_again(versions)]),
        ),
        found_nothing(
            "status_year",
            expected="the status_year of a version is the year in which it begins",
            findings=_versions_named(versions[versions["status_year"] != versions["valid_from"].dt.year]),
        ),
    )


def comparable(versions: pd.DataFrame) -> pd.DataFrame:
    """The versions without what `structure_checks` tells of already, so that one fault fails one check."""
    kept = versions[~(_overlaps(versions) | _opened_again(versions))]
    return kept.assign(status_year=kept["valid_from"].dt.year.astype(versions["status_year"].dtype))


def rebuild_check(differences: Mapping[str, pd.DataFrame]) -> YearCheck:
    """Whether stored contracts are those that facts give; `differences` are versions by what is wrong with them."""
    findings = (
        Finding(text=f"{what}: {finding.text}")
        for what, versions in differences.items()
        for finding in _versions_named(versions)
    )
    return found_nothing(
        "contracts_equal_facts", expected="the contracts are those that the facts give anew", findings=findings
    )


def sums_check(facts: Mapping[int, int], snapshots: Mapping[str, Mapping[int, int]]) -> YearCheck:
    """Whether each month's 期末资产规模 is the same in the facts that count and in every snapshot table.

    Sums are by month number, in AMOUNT_SCALE; a month that is missing is worth nothing.
    """
    findings = [
        Finding(text=f"{_month(month)}: {_yuan(sums.get(month, 0))} in {table}, {_yuan(facts.get(month, 0))} in facts")
        for table, sums in snapshots.items()
        for month in sorted({*facts, *sums})
        if sums.get(month, 0) != facts.get(month, 0)
    ]
    return found_nothing(
        "snapshot_sums", expected="the snapshots of a month hold as much as the facts that count", findings=findings
    )


def synced_check(facts: Mapping[int, int | None], synced: Mapping[int, int | None], *, through: int) -> YearCheck:
    """Whether contracts know the newest load of every month up to `through`; both are loads by month number."""
    findings = [
        Finding(text=f"{_month(month)}: {_what_is_late(month, facts, synced)}")
        for month in sorted({*facts, *synced})
        if month <= through and (month not in facts or month not in synced or facts[month] != synced[month])
    ]
    return found_nothing(
        "months_synced", expected=f"contracts follow every load up to {_month(through)}", findings=findings
    )


def _what_is_late(month: int, facts: Mapping[int, int | None], synced: Mapping[int, int | None]) -> str:
    if month not in facts:
        return "its facts are gone"
    return "loaded and not synced" if month not in synced else f"load {facts[month]} is not synced"


def _overlaps(versions: pd.DataFrame) -> "pd.Series[bool]":
    """Which versions are empty, or begin before another one of their contract has ended; two open ones aside."""
    ordered = versions.sort_values([*_KEY, "valid_from", "valid_to"], kind="stable")
    begins, ends = ordered["valid_from"].astype("int64"), ordered["valid_to"].astype("int64")
    latest = ends.groupby([ordered[name] for name in _KEY]).cummax()
    before = latest.groupby([ordered[name] for name in _KEY]).shift()
    both_open = (before == latest) & (ordered["valid_to"] == _OPEN)
    return (((before > begins) & ~both_open) | (begins >= ends)).reindex(versions.index)


def _opened_again(versions: pd.DataFrame) -> "pd.Series[bool]":
    """Which versions are open although an earlier one of their contract is."""
    is_open = versions["valid_to"] == _OPEN
    ordered = versions[is_open].sort_values("valid_from", kind="stable")
    again = ordered.duplicated(_KEY)
    return again.reindex(versions.index, fill_value=False)


def _versions_named(versions: pd.DataFrame) -> list[Finding]:
    """All of them counted, the first few named."""
    named = versions.sort_values([*_KEY, "valid_from"]).head(MOST_EXAMPLES)
    names = (" ".join(key) for key in named[_KEY].itertuples(index=False, name=None))
    days = zip(named["valid_from"], named["valid_to"], strict=True)
    findings = [Finding(text=f"{name}, {a:%Y-%m-%d} to {b:%Y-%m-%d}") for name, (a, b) in zip(names, days, strict=True)]
    rest = len(versions) - len(named)
    return [*findings, Finding(text=f"and {rest:,} more", rows=rest)] if rest else findings


def _share(part: int, *, of: int) -> str:
    return f"{part:,} of {of:,} ({_percent(Decimal(part) / of)})" if of else "no contract in force"


def _percent(share: Decimal) -> str:
    return f"{share * 100:.2f} %"


def _yuan(scaled: int) -> str:
    return f"{Decimal(scaled) / AMOUNT_SCALE:,.4f}"


def _month(number: int) -> str:
    return f"{month_of(number):%Y-%m}"
