"""The versions of every contract: how states become history, what must be written, and why a version is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from work_data_hub.domain.customers.contracts import DAY, Timeline, key_codes
from work_data_hub.domain.customers.shapes import ATTRIBUTES, CONTRACT_KEY, NORMAL, OPEN_END, VERSIONS

_CONTINUES, _REPLACED, _GONE = "continues", "replaced by the next version", "gone from the facts"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HistoryChanges:
    """What makes the stored history the wanted one; frames of VERSIONS, found by key and valid_from.

    `closed` only get their end, `updated` differ in anything else; both carry the wanted values. To be
    applied in the order deleted, closed and updated, inserted.
    """

    inserted: pd.DataFrame
    closed: pd.DataFrame
    updated: pd.DataFrame
    deleted: pd.DataFrame
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One version, why it began and how it ended.

    `ending` is `continues`, `replaced by the next version` or `gone from the facts`.
    """

    key: tuple[str, str, str]
    valid_from: date
    valid_to: date
    attributes: Mapping[str, Any]
    reasons: tuple[str, ...]
    ending: str


def thread(stored: pd.DataFrame, states: pd.DataFrame, *, timeline: Timeline, since: int | None) -> pd.DataFrame:
    """Return the whole history, VERSIONS in order of key and valid_from.

    What began before `timeline.first_step(since)` stays as stored and goes on where the states allow;
    everything later follows from the states, but a contract that a version that stays calls strategic is
    strategic until its status year ends, whatever the rules say by now. With None nothing stored stays.
    """
    begin = np.datetime64(date.min if since is None else timeline.first_step(since), "s")
    stored = _typed(stored)
    stays = stored[(stored["valid_from"] < begin).to_numpy()]
    goes_on = (stays["valid_to"] >= begin).to_numpy()
    later = _never_downgraded(states[(states["step"] >= begin).to_numpy()], stays)
    made = _runs(stays[goes_on], later, timeline=timeline, begin=begin)
    return _ordered(pd.concat([stays[~goes_on], made], ignore_index=True))


def compare(stored: pd.DataFrame, wanted: pd.DataFrame) -> HistoryChanges:
    """Return what must be written so that the stored VERSIONS become the wanted ones."""
    stored, wanted = _typed(stored), _typed(wanted)
    stored_ids, wanted_ids = _version_ids(stored, wanted)
    at = pd.Index(stored_ids).get_indexer(pd.Index(wanted_ids))
    known = at >= 0
    before, after = stored.iloc[at[known]], wanted[known]
    same_state = _attribute_codes(before) == _attribute_codes(after)
    old_end, new_end = before["valid_to"].to_numpy(), after["valid_to"].to_numpy()
    equal = same_state & (old_end == new_end)
    closed = same_state & ~equal & (old_end == np.datetime64(OPEN_END, "s"))
    return HistoryChanges(
        inserted=wanted[~known].reset_index(drop=True),
        closed=after[closed].reset_index(drop=True),
        updated=after[~equal & ~closed].reset_index(drop=True),
        deleted=stored[~np.isin(stored_ids, wanted_ids)].reset_index(drop=True),
        skipped=int(equal.sum()),
    )


def explain(versions: pd.DataFrame) -> tuple[Explained, ...]:
    """Tell of each of a company's VERSIONS why it began and how it ended, in order of key and valid_from."""
    rows = [_named(row) for row in _ordered(_typed(versions)).itertuples(index=False, name=None)]
    neighbours = zip([None, *rows], rows, [*rows[1:], None], strict=False)
    return tuple(_explained(row, before=before, after=after) for before, row, after in neighbours)


def _never_downgraded(states: pd.DataFrame, stays: pd.DataFrame) -> pd.DataFrame:
    """Keep strategic what a version that stays calls so in the same status year: rules may have changed since."""
    of_these_years = stays["status_year"].isin(states["status_year"].unique())
    strategic = stays[(stays["is_strategic"] & of_these_years).to_numpy()]
    (of_versions, of_states), _ = key_codes(strategic, states)
    held = np.isin(_in_year(of_states, states), _in_year(of_versions, strategic))
    return states.assign(is_strategic=states["is_strategic"].to_numpy(dtype=bool) | held)


def _in_year(contracts: np.ndarray, rows: pd.DataFrame) -> np.ndarray:
    """One number for contract and status year of each row."""
    return np.asarray(contracts * 10**4 + rows["status_year"].to_numpy(dtype="int64"))


