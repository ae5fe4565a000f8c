"""What a load's own rows teach: index entries for keys whose rows all point to one company."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.identified import COMPANY_ID, CONFIDENCE, EXCLUDED, SOURCE
from work_data_hub.domain.identity.knowledge import SEPARATOR, KeyKind, keys_of
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.identity.temporary import is_temporary

TAUGHT = (KeyKind.PLAN_CODE, KeyKind.CUSTOMER_NAME, KeyKind.PLAN_CUSTOMER)
BACKFLOW, LEARNED, FROM_REGISTRY = "backflow", "domain_learning", "eqc_api"
_DELIVERED = "existing_id"
_ENTRY = ["kind", "key", COMPANY_ID, "confidence", "source"]
# What comes by hand is kept by hand: taken back there, it must not live on in the index.
BY_HAND = ("plan_override", "name_override", "decision")
TAUGHT_BY_LOADS = (BACKFLOW, LEARNED)
ROW = "row"
OF_THE_PLAN = (KeyKind.PLAN_CODE.value, KeyKind.PLAN_CUSTOMER.value)
"""Clues that tell whose plan it is: of a name in another plan they say nothing."""
_CLUES = {
    **{f"index_{kind.value}": kind.value for kind in KeyKind},
    "existing_id": ROW,
    "registry": KeyKind.CUSTOMER_NAME.value,
    "same_load": KeyKind.PLAN_CODE.value,
}
"""By which key a stored row was found at least; of what its load told nothing more is kept."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lessons:
    """What rows teach.

    `entries`: kind, key, company_id, confidence, source, one row a key. `conflicts`: kind, key, company_id,
    one row for each company of a key that points to several; none of them is an entry.
    """

    entries: pd.DataFrame
    conflicts: pd.DataFrame


def lessons(found: pd.DataFrame, rules: IdentityRules) -> Lessons:
    """What the identified rows of a load teach, whatever their number.

    `found` has plan, is_single, name, company_id, _identity_source and _identity_confidence, and may have clue
    and is_rejected. A key is taught when all its rows have one company, those without or with a temporary
    one included: so the same rows find the same companies again. At least one of them must be surer than
    `rules.surest_doubt`; what was settled by hand counts neither way, and a row known by its plan teaches
    nothing about its name. No entry is surer than its least sure such row, nor than its kind may be.
    """
    taught = proposals(found, rules)
    if taught.entries.empty:
        return taught
    rows = _keyed(found[~found[SOURCE].isin((*BY_HAND, EXCLUDED))])
    companies = rows.fillna({COMPANY_ID: ""}).drop_duplicates(["kind", "key", COMPANY_ID])
    agreed = companies[~companies.duplicated(["kind", "key"], keep=False)][["kind", "key"]]
    return replace(taught, entries=taught.entries.merge(agreed, on=["kind", "key"]))


def proposals(found: pd.DataFrame, rules: IdentityRules) -> Lessons:
    """The same while rows are still open: what the sure rows agree on."""
    ids = found[COMPANY_ID]
    temporary = [company_id for company_id in ids.dropna().unique() if is_temporary(company_id)]
    sure = ids.notna() & ~ids.isin(temporary) & found[CONFIDENCE].gt(rules.surest_doubt)
    if "is_rejected" in found:
        sure &= ~found["is_rejected"]
    told = _keyed(found[sure & ~found[SOURCE].isin(BY_HAND)])
    most = told["kind"].map(dict(rules.lesson_confidence)).astype("float64")
    told = told.assign(
        confidence=np.minimum(told[CONFIDENCE], most),
        source=pd.array(np.where(told[SOURCE].eq(_DELIVERED), BACKFLOW, LEARNED), dtype="string"),
        teaches=~(told["kind"].eq(KeyKind.CUSTOMER_NAME) & told["clue"].isin(OF_THE_PLAN)),
    )
    # Of the rows of a key and company the least sure that teaches speaks.
    order = ["kind", "key", COMPANY_ID, "teaches", "confidence", "source"]
    told = told.sort_values(order, ascending=[True, True, True, False, True, True])
    by_company = told.drop_duplicates(["kind", "key", COMPANY_ID])
    several = by_company.duplicated(["kind", "key"], keep=False)
    entries, conflicts = by_company[~several & by_company["teaches"]], by_company[several]
    return Lessons(
        entries=entries[_ENTRY].reset_index(drop=True),
        conflicts=conflicts[["kind", "key", COMPANY_ID]].reset_index(drop=True),
    )


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows once for each kind of key they have, with kind, key and clue."""
    clue = rows["clue"] if "clue" in rows else rows[SOURCE].map(_CLUES)
    told = rows[[COMPANY_ID, SOURCE, CONFIDENCE]].assign(clue=clue)
    keyed = [told.assign(kind=kind.value, key=keys_of(rows, kind)).dropna(subset="key") for kind in TAUGHT]
    return pd.concat(keyed, ignore_index=True).astype({"kind": "string", "key": "string"})


def conflict_texts(conflicts: pd.DataFrame) -> tuple[str, ...]:
    """One line a key that points to several companies: `customer_name 甲公司: 600000001, 600000002`."""
    return tuple(
        f"{kind} {str(key).replace(SEPARATOR, ' · ')}: {', '.join(ids)}"
        for (kind, key), ids in conflicts.groupby(["kind", "key"], sort=True)["company_id"]
    )
