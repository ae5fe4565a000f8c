"""Which company a row belongs to: named matchers asked in order, the first answer counts."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.identified import (
    COMPANY_ID,
    CONFIDENCE,
    DECISION,
    EXCLUDED,
    SOURCE,
    TEMPORARY,
    UNRESOLVED,
    Identified,
    IdentityColumns,
)
from work_data_hub.domain.identity.knowledge import IdentityBook, Knowledge, wanted
from work_data_hub.domain.identity.matchers import MATCHERS, SAME_LOAD, Clues, Matcher, unsupported
from work_data_hub.domain.identity.names import normalise_names
from work_data_hub.domain.identity.written_ids import real_ids

SINGLE_PLAN = "单一计划"
_NOT_A_CUSTOMER = "0"


def identify(
    rows: pd.DataFrame,
    *,
    book: IdentityBook,
    columns: IdentityColumns,
    rejected: np.ndarray | None = None,
    matchers: tuple[Matcher, ...] = MATCHERS,
) -> Identified:
    """Return the company of each row, from the first matcher that answers.

    Reads the named columns; nothing is dropped. The warehouse is looked up once, for all keys together.
    A row without a usable name that no other clue settles stays null, unresolved. Rows of the mask
    `rejected` tell nothing about others.
    """
    out = np.zeros(len(rows), dtype=bool) if rejected is None else rejected
    raw = pd.DataFrame(
        {
            "plan": _column(rows, columns.plan),
            "plan_type": _column(rows, columns.plan_type),
            "name": _column(rows, columns.customer),
            "existing": _column(rows, columns.existing),
            "is_rejected": out,
        }
    )
    first, members = _distinct(raw)
    keys = _clean(raw.take(first), no_plans=book.no_plans).assign(rows=np.bincount(members, minlength=len(first)))
    known = _known(keys, book)
    return Identified(
        keys=keys,
        answers=_ask(keys, book, known, matchers),
        members=members,
        index=rows.index,
        written=_column(rows, columns.written or columns.customer),
        sources=tuple(dict.fromkeys((*(matcher.name for matcher in matchers), EXCLUDED, UNRESOLVED))),
        entries=known.entries,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What one matcher says of a key on its own: the company, "" for none on purpose, None for no answer."""

    matcher: str
    says: str
    company_id: str | None
    confidence: float | None
    entry_id: int | None
    decides: bool = False


def trace(row: pd.DataFrame, *, book: IdentityBook, columns: IdentityColumns) -> tuple[Trace, ...]:
    """What each matcher, in order, says of a one-row frame; the first with an answer decides."""
    decided = identify(row, book=book, columns=columns)
    known = _known(decided.keys, book)
    clues = Clues(book=book, known=known, keys=decided.keys, answers=decided.answers)
    told = [_traced(matcher, decided, clues) for matcher in dict.fromkeys(MATCHERS)]
    first = next((one for one in told if one.company_id is not None), None)
    return tuple(replace(one, decides=one is first) for one in told)


