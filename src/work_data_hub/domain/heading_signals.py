"""What speaks for a heading to mean a column: its name, its place, what its cells are, and which values they hold."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import SequenceMatcher
from functools import cached_property

from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.numbers import parse_number
from work_data_hub.domain.spec import Column, Kind
from work_data_hub.domain.text import fold, narrow

WEIGHTS = {"name": 0.40, "position": 0.20, "type": 0.15, "values": 0.25}
LEAST_READABLE = 0.5
_BY_SYNONYM = 0.95

_UNITS = {"元": "元", "人民币": "元", "人民币元": "元", "万": "万元", "万元": "万元", "亿": "亿元", "亿元": "亿元"}
_UNIT_IN_BRACKETS = re.compile(r"[(\[【](?:单位)?:?(人民币元?|[万亿]?元|[万亿%])[)\]】]")
_NOT_A_WORD = re.compile(r"[\W_]+")
_CODE = re.compile(r"(?=.*[0-9])[A-Za-z0-9][A-Za-z0-9_ -]{0,29}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """How strongly one thing speaks for a heading, 0 to 1, and the same in words where there is anything to say.

    `trust` from 0 to 1 says how much it counts: what proves little lowers no confidence.
    """

    name: str
    score: float
    reason: str = ""
    trust: float = 1.0

    @property
    def weight(self) -> float:
        """The share of this signal among the others."""
        return WEIGHTS[self.name] * self.trust


@dataclass(frozen=True, kw_only=True)
class SheetColumn:
    """A column of a sheet: heading, place (from 0), declared meaning if any, and sampled cells that are not blank."""

    heading: str
    place: int
    meaning: str | None
    values: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What the column is called in comparisons with other sheets."""
        return self.meaning or f"={bare(self.heading)}"

    @cached_property
    def bare_values(self) -> tuple[str, ...]:
        """The sampled cells in the form in which they are compared."""
        return tuple(map(bare, self.values))

    @cached_property
    def numbers(self) -> tuple[Decimal | None, ...]:
        """The sampled cells as numbers, None where they are none."""
        return tuple(map(_number, self.values))

    @cached_property
    def days(self) -> float:
        """The share of the sampled cells that are a day or month."""
        return _share(_is_day(value) for value in self.values)

    @cached_property
    def sizes(self) -> dict[str, float]:
        """The share of each sign and power of ten among the sampled cells."""
        return {size: count / len(self.values) for size, count in Counter(map(_size, self.numbers)).items()}


