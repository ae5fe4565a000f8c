"""Which company a row belongs to: named matchers asked in order, the first answer counts."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.names import normalise_name, normalise_names
from work_data_hub.domain.identity.temporary import is_temporary, temporary_id
from work_data_hub.domain.text import is_blank
from work_data_hub.errors import ConfigError

EXCLUDED_ENTRY = "__EMPTY__"
"""How the override file writes that a name belongs to no company."""

COMPANY_ID, SOURCE, CONFIDENCE = "company_id", "_identity_source", "_identity_confidence"
EXCLUDED, UNRESOLVED = "excluded", "unresolved"

_NOT_AN_ID = frozenset({"N", "0"})
# Words such as 待查 stand where an id belongs; so does what only looks like a temporary id.
_AN_ID = re.compile(r"(?!IN[A-Z0-9]{16}$)[A-Z0-9][A-Z0-9_-]*")
_NOT_A_CUSTOMER = "0"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityBook:
    """What is known by hand: ids by plan code, ids by normalised name (None: excluded)."""

    plan_overrides: Mapping[str, str]
    name_overrides: Mapping[str, str | None]
    salt: str = field(repr=False)

    @classmethod
    def from_entries(cls, *, plans: Mapping[str, str], names: Mapping[str, str], salt: str) -> Self:
        """Return the book of the override files' entries, whose names are as people write them.

        Raises ConfigError for a blank name, and for two names of one form with different ids.
        """
        by_form: dict[str, str | None] = {}
        for name, entry in names.items():
            form, company_id = normalise_name(name), None if entry == EXCLUDED_ENTRY else entry
            if not form or by_form.setdefault(form, company_id) != company_id:
                raise _ambiguous_entry(name, form)
        return cls(plan_overrides=dict(plans), name_overrides=by_form, salt=salt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One way to find a company.

    `find` gets the keys still open (plan, name, existing; `string`, null where there is none)
    and the book, and returns for the same index company_id and confidence: company_id null
    where it has no answer, "" where its answer is that there is no company.
    """

    name: str
    find: Callable[[pd.DataFrame, IdentityBook], pd.DataFrame]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identified:
    """Company, source and confidence of each row, and what is left to find out."""

    frame: pd.DataFrame  # company_id, _identity_source, _identity_confidence
    hits: dict[str, int]  # rows by source, every source named
    unresolved_names: tuple[str, ...]  # normalised names behind temporary ids, sorted


def _by_plan(keys: pd.DataFrame, book: IdentityBook) -> pd.DataFrame:
    return _answers(keys["plan"].map(dict(book.plan_overrides)), confidence=1.0)


def _by_name(keys: pd.DataFrame, book: IdentityBook) -> pd.DataFrame:
    ids = {name: company_id or "" for name, company_id in book.name_overrides.items()}
    return _answers(keys["name"].map(ids), confidence=1.0)


def _by_existing_id(keys: pd.DataFrame, _book: IdentityBook) -> pd.DataFrame:
    return _answers(keys["existing"], confidence=1.0)


def _by_temporary_id(keys: pd.DataFrame, book: IdentityBook) -> pd.DataFrame:
    ids = {name: temporary_id(name, salt=book.salt) for name in keys["name"].dropna().unique()}
    return _answers(keys["name"].map(ids), confidence=0.0)


MATCHERS = (
    Matcher(name="plan_override", find=_by_plan),
    Matcher(name="name_override", find=_by_name),
    Matcher(name="existing_id", find=_by_existing_id),
    Matcher(name="temporary_id", find=_by_temporary_id),
)


