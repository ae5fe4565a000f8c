"""What a run is asked to do, and the place it does it in."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.returned import Returned
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import UsageError
from work_data_hub.io.faults import NO_FAULTS, Faults
from work_data_hub.orchestration.registry_desk import NO_REGISTRY, RegistryDesk
from work_data_hub.orchestration.spreading import Cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How many rejected rows a run bears: a number of rows, or a share of the rows read."""

    rows: int = 0
    percent: Decimal = Decimal(0)

    @classmethod
    def parse(cls, text: str) -> "Tolerance":
        """Read `12` or `1.5%`; raises UsageError for anything else."""
        if re.fullmatch(r"\d+", text):
            return cls(rows=int(text))
        if re.fullmatch(r"\d+(\.\d+)?%", text) and Decimal(text[:-1]) <= 100:
            return cls(percent=Decimal(text[:-1]))
        raise UsageError("not a tolerance", field="--max-rejects", input_data=text, hint="give 12 or 1.5%")

    def bears(self, *, rejected: int, read: int) -> bool:
        return rejected <= self.rows or rejected * 100 <= self.percent * read

    def __str__(self) -> str:
        return f"{self.percent} % of the rows" if self.percent else f"{self.rows} rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """One domain's run: which month or file, how it meets the warehouse, and whether it is executed."""

    run_id: str
    domain: str
    period: Period | None = None
    file: Path | None = None
    execute: bool = False
    mode: LoadMode = LoadMode.DELETE_INSERT
    scope: tuple[str, ...] = ()
    sheet: str | None = None
    version: str | None = None
    file_selection: str | None = None
    max_files: int = 1
    tolerance: Tolerance = Tolerance()
    allow_shrink: bool = False
    force: bool = False
    skip_facts: bool = False
    lock_wait_seconds: float = 0.0
    rejects_folder: Path | None = None
    rework: Returned | None = None
    asks_registry: bool = True
    runs_hooks: bool = True


def refuse_mode(domain: Domain, mode: LoadMode) -> None:
    """Raise UsageError for an upsert into a domain whose rows have no key of their own."""
    if mode is LoadMode.UPSERT and not domain.unique_key:
        raise UsageError(
            f"--mode upsert needs a domain with a unique key, and the rows of {domain.name} have none",
            operation="etl",
            domain=domain.name,
            hint="use delete_insert",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Where a run finds its files, its configuration and its warehouse; built once at the door.

    `database_url` is None for a plan that has no database to look at, `cluster` where one machine does it all.
    """

    data_root: Path
    config_dir: Path
    home: Path
    database_url: str | None
    alias_salt: str
    actor: str
    faults: Faults = NO_FAULTS
    registry: RegistryDesk = NO_REGISTRY
    cluster: Cluster | None = None
    today: Callable[[], date] = date.today
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
