"""Raw answers of the registry cleaned again: the rows they give, how each field came out, what tells nothing."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from work_data_hub.domain.identity.company_facts import (
    BusinessFacts,
    FieldFailure,
    LabelFacts,
    business_facts,
    label_facts,
)
from work_data_hub.domain.identity.company_fields import LABEL_FIELDS
from work_data_hub.domain.identity.company_values import Cleansing, Payload
from work_data_hub.domain.report import error_json
from work_data_hub.errors import DataError

KEPT_FAILURES = 20
_SHOWN_COMPANIES = 5


class CleanedTable(StrEnum):
    """The tables that are made from raw answers."""

    BUSINESS_INFO = "business_info"
    BIZ_LABEL = "biz_label"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What cleaning came to for one table.

    `fields` counts the statuses by column; of values that could not be read the first few are kept.
    `unreadable` are companies whose raw answer tells nothing of them.
    """

    table: CleanedTable
    companies: int = 0
    rows: int = 0
    fields: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    failures: tuple[FieldFailure, ...] = ()
    unreadable: tuple[str, ...] = ()

    def plus(self, other: Self) -> Self:
        """Both together."""
        columns = [*self.fields, *(column for column in other.fields if column not in self.fields)]
        return replace(
            self,
            companies=self.companies + other.companies,
            rows=self.rows + other.rows,
            fields={name: Counter(self.fields.get(name)) + Counter(other.fields.get(name)) for name in columns},
            failures=(*self.failures, *other.failures)[:KEPT_FAILURES],
            unreadable=(*self.unreadable, *other.unreadable),
        )

    def field_counts(self) -> dict[str, tuple[int, int, int]]:
        """By column: values taken, values that are null, values that could not be read."""
        return {
            column: (
                counts.get(Cleansing.CLEANSED, 0) + counts.get(Cleansing.NO_RULES, 0),
                counts.get(Cleansing.NULL_INPUT, 0),
                counts.get(Cleansing.PARSE_FAILED, 0),
            )
            for column, counts in self.fields.items()
        }

    def as_json(self) -> dict[str, Any]:
        """The table as the JSON report gives it."""
        return {
            "table": f"enterprise.{self.table}",
            "companies": self.companies,
            "rows": self.rows,
            "fields": {
                column: {"cleansed": cleansed, "null": null, "failed": failed}
                for column, (cleansed, null, failed) in self.field_counts().items()
            },
            "failures": [
                {"company_id": one.company_id, "column": one.column, "value": one.value, "rule": one.rule}
                for one in self.failures
            ],
            "unreadable": list(self.unreadable),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanReport:
    """A whole cleaning, planned or executed."""

    mode: str
    seconds: float
    database: Mapping[str, str] | None
    tables: tuple[Cleaned, ...] = ()

    @property
    def status(self) -> str:
        """planned, cleaned, unchanged, or partial where answers could not be cleaned."""
        if self.error:
            return "partial"
        if not any(table.companies for table in self.tables):
            return "unchanged"
        return "planned" if self.mode == "plan" else "cleaned"

    @property
    def error(self) -> DataError | None:
        """What says that answers tell nothing of their companies; None where all do."""
        unreadable = sorted({company for table in self.tables for company in table.unreadable})
        if not unreadable:
            return None
        shown = ",".join(unreadable[:_SHOWN_COMPANIES])
        return DataError(
            f"{len(unreadable):,} companies have raw answers that cannot be cleaned",
            operation="clean",
            input_data=shown,
            rule="an answer is about the company it was asked for, in the registry's form",
            hint=f"ask for them again: wdh identity refresh --companies {shown} --execute",
        )

    def as_json(self) -> dict[str, Any]:
        """The one document of `--report json`."""
        return {
            "command": "identity clean",
            "mode": self.mode,
            "status": self.status,
            "seconds": round(self.seconds, 3),
            "database": dict(self.database) if self.database else None,
            "tables": [table.as_json() for table in self.tables],
            "error": error_json(self.error) if self.error else None,
        }


def clean_business(raw: Mapping[str, Payload]) -> tuple[dict[str, BusinessFacts], Cleaned]:
    """The rows of business_info that raw detail answers give, by company id, and how they came out."""
    found = {company_id: business_facts(company_id, detail=answer) for company_id, answer in raw.items()}
    facts = {company_id: row for company_id, row in found.items() if row is not None}
    columns = dict.fromkeys(column for row in facts.values() for column in row.status)
    cleaned = Cleaned(
        table=CleanedTable.BUSINESS_INFO,
        companies=len(facts),
        rows=len(facts),
        fields={column: Counter(row.status[column] for row in facts.values()) for column in columns},
        failures=tuple(failure for row in facts.values() for failure in row.failures)[:KEPT_FAILURES],
        unreadable=tuple(company_id for company_id, row in found.items() if row is None),
    )
    return facts, cleaned


def clean_labels(raw: Mapping[str, Payload]) -> tuple[dict[str, LabelFacts], Cleaned]:
    """The rows of biz_label that raw labels answers give, by company id, and how they came out."""
    found = {company_id: label_facts(company_id, answer=answer) for company_id, answer in raw.items()}
    facts = {company_id: row for company_id, row in found.items() if row is not None}
    failures = tuple(failure for row in facts.values() for failure in row.failures)
    labels = [(label.type, *label.levels) for row in facts.values() for label in row.labels]
    failed = Counter(failure.column for failure in failures)
    fields: dict[str, Mapping[str, int]] = {
        one.column: Counter[str](
            {
                Cleansing.NO_RULES: sum(bool(label[at]) for label in labels),
                Cleansing.NULL_INPUT: sum(not label[at] for label in labels),
                Cleansing.PARSE_FAILED: failed[one.column],
            }
        )
        for at, one in enumerate(LABEL_FIELDS)
    }
    cleaned = Cleaned(
        table=CleanedTable.BIZ_LABEL,
        companies=len(facts),
        rows=len(labels),
        fields=fields if facts else {},
        failures=failures[:KEPT_FAILURES],
        unreadable=tuple(company_id for company_id, row in found.items() if row is None),
    )
    return facts, cleaned
