"""What a column is: how its cells are read, what they may hold and how they are stored."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """How a cell is read and stored."""

    TEXT = "text"
    CODE = "code"
    MONTH = "month"
    DATE = "date"
    MONEY = "money"
    RATE = "rate"
    COUNT = "count"
    FLAG = "flag"


_UNIT_POWERS = {"万元": 4, "亿元": 8}
NUMBER_KINDS = frozenset({Kind.MONEY, Kind.RATE, Kind.COUNT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a domain.

    `headings` are the headings a workbook may use, the first being the usual one; empty for a
    computed column. `required` means that the heading must be there, `nullable` that a value
    need not be. `stored` is false for columns that are read but not kept.
    `scale` is the number of decimals, `length` the longest text in characters, None for any.
    A `lenient` day that cannot be read becomes null and is counted, instead of being rejected.
    """

    name: str
    kind: Kind
    headings: tuple[str, ...] = ()
    required: bool = False
    nullable: bool = True
    stored: bool = True
    lenient: bool = False
    length: int | None = 255
    scale: int = 0
    lowest: Decimal | None = None
    highest: Decimal | None = None
    unit: str = ""
    note: str = ""

    @property
    def unit_power(self) -> int:
        """The power of ten of the column's unit in 元."""
        return _UNIT_POWERS.get(self.unit, 0)

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBER_KINDS

    @property
    def postgres_type(self) -> str:
        """The column's type in PostgreSQL, in the words of `format_type`."""
        match self.kind:
            case Kind.TEXT | Kind.CODE:
                return "text" if self.length is None else f"character varying({self.length})"
            case Kind.MONTH | Kind.DATE:
                return "date"
            case Kind.COUNT:
                return "integer"
            case Kind.RATE:
                return f"numeric(10,{self.scale})"
            case Kind.MONEY:
                return f"numeric(18,{self.scale})"
            case Kind.FLAG:
                return "boolean"


def _headings(name: str, headings: tuple[str, ...] | None, computed: bool) -> tuple[str, ...]:
    return () if computed else (headings or (name,))


def text(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    stored: bool = True,
    length: int | None = 255,
    note: str = "",
) -> Column:
    """A text column: trimmed at both ends, blank is null; without a `length` as long as people write."""
    return Column(
        name=name,
        kind=Kind.TEXT,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        stored=stored,
        length=length,
        note=note,
    )


def code(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    length: int = 255,
    note: str = "",
) -> Column:
    """A code column: half-width, upper case, without blanks, hyphens and underscores; leading zeros stay."""
    return Column(
        name=name,
        kind=Kind.CODE,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        length=length,
        note=note,
    )


def month(name: str, *, headings: tuple[str, ...] | None = None, computed: bool = False, note: str = "") -> Column:
    """The month a row belongs to, stored as its first day; never blank."""
    return Column(
        name=name,
        kind=Kind.MONTH,
        headings=_headings(name, headings, computed),
        required=not computed,
        nullable=False,
        note=note,
    )


def day(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    lenient: bool = False,
    note: str = "",
) -> Column:
    """A day; a month written alone is its first day. `lenient`: what cannot be read is null, and counted."""
    return Column(
        name=name,
        kind=Kind.DATE,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        lenient=lenient,
        note=note,
    )


def money(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    stored: bool = True,
    scale: int = 4,
    lowest: Decimal | None = None,
    unit: str = "元",
    note: str = "",
) -> Column:
    """An amount with `scale` decimals, rounded half up from the shortest decimal text of the cell."""
    return Column(
        name=name,
        kind=Kind.MONEY,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        stored=stored,
        scale=scale,
        lowest=lowest,
        unit=unit,
        note=note,
    )


def rate(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    note: str = "",
) -> Column:
    """A rate as a fraction with six decimals, between -1 and 10."""
    return Column(
        name=name,
        kind=Kind.RATE,
        headings=_headings(name, headings, computed),
        required=required,
        scale=6,
        lowest=Decimal(-1),
        highest=Decimal(10),
        unit="fraction",
        note=note,
    )


def count(
    name: str,
    *,
    headings: tuple[str, ...] | None = None,
    computed: bool = False,
    required: bool = False,
    nullable: bool = True,
    note: str = "",
) -> Column:
    """A whole number; a fraction is rejected, not rounded."""
    return Column(
        name=name,
        kind=Kind.COUNT,
        headings=_headings(name, headings, computed),
        required=required,
        nullable=nullable,
        note=note,
    )


def flag(name: str, *, nullable: bool = False, note: str = "") -> Column:
    """A computed yes or no; no sheet delivers one."""
    return Column(name=name, kind=Kind.FLAG, nullable=nullable, note=note)
