"""A company's contracts over time: each version with its reason and the load it follows from; reads only."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from work_data_hub.domain.customers.history import Explained, explain
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.customers.shapes import OPEN_END, month_number
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.period import Period
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import UsageError
from work_data_hub.io.contract_store import read_versions
from work_data_hub.io.customer_facts import fact_loads
from work_data_hub.io.customer_history import (
    MonthFlags,
    MonthSource,
    all_customers,
    customers_called,
    line_months,
    month_sources,
    most_told,
    plan_months,
    plan_names,
    product_line_names,
)
from work_data_hub.io.postgres import Cursor, reading_cursor
from work_data_hub.io.schema_head import require_head
from work_data_hub.orchestration.requests import Workplace

COMMAND = "customer-mdm history"
_PROPOSED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedVersion:
    """One version `[valid_from, valid_to)` with why it began and ended, and the month it follows from."""

    valid_from: date
    valid_to: date | None  # None while it is in force
    status_year: int
    contract_status: str
    is_existing: bool
    is_strategic: bool
    reasons: tuple[str, ...]
    ending: str
    source: MonthSource | None

    def as_json(self) -> dict[str, Any]:
        """The version as the JSON report gives it."""
        return {
            "valid_from": str(self.valid_from),
            "valid_to": str(self.valid_to) if self.valid_to else None,
            "status_year": self.status_year,
            "contract_status": self.contract_status,
            "is_existing": self.is_existing,
            "is_strategic": self.is_strategic,
            "reasons": list(self.reasons),
            "ending": self.ending,
            "month": str(self.source.period) if self.source else None,
            "load_id": self.source.load_id if self.source else None,
            "files": list(self.source.files) if self.source else [],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractHistory:
    """A contract with all its versions, oldest first; a name is None where nobody gave one."""

    plan_code: str
    plan_name: str | None
    product_line_code: str
    product_line_name: str | None
    versions: tuple[TracedVersion, ...]

    def as_json(self) -> dict[str, Any]:
        """The contract as the JSON report gives it."""
        return {
            "plan_code": self.plan_code,
            "plan_name": self.plan_name,
            "product_line_code": self.product_line_code,
            "product_line_name": self.product_line_name,
            "versions": [version.as_json() for version in self.versions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerHistory:
    """A company's contracts by plan and product line, the synced months, and what its snapshots say."""

    company_id: str
    name: str | None
    months: tuple[Period, ...]
    contracts: tuple[ContractHistory, ...]
    line_months: tuple[MonthFlags, ...]
    plan_months: tuple[MonthFlags, ...]
    product_line_names: Mapping[str, str | None]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The one document of `--report json`."""
        report = CustomerReport(command=COMMAND, period=None, status="done", warnings=self.warnings)
        return report.as_json() | {
            "company": {"company_id": self.company_id, "name": self.name},
            "months": [str(month) for month in self.months],
            "contracts": [contract.as_json() for contract in self.contracts],
            "product_line_months": [_flags_json(flags) for flags in self.line_months],
            "plan_months": [_flags_json(flags) for flags in self.plan_months],
        }


def most_told_history(place: Workplace) -> CustomerHistory:
    """The history of the company whose contracts have most versions; raises UsageError where there is none."""
    with _looking(place) as cursor:
        company_id = most_told(cursor)
        if company_id is None:
            raise UsageError("there is no contract yet", hint="load a month with wdh etl --execute")
        return _history(cursor, company_id, name=_customer(cursor, company_id)[1], plan=None)


def customer_history(asked: str, place: Workplace, *, plan: str | None = None) -> CustomerHistory:
    """The history of the company with that id or name, or of its contracts in one plan; reads only.

    Raises UsageError without a database, for a company nobody knows, a name of several, and a plan it never had.
    """
    with _looking(place) as cursor:
        company_id, name = _customer(cursor, asked.strip())
        return _history(cursor, company_id, name=name, plan=plan)


@contextmanager
def _looking(place: Workplace) -> Iterator[Cursor]:
    """A cursor on the warehouse that only reads."""
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    with reading_cursor(place.database_url, application_name=f"wdh {COMMAND}") as cursor:
        require_head(cursor.connection)
        yield cursor


def _history(cursor: Cursor, company_id: str, *, name: str | None, plan: str | None) -> CustomerHistory:
    sources = month_sources(cursor)
    explained = explain(read_versions(cursor, company_id=company_id))
    lines, plans = line_months(cursor, company_id), plan_months(cursor, company_id)
    if plan is not None:
        _refuse_plan(plan, {*(one.key[1] for one in explained), *(one.plan_code or "" for one in plans)})
        explained = tuple(one for one in explained if one.key[1] == plan)
        plans = tuple(one for one in plans if one.plan_code == plan)
        codes = {one.product_line_code for one in plans} | {one.key[2] for one in explained}
        lines = tuple(one for one in lines if one.product_line_code in codes)
    line_names = product_line_names(
        cursor, {*(one.key[2] for one in explained), *(one.product_line_code for one in lines)}
    )
    return CustomerHistory(
        company_id=company_id,
        name=name,
        months=tuple(source.period for source in sources),
        contracts=_contracts(explained, sources, plans=_plan_names(cursor, explained), lines=line_names),
        line_months=lines,
        plan_months=plans,
        product_line_names=line_names,
        warnings=_not_synced(sources, fact_loads(cursor)),
    )


def _contracts(
    explained: Iterable[Explained],
    sources: Sequence[MonthSource],
    *,
    plans: Mapping[str, str | None],
    lines: Mapping[str, str | None],
) -> tuple[ContractHistory, ...]:
    versions: dict[tuple[str, str], list[TracedVersion]] = {}
    for one in sorted(explained, key=lambda one: (one.key, one.valid_from)):
        versions.setdefault((one.key[1], one.key[2]), []).append(_traced(one, sources))
    return tuple(
        ContractHistory(
            plan_code=plan,
            plan_name=plans.get(plan),
            product_line_code=line,
            product_line_name=lines.get(line),
            versions=tuple(found),
        )
        for (plan, line), found in versions.items()
    )


def _traced(one: Explained, sources: Sequence[MonthSource]) -> TracedVersion:
    return TracedVersion(
        valid_from=one.valid_from,
        valid_to=None if one.valid_to == OPEN_END else one.valid_to,
        **one.attributes,
        reasons=one.reasons,
        ending=one.ending,
        source=_source_of(one.valid_from, sources),
    )


def _source_of(valid_from: date, sources: Sequence[MonthSource]) -> MonthSource | None:
    """The month whose facts made the version: at the turn of a year the last one before it."""
    until = [source for source in sources if source.period.last_day <= valid_from]
    return until[-1] if until else None


def _not_synced(sources: Iterable[MonthSource], loads: Mapping[int, int]) -> tuple[str, ...]:
    """Months that were loaded again after their contracts were made."""
    newer = [source.period for source in sources if loads.get(_number(source.period)) not in (None, source.load_id)]
    return tuple(f"{period} was loaded again and is not synced yet: wdh customer-mdm sync" for period in newer)


def _number(period: Period) -> int:
    return month_number(period.first_day)


def _plan_names(cursor: Cursor, explained: Iterable[Explained]) -> dict[str, str | None]:
    return plan_names(cursor, {one.key[1] for one in explained})


def _customer(cursor: Cursor, asked: str) -> tuple[str, str | None]:
    """The one customer that has this id or name; an id beats a name."""
    found = customers_called(cursor, asked, names={asked, normalise_name(asked)} - {""})
    if asked in found:
        return asked, found[asked]
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} customers are called that: {_listed(found)}",
            field="COMPANY",
            input_data=asked,
            hint="give the id of the one you mean",
        )
    if not found:
        raise _unknown_company(asked, all_customers(cursor))
    return found.popitem()


def _unknown_company(asked: str, customers: Mapping[str, str]) -> UsageError:
    containing = {company: name for company, name in customers.items() if asked and asked in name}
    hint = did_you_mean(asked, customers)
    if containing:
        hint = f"did you mean {_listed(containing)}?"
    elif not hint:
        hint = did_you_mean(asked, {name for name in customers.values() if name})
    return UsageError(
        "no such company",
        field="COMPANY",
        input_data=asked,
        rule="a company_id or a 客户名称 of customer.客户明细",
        hint=hint or "`wdh identity explain NAME` tells which company a name is",
    )


def _listed(customers: Mapping[str, str | None]) -> str:
    shown = [f"{company} {name or ''}".strip() for company, name in list(customers.items())[:_PROPOSED]]
    return ", ".join(shown) + (", …" if len(customers) > _PROPOSED else "")


def _refuse_plan(plan: str, known: set[str]) -> None:
    if plan not in known:
        codes = sorted(known - {""})
        raise UsageError(
            "the company has no contract in this plan",
            field="--plan",
            input_data=plan,
            rule=f"one of {', '.join(codes)}" if codes else "it has no contract at all",
            hint=did_you_mean(plan, codes) or "leave --plan out to see all of them",
        )


def _flags_json(flags: MonthFlags) -> dict[str, Any]:
    """The flags by name, without those that the grain does not have."""
    told: dict[str, Any] = {name: getattr(flags, name) for name in flags.__slots__}
    told |= {"month": str(Period.of(flags.month)), "aum": str(flags.aum)}
    has_plan = flags.plan_code is not None
    missing = {"is_new", "is_new_arrival", "plan_count"} if has_plan else {"plan_code", "contract_status"}
    return {name: value for name, value in told.items() if name not in missing}
