"""Names behind temporary ids, each told once: how often it stands where, since when and with how much money."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pandas as pd

from work_data_hub.domain.identity.names import normalise_names

GROUP_COLUMNS = ("domain", "name", "written", "temporary_id", "month", "rows", "closing_assets")
NAME_COLUMNS = (
    *("company_name", "temporary_id", "first_seen", "occurrence_count", "normalized_name", "last_seen"),
    *("closing_assets", "domains"),
)


def unknown_names(groups: pd.DataFrame, *, month: date | None = None) -> pd.DataFrame:
    """One row a normalised name (NAME_COLUMNS), the most frequent first; of `month` only, where one is given.

    `groups` are counted facts behind temporary ids (GROUP_COLUMNS) of all months; `first_seen` looks at all
    of them, everything else at the month's. `company_name` is the name as delivered most often,
    `temporary_id` the newest one. `closing_assets`, in 元, are those of the newest month that states any:
    a balance adds up over companies, not over months.
    """
    facts = groups.assign(name=normalise_names(groups["name"]))
    asked = facts if month is None else facts[facts["month"].eq(month)]
    names = _told(asked)
    first = facts.groupby("name")["month"].min()
    told = names.assign(first_seen=names["normalized_name"].map(first))
    ordered = told.sort_values(["occurrence_count", "normalized_name"], ascending=[False, True], ignore_index=True)
    return ordered[list(NAME_COLUMNS)]


def names_of_load(unknown: pd.DataFrame, *, month: date | None = None) -> pd.DataFrame:
    """A load's unknown names (normalized_name, raw_name, temp_id, rows) as exported, the most frequent first."""
    names = unknown.rename(columns={"raw_name": "company_name", "temp_id": "temporary_id", "rows": "occurrence_count"})
    ordered = names.sort_values(["occurrence_count", "normalized_name"], ascending=[False, True], ignore_index=True)
    return ordered.assign(first_seen=month)[list(NAME_COLUMNS[:5])]


def _told(facts: pd.DataFrame) -> pd.DataFrame:
    """What the facts say of each name, in no order."""
    by_name = facts.groupby("name", sort=True)
    names = by_name.agg(occurrence_count=("rows", "sum"), last_seen=("month", "max"))
    names["company_name"] = _most_frequent(facts, "written")
    newest = facts.sort_values(["month", "rows"], kind="stable").drop_duplicates("name", keep="last")
    names["temporary_id"] = newest.set_index("name")["temporary_id"]
    names["closing_assets"] = _newest_assets(facts)
    names["domains"] = by_name["domain"].agg(_listed)
    return names.rename_axis("normalized_name").reset_index()


def _most_frequent(facts: pd.DataFrame, column: str) -> pd.Series:
    """The value of the column that most of a name's rows have; of several, the first by its characters."""
    counts = facts.groupby(["name", column])["rows"].sum().reset_index()
    ordered = counts.sort_values(["rows", column], ascending=[False, True], kind="stable")
    return ordered.drop_duplicates("name").set_index("name")[column]


def _newest_assets(facts: pd.DataFrame) -> pd.Series:
    """The exact sum of each name's assets in its newest month with any; null where none states assets."""
    stated = facts[facts["closing_assets"].notna()]
    newest = stated[stated["month"].eq(stated.groupby("name")["month"].transform("max"))]
    sums = {name: sum(amounts, Decimal(0)) for name, amounts in newest.groupby("name")["closing_assets"]}
    return pd.Series(sums, dtype=object).reindex(facts["name"].unique())


def _listed(domains: Iterable[str]) -> str:
    return ", ".join(sorted(set(domains)))