Sheet = tuple[SheetColumn, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadingWords:
    """What is known of headings: names of each column, synonyms (other word → business word), values by column."""

    names: Mapping[str, tuple[str, ...]]
    synonyms: Mapping[str, str]
    vocabularies: Mapping[str, frozenset[str]]


def bare(heading: str) -> str:
    """The heading for comparison: one width and case, no unit in brackets, no blanks and punctuation."""
    return _NOT_A_WORD.sub("", _UNIT_IN_BRACKETS.sub("", fold(heading)))


def unit_in(heading: str) -> str | None:
    """The unit of money that a heading gives in brackets: 元, 万元 or 亿元; None where it gives none."""
    found = _UNIT_IN_BRACKETS.search(fold(heading))
    return _UNITS.get(found[1]) if found else None


def other_unit(heading: str, column: Column) -> str | None:
    """The unit of the heading where it is not the column's: taken as it stands, every amount would be wrong."""
    unit = unit_in(heading)
    return unit if unit and column.unit in _UNITS.values() and unit != column.unit else None


def name_signal(heading: str, names: Sequence[str], *, synonyms: Mapping[str, str]) -> Signal:
    """The likeness of the heading to the best of the names, as written or with synonyms replaced."""
    plain = max(_alike(bare(heading), bare(name)) for name in names)
    written = _replaced(heading, synonyms)
    replaced = max(_alike(written, _replaced(name, synonyms)) for name in names)
    if replaced * _BY_SYNONYM > plain:
        score = replaced * _BY_SYNONYM
        return Signal(name="name", score=score, reason=f"name {score:.2f} by synonyms")
    return Signal(name="name", score=plain, reason=f"name {plain:.2f}")


def position_signal(found: SheetColumn, sheet: Sheet, *, before: SheetColumn, last: Sheet) -> Signal:
    """Whether the column stands where `before` stood last month: the same letter, the same neighbours."""
    left, right = (a == b for a, b in zip(_neighbours(found, sheet), _neighbours(before, last), strict=True))
    letter = found.place == before.place
    score = max(0.5 * letter + 0.25 * left + 0.25 * right, 0.9 * (left and right))
    words = ["same letter"] if letter else []
    words += ["same neighbours"] if left and right else ["one neighbour as before"] if left or right else []
    return Signal(name="position", score=score, reason=" · ".join(words))


def declared_position_signal(found: SheetColumn, sheet: Sheet, *, column: str, order: Sequence[str]) -> Signal:
    """Whether the column stands between its declared neighbours; used where there is no month before."""
    at = order.index(column)
    declared = (order[at - 1] if at else "", order[at + 1] if at + 1 < len(order) else "")
    beside = [name for name, here in zip(declared, _neighbours(found, sheet), strict=True) if name and name == here]
    words = f"beside {' and '.join(beside)} as declared" if beside else ""
    return Signal(name="position", score=0.5 * len(beside), reason=words)


def type_signal(column: Column, found: SheetColumn) -> Signal | None:
    """The share of the cells that the column's kind can read; None without cells, and where any text would do."""
    if not found.values or column.kind is Kind.FLAG:
        return None
    share = _readable(column.kind, found)
    if column.kind is Kind.TEXT and share >= LEAST_READABLE:
        return None
    return Signal(name="type", score=share, reason=f"{_percent(share)} readable as {column.kind}")


def values_signal(
    column: Column, found: SheetColumn, *, before: SheetColumn | None, vocabulary: frozenset[str]
) -> Signal | None:
    """How far the cells are those of last month, or of the vocabulary; amounts are compared by their size."""
    if not found.values or column.kind in (Kind.MONTH, Kind.DATE):
        return None
    last = before if before is not None and before.values else None
    if column.is_number:
        return _sizes_signal(found, last) if last else None
    known = {*(last.bare_values if last else ()), *map(bare, vocabulary)}
    if not known:
        return None
    share = _share(value in known for value in found.bare_values)
    whose = "of last month's values" if last else "of the known values"
    # Names that hardly repeat within a month are not expected to come again in the next one.
    repeated = 1 - len(set(found.bare_values)) / len(found.bare_values)
    return Signal(name="values", score=share, reason=f"{_percent(share)} {whose}", trust=max(share, repeated))


def _sizes_signal(found: SheetColumn, last: SheetColumn) -> Signal:
    now, then = found.sizes, last.sizes
    share = 1 - sum(abs(now.get(size, 0.0) - then.get(size, 0.0)) for size in {*now, *then}) / 2
    return Signal(name="values", score=share, reason=f"amounts {_percent(share)} of the sizes of last month's")


def _alike(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio() if one and other else 0.0


def _replaced(heading: str, synonyms: Mapping[str, str]) -> str:
    """The bare heading with every other word replaced by the business word; longer words first."""
    words = {bare(word): bare(word) for word in synonyms.values()}
    words |= {bare(other): bare(word) for other, word in synonyms.items()}
    pattern = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(pattern, lambda found: words[found[0]], bare(heading)) if pattern else bare(heading)


def _neighbours(column: SheetColumn, sheet: Sheet) -> tuple[str, str]:
    """What the columns to the left and right are; nothing at the border."""
    at = sheet.index(column)
    left, right = sheet[at - 1 : at] if at else (), sheet[at + 1 : at + 2]
    return "".join(c.identity for c in left), "".join(c.identity for c in right)


def _readable(kind: Kind, found: SheetColumn) -> float:
    """The share of the cells that the kind's reader takes; a text is anything but a broken number."""
    match kind:
        case Kind.CODE:
            return _share(_CODE.fullmatch(narrow(value).strip()) is not None for value in found.values)
        case Kind.MONTH | Kind.DATE:
            return found.days
        case Kind.TEXT:
            return _share(number is None or number == number.to_integral_value() for number in found.numbers)
        case _:
            return _share(number is not None for number in found.numbers)


def _share(true: Iterable[bool]) -> float:
    counted = [bool(one) for one in true]
    return sum(counted) / len(counted) if counted else 0.0


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _number(value: str) -> Decimal | None:
    try:
        return parse_number(value)
    except ValueError:
        return None


def _is_day(value: str) -> bool:
    try:
        return parse_day(value) is not None
    except ValueError:
        return False


def _size(number: Decimal | None) -> str:
    if not number:
        return "no number" if number is None else "zero"
    return f"{'-' if number < 0 else '+'}{number.adjusted()}"