def identify(
    rows: pd.DataFrame,
    *,
    book: IdentityBook,
    plan: str | None,
    customer: str,
    existing: str | None,
    matchers: tuple[Matcher, ...] = MATCHERS,
) -> Identified:
    """Return the company of each row, from the first matcher that answers.

    Reads the named columns; the frame is aligned with the rows' index and nothing is dropped.
    A row without a usable name that no override or existing id settles stays null, unresolved.
    """
    raw = pd.DataFrame(
        {key: _column(rows, column) for key, column in (("plan", plan), ("name", customer), ("existing", existing))},
    )
    first, members = _distinct(raw)
    keys = _clean(raw.take(first))
    answers = _ask(keys, book, matchers)
    frame = answers.take(members).set_axis(rows.index)
    counted = frame[SOURCE].value_counts().to_dict()
    sources = dict.fromkeys([*(matcher.name for matcher in matchers), EXCLUDED, UNRESOLVED])
    behind = keys.loc[answers[SOURCE].eq("temporary_id"), "name"]
    return Identified(
        frame=frame,
        hits={source: int(counted.get(source, 0)) for source in sources},
        unresolved_names=tuple(sorted(behind.unique())),
    )


def _column(rows: pd.DataFrame, column: str | None) -> pd.Series:
    values = pd.Series(pd.NA, index=rows.index) if column is None else rows[column]
    return values.astype("string").reset_index(drop=True)


def _distinct(raw: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the first row of each distinct key, and each row's key number."""
    members = np.zeros(len(raw), dtype=np.int64)
    for column in raw.columns:
        codes, values = pd.factorize(raw[column])
        members, _ = pd.factorize(members * (len(values) + 1) + codes + 1)
    _, first = np.unique(members, return_index=True)
    return first, members


def _clean(raw: pd.DataFrame) -> pd.DataFrame:
    """Return plan, name and existing ready to match: stripped, normalised, null where blank."""
    names = normalise_names(raw["name"])
    return pd.DataFrame(
        {
            "plan": raw["plan"].str.strip(),
            "name": names.mask(names.isin(["", _NOT_A_CUSTOMER])),
            "existing": _real_ids(raw["existing"]),
        }
    ).reset_index(drop=True)


def unusable_ids(written: pd.Series) -> pd.Series:
    """Return which cells hold something that is neither an id, nor a temporary one, nor a placeholder."""
    ids = _bare_ids(written.astype("string"))
    wrong = [text for text in ids.dropna().unique() if not _means_no_id(text) and not _AN_ID.fullmatch(text)]
    return ids.isin(wrong)


def _real_ids(written: pd.Series) -> pd.Series:
    """Return the ids in capitals, null for what is no id or only stands in for one."""
    ids = _bare_ids(written)
    real = {text: text for text in ids.dropna().unique() if not _means_no_id(text) and _AN_ID.fullmatch(text)}
    return ids.map(real).astype("string")


def _bare_ids(written: pd.Series) -> pd.Series:
    """Return the cells in capitals and without white space."""
    return written.str.replace(r"\s+", "", regex=True).str.upper()


def _means_no_id(text: str) -> bool:
    return is_blank(text) or text in _NOT_AN_ID or is_temporary(text)


def _ask(keys: pd.DataFrame, book: IdentityBook, matchers: tuple[Matcher, ...]) -> pd.DataFrame:
    """Return company_id, source and confidence of each key."""
    decided = pd.DataFrame({COMPANY_ID: pd.NA, SOURCE: UNRESOLVED, CONFIDENCE: np.nan}, index=keys.index)
    decided = decided.astype({COMPANY_ID: "string", SOURCE: "string"})
    for matcher in matchers:
        answers = matcher.find(keys[decided[SOURCE].eq(UNRESOLVED)], book)
        hits = answers[answers[COMPANY_ID].notna()]
        excluded = hits[COMPANY_ID].eq("")
        decided.loc[hits.index, COMPANY_ID] = hits[COMPANY_ID].mask(excluded)
        decided.loc[hits.index, SOURCE] = np.where(excluded, EXCLUDED, matcher.name)
        decided.loc[hits.index, CONFIDENCE] = hits["confidence"]
    return decided


def _answers(ids: pd.Series, *, confidence: float) -> pd.DataFrame:
    return pd.DataFrame({COMPANY_ID: ids.astype("string"), "confidence": confidence})


def _ambiguous_entry(name: str, form: str) -> ConfigError:
    return ConfigError(
        "an override by name cannot be used",
        field=name,
        input_data=form,
        rule="one id for each normalised name, no blank names",
        hint="keep one entry for this name in company_id_overrides_name.yml",
    )
