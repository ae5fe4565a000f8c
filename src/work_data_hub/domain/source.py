"""Where a domain's workbooks lie and how one is chosen: the domain's block of the configuration, merged."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class VersionStrategy(StrEnum):
    """How one of the V<n> folders is chosen."""

    HIGHEST_NUMBER = "highest_number"
    LATEST_MODIFIED = "latest_modified"
    MANUAL = "manual"


class FileSelection(StrEnum):
    """How one of several matching files is chosen; `error` leaves it to the user."""

    ERROR = "error"
    NEWEST = "newest"
    OLDEST = "oldest"
    FIRST = "first"


class OnArrival(StrEnum):
    """What happens by itself when a workbook arrives: a plan to look at, or the load."""

    PLAN = "plan"
    EXECUTE = "execute"


class Fallback(StrEnum):
    """What happens when the version strategy gives no single folder."""

    ERROR = "error"
    USE_LATEST_MODIFIED = "use_latest_modified"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetChoice:
    """One sheet to read: the names it goes by, the first that exists counts; a number counts from 0."""

    names: tuple[str | int, ...]

    @property
    def label(self) -> str:
        """The name the sheet usually has."""
        return str(self.names[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One domain's discovery settings.

    `base_path` is relative to the data root and may hold {YYYYMM}, {YYYY} and {MM}; patterns are
    globs, `**` for any depth; excluded names count neither as files nor in the choice of a version.
    `totals_tolerance` is how far a total may be from its rows, in the column's unit; `anomaly_share`
    is the share of last month's figure above which a change is a warning. A month is due on `due_day` of
    the month after; 0 for a domain of which no month is ever due.
    """

    domain: str
    base_path: str
    file_patterns: tuple[str, ...]
    sheets: tuple[SheetChoice, ...]
    exclude_patterns: tuple[str, ...] = ()
    version_strategy: VersionStrategy = VersionStrategy.HIGHEST_NUMBER
    version: str | None = None
    fallback: Fallback = Fallback.ERROR
    file_selection: FileSelection = FileSelection.ERROR
    max_gap_rows: int = 1000
    all_domains: bool = True
    totals_tolerance: Decimal = Decimal("0.01")
    anomaly_share: Decimal = Decimal("0.5")
    on_arrival: OnArrival = OnArrival.PLAN
    due_day: int = 10

    @property
    def sheet_labels(self) -> tuple[str, ...]:
        """The usual name of each sheet, in reading order."""
        return tuple(sheet.label for sheet in self.sheets)
