"""Company ids as they stand in a sheet: usable, unusable, or another than the company found."""

import re

import pandas as pd

from work_data_hub.domain.distinct import map_distinct
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.text import is_blank, narrow

_NOT_AN_ID = frozenset({"N", "0"})
# Words such as 待查 stand where an id belongs; so does what only looks like a temporary id.
_AN_ID = re.compile(r"(?!IN[A-Z0-9]{16}$)[A-Z0-9][A-Z0-9_-]*")


def unusable_ids(written: pd.Series) -> pd.Series:
    """Return which cells hold something that is neither an id, nor a temporary one, nor a placeholder."""
    ids = _bare_ids(written.astype("string"))
    wrong = [text for text in ids.dropna().unique() if not _means_no_id(text) and not looks_like_id(text)]
    return ids.isin(wrong)


def contradicted_ids(written: pd.Series, found: pd.Series) -> pd.Series:
    """Return which cells hold a usable id other than the company found for their row."""
    ids = real_ids(written.astype("string"))
    return (ids.notna() & found.notna() & ids.ne(found)).fillna(False)


def looks_like_id(text: str) -> bool:
    """Say whether the text, in capitals, can be a company's id; words and temporary ids cannot."""
    return _AN_ID.fullmatch(text) is not None


def real_ids(written: pd.Series) -> pd.Series:
    """Return the ids in capitals, null for what is no id or only stands in for one."""
    ids = _bare_ids(written)
    real = {text: text for text in ids.dropna().unique() if not _means_no_id(text) and looks_like_id(text)}
    return ids.map(real).astype("string")


def _bare_ids(written: pd.Series) -> pd.Series:
    """Return the cells half-width, in capitals, without white space and without the `.0` of a number."""
    ids = map_distinct(written, narrow).astype("string")
    return ids.str.replace(r"\s+", "", regex=True).str.upper().str.replace(r"^([0-9]+)\.0+$", r"\1", regex=True)


def _means_no_id(text: str) -> bool:
    return is_blank(text) or text in _NOT_AN_ID or is_temporary(text)
