"""Every error WorkDataHub raises on purpose, on one page.

WorkDataHubError                                                     exit 1
├── ConfigError         a setting, YAML file or declaration is wrong exit 2
│   └── UsageError      the command line asks for the impossible     exit 2
├── SourceError         the input cannot be used                     exit 3
│   └── WorkbookNotFound · AmbiguousWorkbook · UnsafePath · UnreadableWorkbook ·
│       SheetMissing · HeadingsMissing · HeadingsDuplicated · NoDataRows · WrongMonth
├── DataError           more rows rejected than tolerated            exit 4
│   └── ShrinkRefused   the load would remove too much               exit 4
├── WarehouseError      PostgreSQL refused or cannot be reached      exit 5
│   ├── SchemaDrift     tables or migration head are not as expected exit 5
│   └── LoadLocked      another run holds the domain and month       exit 6
├── DirectoryError      the company registry refused                 exit 7
└── HookFailed          facts are loaded, a hook is not              exit 8

An error prints on one line: `[TYPE] file › sheet!cell: message | Domain: … | Row: … |
Field: … | value … | rule … | hint: …`; parts without a fact are left out.
"""

import re


class WorkDataHubError(Exception):
    """A failure with its facts: where, which value, which rule, and what to do next."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        domain: str | None = None,
        file: str | None = None,
        sheet: str | None = None,
        cell: str | None = None,
        row_number: int | None = None,
        field: str | None = None,
        input_data: str | None = None,
        rule: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message, self.operation, self.domain = message, operation, domain
        self.file, self.sheet, self.cell = file, sheet, cell
        self.row_number, self.field, self.input_data = row_number, field, input_data
        self.rule, self.hint = rule, hint
        super().__init__(message)

    @property
    def error_type(self) -> str:
        """The class name in capitals: `HeadingsMissing` → `HEADINGS_MISSING`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self).__name__).upper()

    @property
    def place(self) -> str:
        """`file › sheet!cell`, as far as known."""
        inside = "!".join(part for part in (self.sheet, self.cell) if part)
        return " › ".join(part for part in (self.file, inside) if part)

    def __str__(self) -> str:
        head = f"[{self.error_type}] " + ": ".join(part for part in (self.place, self.message) if part)
        facts = {
            "Domain: {}": self.domain,
            "Row: {}": self.row_number,
            "Field: {}": self.field,
            "value {!r}": self.input_data,
            "rule {}": self.rule,
            "hint: {}": self.hint,
        }
        line = " | ".join([head, *(form.format(fact) for form, fact in facts.items() if fact is not None)])
        return " ".join(line.split())


class ConfigError(WorkDataHubError):
    """A setting, YAML file or declaration is wrong."""

    exit_code = 2


class UsageError(ConfigError):
    """The command line asks for something that cannot be done."""


class SourceError(WorkDataHubError):
    """The input cannot be used."""

    exit_code = 3


class WorkbookNotFound(SourceError):
    """No file answers the domain's patterns."""


class AmbiguousWorkbook(SourceError):
    """Several files or versions answer, and nothing says which."""


class UnsafePath(SourceError):
    """The path leaves the data root or is not a regular file."""


class UnreadableWorkbook(SourceError):
    """The file is not a workbook that can be read safely."""


class SheetMissing(SourceError):
    """The workbook has no sheet of that name."""


class HeadingsMissing(SourceError):
    """The sheet lacks headings that the domain needs."""


class HeadingsDuplicated(SourceError):
    """Two headings of the sheet are the same after folding."""


class NoDataRows(SourceError):
    """The sheet is empty or has headings only."""


class WrongMonth(SourceError):
    """Rows belong to another month than the run."""


class DataError(WorkDataHubError):
    """More rows were rejected than the run tolerates."""

    exit_code = 4


class ShrinkRefused(DataError):
    """The load would remove more of a month than is allowed unasked."""


class WarehouseError(WorkDataHubError):
    """PostgreSQL refused or cannot be reached."""

    exit_code = 5


class SchemaDrift(WarehouseError):
    """Tables or migration head are not what this version expects."""


class LoadLocked(WarehouseError):
    """Another run holds the same domain and month."""

    exit_code = 6


class DirectoryError(WorkDataHubError):
    """The company registry refused."""

    exit_code = 7


class HookFailed(WorkDataHubError):
    """Facts are loaded, a hook is not."""

    exit_code = 8