def _runs(going_on: pd.DataFrame, states: pd.DataFrame, *, timeline: Timeline, begin: np.datetime64) -> pd.DataFrame:
    """Join equal states of consecutive steps into versions; those that go on stand before the first step."""
    steps = [step for step in timeline.steps() if np.datetime64(step.day, "s") >= begin]
    days = np.array([step.day for step in steps], dtype=DAY)
    is_turn = np.array([step.month is None for step in steps], dtype=bool)
    columns = [*CONTRACT_KEY, *ATTRIBUTES]
    rows = pd.concat([going_on[columns], states[columns]], ignore_index=True)
    (contracts,), _ = key_codes(rows)
    at = np.concatenate([np.full(len(going_on), -1), np.searchsorted(days, states["step"].to_numpy())])
    order = np.lexsort((at, contracts))
    begins = np.flatnonzero(_begins(contracts[order], at[order], _attribute_codes(rows)[order], is_turn))
    ends = np.append(begins[1:], len(order))[: len(begins)] - 1
    began = np.concatenate([going_on["valid_from"].to_numpy().astype(DAY), states["step"].to_numpy().astype(DAY)])
    following = np.append(days, np.array([OPEN_END], dtype=DAY))
    made = rows.iloc[order[begins]].assign(
        valid_from=began[order[begins]],
        # A version ends where its last step's successor lies: there the state differs or the contract is gone.
        valid_to=following[at[order[ends]] + 1],
    )
    return _typed(made)


def _begins(contracts: np.ndarray, at: np.ndarray, attributes: np.ndarray, is_turn: np.ndarray) -> np.ndarray:
    """Say of each row, in order of contract and step, whether a version begins with it."""
    begins = np.ones(len(at), dtype=bool)
    goes_on = (contracts[1:] == contracts[:-1]) & (attributes[1:] == attributes[:-1]) & (at[1:] == at[:-1] + 1)
    begins[1:] = ~goes_on
    # A year opens with a version of its own, changed or not.
    begins[at >= 0] |= is_turn[at[at >= 0]]
    return begins


def _attribute_codes(rows: pd.DataFrame) -> np.ndarray:
    """One number for all attributes of a row."""
    is_normal, is_existing, is_strategic = (
        values.to_numpy(dtype="int64")
        for values in (rows["contract_status"] == NORMAL, rows["is_existing"], rows["is_strategic"])
    )
    return np.asarray(rows["status_year"].to_numpy(dtype="int64") * 8 + is_normal * 4 + is_existing * 2 + is_strategic)


def _version_ids(stored: pd.DataFrame, wanted: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """One number for key and first day of each version, the same in both frames."""
    (of_stored, of_wanted), _ = key_codes(stored, wanted)
    # No day has a number of 8 digits or more.
    return of_stored * 10**7 + _day_numbers(stored), of_wanted * 10**7 + _day_numbers(wanted)


def _day_numbers(versions: pd.DataFrame) -> np.ndarray:
    return versions["valid_from"].to_numpy().astype("datetime64[D]").astype("int64")


def _typed(versions: pd.DataFrame) -> pd.DataFrame:
    texts = dict.fromkeys((*CONTRACT_KEY, "contract_status"), "string")
    return versions[list(VERSIONS)].astype(
        {**texts, "valid_from": DAY, "valid_to": DAY, "is_existing": bool, "is_strategic": bool, "status_year": "int64"}
    )


def _ordered(versions: pd.DataFrame) -> pd.DataFrame:
    (contracts,), _ = key_codes(versions)
    order = np.lexsort((versions["valid_from"].to_numpy(), contracts))
    return versions.iloc[order].reset_index(drop=True)


def _named(row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(VERSIONS, row, strict=True))


def _explained(row: dict[str, Any], *, before: dict[str, Any] | None, after: dict[str, Any] | None) -> Explained:
    key = (row["company_id"], row["plan_code"], row["product_line_code"])
    earlier = before if before and _same_contract(before, row) else None
    later = after if after and _same_contract(row, after) else None
    return Explained(
        key=key,
        valid_from=row["valid_from"].date(),
        valid_to=row["valid_to"].date(),
        attributes={name: row[name] for name in ATTRIBUTES},
        reasons=_reasons(row, earlier),
        ending=_ending(row, later),
    )


def _same_contract(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in CONTRACT_KEY)


def _reasons(row: dict[str, Any], earlier: dict[str, Any] | None) -> tuple[str, ...]:
    if earlier is None:
        return ("first facts",)
    begun = row["valid_from"]
    changed = [
        f"{name} {_shown(earlier[name])} → {_shown(row[name])}" for name in ATTRIBUTES if earlier[name] != row[name]
    ]
    if earlier["valid_to"] < begun:
        return ("came back after a gap", *changed)
    if (begun.month, begun.day) == (1, 1):
        return (f"year {begun.year} opens", *(one for one in changed if not one.startswith("status_year")))
    return tuple(changed)


def _shown(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _ending(row: dict[str, Any], later: dict[str, Any] | None) -> str:
    if row["valid_to"].date() == OPEN_END:
        return _CONTINUES
    return _REPLACED if later and later["valid_from"] == row["valid_to"] else _GONE
