"""What a load's own rows teach: index entries for keys whose rows all point to one company."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.identified import COMPANY_ID, CONFIDENCE, EXCLUDED, SOURCE
from work_data_hub.domain.identity.knowledge import SEPARATOR, KeyKind, keys_of
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.identity.temporary import is_temporary

TAUGHT = (KeyKind.PLAN_CODE, KeyKind.CUSTOMER_NAME, KeyKind.PLAN_CUSTOMER)
BACKFLOW, LEARNED = "backflow", "domain_learning"
_DELIVERED = "existing_id"
_ENTRY = ["kind", "key", COMPANY_ID, "confidence", "source"]
# What comes by hand is kept by hand: taken back there, it must not live on in the index.
BY_HAND = ("plan_override", "name_override", "decision")


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

    `found` has plan, is_single, name, company_id, _identity_source and _identity_confidence. A key is taught
    when all its rows have one company, those without or with a temporary one included: so the same rows find
    the same companies again. At least one of them must be surer than `rules.surest_doubt`; what was
    settled by hand counts neither way. No entry is surer than its least sure such row, nor than its kind may be.
    """
    rows = _keyed(found[~found[SOURCE].isin((*BY_HAND, EXCLUDED))])
    taught = proposals(found, rules)
    companies = rows.fillna({COMPANY_ID: ""}).drop_duplicates(["kind", "key", COMPANY_ID])
    agreed = companies[~companies.duplicated(["kind", "key"], keep=False)][["kind", "key"]]
    return replace(taught, entries=taught.entries.merge(agreed, on=["kind", "key"]))


def proposals(found: pd.DataFrame, rules: IdentityRules) -> Lessons:
    """The same while rows are still open: what the sure rows agree on."""
    ids = found[COMPANY_ID]
    temporary = [company_id for company_id in ids.dropna().unique() if is_temporary(company_id)]
    sure = ids.notna() & ~ids.isin(temporary) & found[CONFIDENCE].gt(rules.surest_doubt)
    taught = _keyed(found[sure & ~found[SOURCE].isin(BY_HAND)])
    most = taught["kind"].map(dict(rules.lesson_confidence)).astype("float64")
    taught = taught.assign(
        confidence=np.minimum(taught[CONFIDENCE], most),
        source=pd.array(np.where(taught[SOURCE].eq(_DELIVERED), BACKFLOW, LEARNED), dtype="string"),
    ).sort_values(["kind", "key", COMPANY_ID, "confidence", "source"], ignore_index=True)
    by_company = taught.drop_duplicates(["kind", "key", COMPANY_ID])[_ENTRY]
    several = by_company.duplicated(["kind", "key"], keep=False)
    return Lessons(
        entries=by_company[~several].reset_index(drop=True),
        conflicts=by_company.loc[several, ["kind", "key", COMPANY_ID]].reset_index(drop=True),
    )


def _keyed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows once for each kind of key they have, with kind and key."""
    keyed = [
        rows[[COMPANY_ID, SOURCE, CONFIDENCE]].assign(kind=kind.value, key=keys_of(rows, kind)).dropna(subset="key")
        for kind in TAUGHT
    ]
    return pd.concat(keyed, ignore_index=True).astype({"kind": "string", "key": "string"})


def conflict_texts(conflicts: pd.DataFrame) -> tuple[str, ...]:
    """One line a key that points to several companies: `customer_name 甲公司: 600000001, 600000002`."""
    return tuple(
        f"{kind} {str(key).replace(SEPARATOR, ' · ')}: {', '.join(ids)}"
        for (kind, key), ids in conflicts.groupby(["kind", "key"], sort=True)["company_id"]
    )
