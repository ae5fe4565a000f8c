"""Steps of the trustee's figures: the month from its parts, and what looks odd in a row."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import SOURCE_FILE, SOURCE_SHEET, Bronze
from work_data_hub.domain.dates import parse_day
from work_data_hub.domain.distinct import parse_distinct
from work_data_hub.domain.findings import counted, rejected
from work_data_hub.domain.kinds import DATE_DTYPE
from work_data_hub.domain.pipelines import PipelineContext
from work_data_hub.domain.spec import Step
from work_data_hub.domain.steps import run_of
from work_data_hub.domain.text import is_blank, narrow
from work_data_hub.errors import HeadingsMissing

OLD_AFTER_DAYS = 3650
LARGE_RETURN = Decimal("0.5")
_NOISE = str.maketrans("", "", "年月份/- \t\r\n")
_BETWEEN = "\x1f"


def month_from_parts(target: str, *, year: str, month: str, text: str) -> Step:
    """Write each row's month into `target`: from `year` and `month`, or from `text` where one of them is blank.

    年, 月, / and - around the numbers are dropped. Where both stand they must agree. What cannot be read
    is rejected at the cell that cannot; a row without a month at its first blank cell. Raises
    HeadingsMissing where the sheet has neither `text` nor both numbers.
    """
    parts = (year, month, text)

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        given = _given(parts, context)
        written = rows[list(parts)].fillna("")
        together = written[year] + _BETWEEN + written[month] + _BETWEEN + written[text]
        days, unreadable = parse_distinct(together, _read_parts, dtype=DATE_DTYPE)
        blank = days.isna().to_numpy(dtype=bool) & ~unreadable
        for rule, mask in (("WDH-V101", unreadable), ("WDH-V102", blank)):
            positions = np.flatnonzero(mask)
            at_fault = [_at_fault(*row, given=given) for row in written.iloc[positions].itertuples(index=False)]
            for place, column in enumerate(parts):
                here = positions[[fault == place for fault in at_fault]]
                if len(here):
                    values = rows[column].iloc[here]
                    context.findings.append(rejected(here, column=column, values=values, rule=rule))
        return rows.assign(**{target: days})

    return Step(
        name=f"{target} from its parts",
        says=f"{target} is the first day of the month in {year} and {month}, or of {text} where one of them is blank.",
        reads=parts,
        writes=(target,),
        apply=apply,
    )


def note_whether_any(target: str, *, among: Sequence[str]) -> Step:
    """Write whether any of the columns has a value; 0 is one."""

    def apply(rows: pd.DataFrame, _: PipelineContext) -> pd.DataFrame:
        return rows.assign(**{target: rows[list(among)].notna().any(axis=1).astype("boolean")})

    return Step(
        name=f"{target} among {', '.join(among)}",
        says=f"{target} says whether any of {', '.join(among)} has a value; 0 is a value.",
        reads=tuple(among),
        writes=(target,),
        apply=apply,
    )


def note_odd_figures(target: str, *, month: str, rate: str, value: str, scale: str) -> Step:
    """Write what looks odd in a row, parted by "; ", and count it; odd rows are kept.

    Odd are a month of more than ten years ago, a return above one half, a scale below the value.
    """

    def apply(rows: pd.DataFrame, context: PipelineContext) -> pd.DataFrame:
        oldest = run_of(context).today - timedelta(days=OLD_AFTER_DAYS)
        oddities = {
            f"{month} is more than {OLD_AFTER_DAYS} days ago": rows[month] < oldest,
            f"{rate} is above {LARGE_RETURN} or below -{LARGE_RETURN}": rows[rate].abs() > LARGE_RETURN,
            f"{scale} is below {value}": rows[scale] < rows[value],
        }
        odd = pd.DataFrame({words: mask.fillna(False).astype(bool) for words, mask in oddities.items()})
        for words in odd.columns[odd.any()]:
            context.findings.append(counted(words, rows.loc[odd[words], month].astype("string")))
        return rows.assign(**{target: _joined(odd)})

    return Step(
        name=f"odd figures into {target}",
        says=f"{target} names a {month} of ten years ago or more, a large {rate} and a {scale} below {value}.",
        reads=(month, rate, value, scale),
        writes=(target,),
        apply=apply,
    )


def _joined(odd: pd.DataFrame) -> pd.Series:
    """The names of the true columns of each row, parted by "; "; null for none."""
    joined = pd.Series("", index=odd.index, dtype="string")
    for words, mask in odd.items():
        joined = joined.mask(mask, joined + "; " + str(words))
    return joined.str.removeprefix("; ").mask(joined == "")


def _given(parts: tuple[str, str, str], context: PipelineContext) -> tuple[bool, bool, bool]:
    """Which of the three columns the sheet has."""
    bronze: Bronze = context.facts["bronze"]
    year, month, text = (part in bronze.frame.columns for part in parts)
    if text or (year and month):
        return year, month, text
    raise HeadingsMissing(
        f"lacks {parts[0]} and {parts[1]}, or {parts[2]}: no row names its month",
        domain=context.pipeline_name,
        file=bronze.frame[SOURCE_FILE].iloc[0],
        sheet=bronze.frame[SOURCE_SHEET].iloc[0],
        field=parts[0],
        hint="check the headings, or that this is the right sheet (sheet_names in config/data_sources.yml)",
    )


def _read_parts(together: str) -> date | None:
    year, month, text = together.split(_BETWEEN)
    if is_blank(year) or is_blank(month):
        day = parse_day(text)
        return day and day.replace(day=1)
    day = parse_day(f"{_digits(year)}年{_month_number(month)}月")
    if day and _names_another(text, day):
        raise ValueError("one month, however it is written")
    return day


def _names_another(text: str, day: date) -> bool:
    """Whether the text names a month, and another one."""
    try:
        named = parse_day(text)
    except ValueError:
        return False
    return named is not None and named.replace(day=1) != day


def _month_number(month: str) -> int:
    if not _is_month(month):
        raise ValueError("a month from 1 to 12")
    return int(_digits(month))


def _is_month(written: str) -> bool:
    digits = _digits(written)
    return digits.isdecimal() and 1 <= int(digits) <= 12


def _digits(written: str) -> str:
    return narrow(written).translate(_NOISE).removesuffix(".0")


def _at_fault(year: str, month: str, text: str, *, given: tuple[bool, bool, bool]) -> int:
    """Which of the three cells to mend: the one that cannot be read, or the first blank one the sheet has."""
    if not is_blank(year) and not is_blank(month):
        if not _is_month(month):
            return 1
        return 0 if is_blank(text) or not _digits(year).isdecimal() else 2
    if not is_blank(text):
        return 2
    return next(at for at, cell in enumerate((year, month, text)) if given[at] and is_blank(cell))
