"""The ways to find a company, in the order in which they are asked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.identified import COMPANY_ID, DECISION, EXCLUDED, SOURCE, TEMPORARY, UNRESOLVED
from work_data_hub.domain.identity.knowledge import IdentityBook, KeyKind, Knowledge, keys_of, nobody_asked
from work_data_hub.domain.identity.learning import (
    BY_HAND,
    FROM_REGISTRY,
    OF_THE_PLAN,
    ROW,
    TAUGHT_BY_LOADS,
    Lessons,
    lessons,
    proposals,
)
from work_data_hub.domain.identity.temporary import temporary_id


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clues:
    """What a matcher may consult: the book, what the warehouse knows, all keys and the answers so far."""

    book: IdentityBook
    known: Knowledge
    keys: pd.DataFrame
    answers: pd.DataFrame

    @property
    def decided(self) -> pd.DataFrame:
        """Keys and answers side by side."""
        return self.keys.join(self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matcher:
    """One way to find a company.

    `find` gets the keys still open (plan, is_single, name, existing, is_rejected, rows) and the clues, and
    returns for the same index company_id, confidence, entry_id and clue (by which key it was found):
    company_id null where it has no answer, "" where its answer is that there is no company.
    """

    name: str
    find: Callable[[pd.DataFrame, Clues], pd.DataFrame]
    says: str


def _by_plan(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    return _answers(keys["plan"].map(dict(clues.book.plan_overrides)), confidence=1.0)


def _by_name(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    ids = {name: company_id or "" for name, company_id in clues.book.name_overrides.items()}
    return _answers(keys["name"].map(ids), confidence=1.0)


def _by_decision(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    """What people decided for the name within the plan, else for the name."""
    made = clues.known.decisions
    if made.empty:
        return _answers(_nothing(keys))
    made = made[made["to_company"].notna() & ~made["kind"].eq("merge")]
    of_plan, of_name = made[made["plan"].notna()], made[made["plan"].isna()]
    in_plan = dict(zip(zip(of_plan["name"], of_plan["plan"], strict=True), of_plan["to_company"], strict=True))
    pairs = pd.Series(list(zip(keys["name"], keys["plan"], strict=True)), index=keys.index, dtype=object)
    found = pairs.map(in_plan).astype("string") if in_plan else _nothing(keys)
    anywhere = keys["name"].map(dict(zip(of_name["name"], of_name["to_company"], strict=True))).astype("string")
    return _answers(found.fillna(anywhere))


def _by_index(kind: KeyKind) -> Callable[[pd.DataFrame, Clues], pd.DataFrame]:
    def find(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
        entries = clues.known.by_key(kind)
        if entries.empty:
            return _answers(_nothing(keys))
        found = _looked_up(keys_of(keys, kind), entries, clue=kind)
        found["clue"] = found["clue"].mask(keys["existing"].eq(found[COMPANY_ID]).fillna(False), ROW)
        other = keys["existing"].notna() & found[COMPANY_ID].notna() & keys["existing"].ne(found[COMPANY_ID])
        if not other.any():
            return found
        # What loads have taught, and unsure matches of the registry, do not overrule the id that stands in the row.
        unsure = entries["source"].eq(FROM_REGISTRY) & entries["confidence"].lt(clues.book.rules.accept_from)
        weak = entries[entries["source"].isin(TAUGHT_BY_LOADS) | unsure]
        return found.mask(other & keys_of(keys, kind).isin(weak.index))

    return find


def _by_existing_id(keys: pd.DataFrame, _clues: Clues) -> pd.DataFrame:
    return _answers(keys["existing"], clue=ROW)


def _by_registry(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    if clues.book.ask is nobody_asked:
        return _answers(_nothing(keys))
    is_open = keys["name"].notna() & ~keys["name"].isin(_not_to_ask(clues)) & ~keys["is_rejected"]
    open_names = keys.loc[is_open, ["name", "rows"]]
    if open_names.empty:
        return _answers(_nothing(keys))
    by_name = open_names.groupby("name", as_index=False).sum()
    asked = by_name.sort_values(["rows", "name"], ascending=[False, True], ignore_index=True)
    told = clues.book.ask(asked)
    nobody = pd.array([pd.NA] * len(told), dtype="Int64")
    return _looked_up(keys["name"], told.assign(entry_id=nobody), clue=KeyKind.CUSTOMER_NAME)


def _not_to_ask(clues: Clues) -> set[str]:
    """Names searched lately without a sure answer, and those that rows of this load give several companies.

    One answer for such a name would overrule, next time, the ids that its other rows came with.
    """
    decided = clues.decided
    told = decided[decided[COMPANY_ID].notna() & ~decided["is_rejected"]]
    several = ~told[SOURCE].isin(BY_HAND) & ~told["clue"].isin(OF_THE_PLAN)
    return {*clues.known.searched, *told.loc[several, "name"].dropna()}


def _by_same_load(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    """What other rows of this load will teach the index, so that loading them again finds the same ids."""
    if clues.answers[SOURCE].isin((UNRESOLVED, EXCLUDED, *BY_HAND)).all():
        return _answers(_nothing(keys))
    return _taught(keys, proposals(_related(clues.decided, keys), clues.book.rules))


def unsupported(clues: Clues) -> pd.Series:
    """Which keys have a company from rows of this load that do not all agree after all."""
    found, decided = clues.answers[SOURCE].eq(SAME_LOAD.name), clues.decided
    told = decided[found]
    again = _taught(told, lessons(_related(decided, told), clues.book.rules))
    return found & again[COMPANY_ID].reindex(found.index).isna()


def _related(decided: pd.DataFrame, keys: pd.DataFrame) -> pd.DataFrame:
    """The rows that share a plan or a name with one of the keys: no others can tell of them."""
    names, plans = keys["name"].dropna().unique(), keys["plan"].dropna().unique()
    return decided[decided["name"].isin(names) | decided["plan"].isin(plans)]


def _taught(keys: pd.DataFrame, taught: Lessons) -> pd.DataFrame:
    if taught.entries.empty:
        return _answers(_nothing(keys))
    nobody = pd.array([pd.NA] * len(taught.entries), dtype="Int64")
    known = Knowledge(entries=taught.entries.assign(entry_id=nobody))
    found = _answers(_nothing(keys))
    for kind in KeyKind:
        found = found.where(found[COMPANY_ID].notna(), _looked_up(keys_of(keys, kind), known.by_key(kind), clue=kind))
    return found


def _by_temporary_id(keys: pd.DataFrame, clues: Clues) -> pd.DataFrame:
    ids = {name: temporary_id(name, salt=clues.book.salt) for name in keys["name"].dropna().unique()}
    return _answers(keys["name"].map(ids), confidence=0.0)


SAME_LOAD = Matcher(name="same_load", find=_by_same_load, says="what the other rows of the load tell")
# Asked before the registry, to spare its budget, and after it, because its answers teach as well.
MATCHERS = (
    Matcher(name="plan_override", find=_by_plan, says="the plan's company, settled by hand in the configuration"),
    Matcher(name="name_override", find=_by_name, says="the name's company, settled by hand in the configuration"),
    Matcher(name=DECISION, find=_by_decision, says="what was decided in a review"),
    Matcher(name="index_plan_code", find=_by_index(KeyKind.PLAN_CODE), says="the plan's code, single plans only"),
    Matcher(name="index_customer_name", find=_by_index(KeyKind.CUSTOMER_NAME), says="the customer's name"),
    Matcher(name="index_plan_customer", find=_by_index(KeyKind.PLAN_CUSTOMER), says="plan and customer together"),
    Matcher(name="index_former_name", find=_by_index(KeyKind.FORMER_NAME), says="a name the company had before"),
    Matcher(name="existing_id", find=_by_existing_id, says="the id that stands in the row"),
    SAME_LOAD,
    Matcher(name="registry", find=_by_registry, says="the company registry, within the run's budget"),
    SAME_LOAD,
    Matcher(name=TEMPORARY, find=_by_temporary_id, says="a temporary id made from the name"),
)


def _looked_up(by: pd.Series, known: pd.DataFrame, *, clue: str) -> pd.DataFrame:
    """company_id, confidence, entry_id and clue of each key, from a frame of them by key."""
    found = known.reindex(by.to_numpy(dtype=object)).set_axis(by.index)
    return _answers(found["company_id"], clue=clue).assign(
        confidence=found["confidence"].astype("float64"), entry_id=found["entry_id"].astype("Int64")
    )


def _nothing(keys: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=keys.index, dtype="string")


def _answers(ids: pd.Series, *, confidence: float = 1.0, clue: str = "") -> pd.DataFrame:
    nobody = pd.array(np.full(len(ids), pd.NA), dtype="Int64")
    answers = {COMPANY_ID: ids.astype("string"), "confidence": confidence, "entry_id": nobody, "clue": clue}
    return pd.DataFrame(answers, ids.index).astype({"clue": "string"})
