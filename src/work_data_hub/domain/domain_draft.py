"""From a sample sheet to the draft of a domain: its columns, month and steps, and what is left to decide."""

import keyword
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from work_data_hub.domain.columns import Kind
from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.draft_columns import (
    LONGEST_NAME_BYTES,
    DraftColumn,
    Sample,
    SampleColumn,
)
from work_data_hub.domain.draft_kinds import bare_heading, look_at
from work_data_hub.domain.draft_roles import Roles
from work_data_hub.domain.period import Period
from work_data_hub.domain.python_text import Call
from work_data_hub.domain.spec import Domain, ReplaceMonth, Step
from work_data_hub.domain.steps import identify_company, normalise_company, translate
from work_data_hub.domain.text import fold
from work_data_hub.errors import UsageError

STEPS: dict[str, Callable[..., Step]] = {
    "identify_company": identify_company,
    "normalise_company": normalise_company,
    "translate": translate,
}
MONTHS = (
    "月度",
    "上报月份",
    "报告月份",
    "统计月份",
    "数据月份",
    "报告期",
    "期间",
    "月份",
    "report_month",
    "month",
    "period",
)

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_TABLE = re.compile(r"\w+\.\w+")
_TITLE = re.compile(r"[^\"'\\\x00-\x1f]{1,30}")


def check_name(name: str) -> str:
    """Return the name; raise UsageError for one that files, Python and YAML cannot all bear."""
    if not _NAME.fullmatch(name) or keyword.iskeyword(name) or name in _YAML_WORDS:
        rule = "small letters, digits and _, a letter first, at most 40, no word of Python or YAML"
        raise UsageError("not a name for a domain", field="NAME", input_data=name, rule=rule)
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asked for; raises UsageError for names that cannot be used. `month` is a heading, or nothing."""

    name: str
    title: str
    table: str
    month: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        if not _TITLE.fullmatch(self.title):
            rule = "1 to 30 signs, no quotes and backslashes"
            raise UsageError("not a title", field="--title", input_data=self.title, rule=rule)
        too_long = any(len(part.encode()) > LONGEST_NAME_BYTES for part in self.table.split("."))
        if not _TABLE.fullmatch(self.table) or too_long:
            rule = f"schema.table, each of letters, digits and _, at most {LONGEST_NAME_BYTES} bytes"
            raise UsageError("not a name for a table", field="--table", input_data=self.table, rule=rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A domain that is not written yet: what declares it, and the month its sample is for."""

    wish: Wish
    columns: tuple[DraftColumn, ...]
    steps: tuple[Call, ...]
    month: str
    period: Period
    indexes: tuple[tuple[str, ...], ...]
    ignored: tuple[str, ...]

    @property
    def domain(self) -> Domain:
        """The declaration as a value, the same that the text of the draft makes."""
        return Domain(
            name=self.wish.name,
            title=self.wish.title,
            table=self.wish.table,
            columns=tuple(draft.column for draft in self.columns),
            steps=tuple(step.made(STEPS) for step in self.steps),
            load=ReplaceMonth(column=self.month),
            indexes=self.indexes,
            ignored_headings=self.ignored,
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a human must decide."""
        return tuple(column.remark for column in self.columns if column.remark)


def draft_domain(sample: Sample, wish: Wish) -> Draft:
    """The domain that the sample suggests; raises UsageError where no column, or no single month, is named."""
    month = _month_column(sample, wish.month)
    period = _period(sample, month)
    roles = Roles(sample, month=month)
    columns = [*map(roles.declared, roles.kept), *roles.computed_columns()]
    return Draft(
        wish=wish,
        columns=tuple(_with_unit_remark(columns)),
        steps=tuple(roles.steps()),
        month=roles.names[month.heading],
        period=period,
        indexes=roles.indexes(table=wish.table.partition(".")[2]),
        ignored=tuple(column.heading for column in sample.columns if column not in roles.kept),
    )


def _month_column(sample: Sample, asked: str) -> SampleColumn:
    if asked:
        found = next((column for column in sample.columns if fold(column.heading) == fold(asked)), None)
        if found is None:
            raise _no_month(sample, f"no column has the heading {asked!r}")
        return found
    candidates = [column for column in sample.columns if _is_month(column)]
    if not candidates:
        raise _no_month(sample, "no column names the month")
    return replace(sample, columns=tuple(candidates)).named(MONTHS) or candidates[0]


def _is_month(column: SampleColumn) -> bool:
    bare = bare_heading(column.heading)
    named = bare in MONTHS or bare.endswith(("月度", "月份", "期间"))
    return named and _holds_days(column)


def _holds_days(column: SampleColumn) -> bool:
    look = look_at(column.cells)
    return look.share(look.days) == 1.0


def _period(sample: Sample, month: SampleColumn) -> Period:
    """The one month of the sample."""
    periods = sorted({Period.of(day) for day in _days(month.cells.dropna().unique())})
    if len(periods) == 1:
        return periods[0]
    named = ", ".join(str(period) for period in periods[:5]) or "none that can be read"
    raise UsageError(
        f"a sheet is for one month, {month.heading} names {len(periods)}: {named}",
        file=sample.file,
        sheet=sample.sheet,
        field=month.heading,
        hint="choose another column with --month, or a sample of one month",
    )


def _days(values: Iterable[Any]) -> list[date]:
    days = []
    for value in values:
        try:
            days.append(parse_day(str(value)))
        except ValueError:
            continue
    return [day for day in days if day is not None]


def _no_month(sample: Sample, message: str) -> UsageError:
    dated = [column.heading for column in sample.columns if _holds_days(column)]
    return UsageError(
        message,
        file=sample.file,
        sheet=sample.sheet,
        rule="every row names its month, such as 202410",
        hint=f"name it with --month HEADING; columns that hold dates: {', '.join(dated) or 'none'}",
    )


def _with_unit_remark(columns: list[DraftColumn]) -> list[DraftColumn]:
    """Ask for the unit once, at the first amount whose heading does not name it."""
    for at, draft in enumerate(columns):
        if draft.column.kind is Kind.MONEY and "unit" not in draft.call.options and not draft.remark:
            remark = f"{draft.name} and other amounts are taken to be in 元 where the heading names no unit"
            columns[at] = replace(draft, remark=remark)
            break
    return columns
