"""Reference rows that wait for a human: where they stand and what taking them over does."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from work_data_hub.errors import UsageError

_NAMES = {
    "mapping.产品线": "产品线",
    "mapping.组织架构": "机构",
    "mapping.年金计划": "计划全称",
    "mapping.组合计划": "组合名称",
    "customer.客户明细": "客户名称",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedTable:
    """A table whose rows say whether they wait for a human."""

    name: str
    key: str

    @property
    def name_column(self) -> str:
        """The column by which people know a row; the key where no other is known."""
        return _NAMES.get(self.name, self.key)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRow:
    """A row that was derived from facts and that nobody has confirmed."""

    key: str
    name: str | None
    domain: str | None
    since: datetime | None

    def as_json(self) -> dict[str, Any]:
        """The row as the JSON report gives it."""
        since = self.since.isoformat() if self.since else None
        return {"key": self.key, "name": self.name, "domain": self.domain, "since": since}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What taking keys over does: those that wait, those that need nothing, those that are not there."""

    table: str
    accepted: tuple[str, ...]
    unchanged: tuple[str, ...]
    unknown: tuple[str, ...]

    def as_json(self, *, mode: str) -> dict[str, Any]:
        """The one document of `--report json`."""
        return {
            "command": "reference accept",
            "mode": mode,
            "table": self.table,
            "accepted": list(self.accepted),
            "unchanged": list(self.unchanged),
            "error": None,
        }


def reviewed_table(tables: Iterable[ReviewedTable], name: str) -> ReviewedTable:
    """Return the table that a user means, with or without its schema; raise UsageError naming those there are."""
    tables = tuple(tables)
    found = [table for table in tables if name in (table.name, table.name.rpartition(".")[2])]
    if len(found) == 1:
        return found[0]
    known = ", ".join(table.name for table in tables)
    raise UsageError("no table with rows to review", input_data=name, hint=f"name one of {known}")