def _traced(matcher: Matcher, decided: Identified, clues: Clues) -> Trace:
    answer = _settled(matcher, decided.keys, clues).iloc[0]
    found = None if pd.isna(answer[COMPANY_ID]) else str(answer[COMPANY_ID])
    return Trace(
        matcher=matcher.name,
        says=matcher.says,
        company_id=found,
        confidence=None if found is None else float(answer["confidence"]),
        entry_id=None if pd.isna(answer["entry_id"]) else int(answer["entry_id"]),
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


def _clean(raw: pd.DataFrame, *, no_plans: frozenset[str]) -> pd.DataFrame:
    """Return plan, is_single, name and existing ready to match: stripped, normalised, null where blank."""
    names, plans = normalise_names(raw["name"]), raw["plan"].str.strip()
    return pd.DataFrame(
        {
            "plan": plans.mask(plans.isin([*no_plans, ""])),
            "is_single": raw["plan_type"].str.strip().eq(SINGLE_PLAN).fillna(False).astype(bool),
            "name": names.mask(names.isin(["", _NOT_A_CUSTOMER])),
            "existing": real_ids(raw["existing"]),
            "is_rejected": raw["is_rejected"],
        }
    ).reset_index(drop=True)


def _known(keys: pd.DataFrame, book: IdentityBook) -> Knowledge:
    return book.look_up(wanted(keys))


def _ask(keys: pd.DataFrame, book: IdentityBook, known: Knowledge, matchers: tuple[Matcher, ...]) -> pd.DataFrame:
    """Return company_id, source, confidence, entry_id and clue of each key."""
    nothing = {COMPANY_ID: pd.NA, SOURCE: UNRESOLVED, CONFIDENCE: np.nan, "entry_id": pd.NA, "clue": ""}
    decided = pd.DataFrame(nothing, keys.index)
    decided = decided.astype({COMPANY_ID: "string", SOURCE: "string", "entry_id": "Int64", "clue": "string"})
    clues = Clues(book=book, known=known, keys=keys, answers=decided)
    news = True
    for matcher in matchers:
        if matcher.name == TEMPORARY:
            _take_back(decided, clues)
        if matcher is SAME_LOAD and not news:
            continue
        news = False if matcher is SAME_LOAD else news
        while _one_round(matcher, keys, decided, clues):
            # Only what this load teaches can teach more; every other matcher has said all it knows.
            if matcher is not SAME_LOAD:
                news = True
                break
    return decided


def _take_back(decided: pd.DataFrame, clues: Clues) -> None:
    """Open again what rows of this load taught each other and then contradicted, until the rest agrees."""
    while decided[SOURCE].eq(SAME_LOAD.name).any() and (wrong := unsupported(clues)).any():
        for column, nothing in ((COMPANY_ID, pd.NA), (SOURCE, UNRESOLVED), (CONFIDENCE, np.nan)):
            decided[column] = decided[column].mask(wrong, nothing)


def _one_round(matcher: Matcher, keys: pd.DataFrame, decided: pd.DataFrame, clues: Clues) -> bool:
    """Enter the matcher's answers for open keys into `decided`; says whether there were any."""
    still_open = keys[decided[SOURCE].eq(UNRESOLVED)]
    if still_open.empty:
        return False
    answers = _settled(matcher, still_open, clues)
    hits = answers[answers[COMPANY_ID].notna()]
    excluded = hits[COMPANY_ID].eq("")
    decided.loc[hits.index, COMPANY_ID] = hits[COMPANY_ID].mask(excluded)
    decided.loc[hits.index, SOURCE] = np.where(excluded, EXCLUDED, hits["source"])
    decided.loc[hits.index, CONFIDENCE] = hits["confidence"]
    for column in ("entry_id", "clue"):
        decided.loc[hits.index, column] = hits[column]
    return len(hits) > 0


def _settled(matcher: Matcher, keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    """The matcher's answers with merged companies replaced, and without what people ruled out."""
    answers = matcher.find(keys, clues).assign(source=matcher.name)
    decisions = clues.known.decisions
    if decisions.empty or answers.empty:
        return answers
    merged = answers[COMPANY_ID].map(clues.known.aliases()).astype("string")
    company = merged.fillna(answers[COMPANY_ID])
    # Ruled out is the company that answered as well as the one it has become.
    ruled_out = _ruled_out(keys, answers[COMPANY_ID], decisions) | _ruled_out(keys, company, decisions)
    answers["source"] = np.where(merged.notna(), DECISION, answers["source"])
    answers["entry_id"] = answers["entry_id"].mask(merged.notna() | ruled_out)
    return answers.assign(**{COMPANY_ID: company.mask(ruled_out)})


def _ruled_out(keys: pd.DataFrame, companies: pd.Series, decisions: pd.DataFrame) -> pd.Series:
    """Which answers somebody has said that the name, or the name within the plan, is not."""
    made = decisions[decisions["to_company"].isna() & decisions["from_company"].notna()]
    if made.empty:
        return pd.Series(False, index=keys.index)
    pairs = set(zip(made["name"], made["plan"].fillna(""), made["from_company"], strict=True))
    anywhere = zip(keys["name"], [""] * len(keys), companies, strict=True)
    in_plan = zip(keys["name"], keys["plan"].fillna(""), companies, strict=True)
    return pd.Series(
        [one in pairs or other in pairs for one, other in zip(anywhere, in_plan, strict=True)], index=keys.index
    )
