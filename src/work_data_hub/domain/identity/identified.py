"""The columns a row is identified by, and what came out, row by row."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

COMPANY_ID, SOURCE, CONFIDENCE = "company_id", "_identity_source", "_identity_confidence"
EXCLUDED, UNRESOLVED, DECISION, TEMPORARY = "excluded", "unresolved", "decision", "temporary_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityColumns:
    """The columns a row is identified by; None where a domain has no such column.

    `target` gets the company; `existing` may hold an id already; `written` is the customer's name as
    somebody typed it.
    """

    target: str
    plan: str | None
    customer: str
    existing: str | None
    plan_type: str | None = None
    written: str | None = None

    @property
    def reads(self) -> tuple[str, ...]:
        """The columns that decide."""
        return tuple(name for name in (self.plan, self.plan_type, self.customer, self.existing) if name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Identified:
    """Company, source and confidence of each row, by its key.

    `keys` has one row a distinct key (plan, is_single, name, existing, is_rejected, rows), `answers` the
    same rows (company_id, _identity_source, _identity_confidence, entry_id, clue); `members` is each row's
    place among them, `index` the rows' own index. `written` is each row's name as typed, `entries` the
    index entries that were known of the keys.
    """

    keys: pd.DataFrame
    answers: pd.DataFrame
    members: np.ndarray
    index: pd.Index
    written: pd.Series
    sources: tuple[str, ...]
    entries: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        """company_id, _identity_source and _identity_confidence of each row."""
        return self.answers[[COMPANY_ID, SOURCE, CONFIDENCE]].take(self.members).set_axis(self.index)

    @property
    def hits(self) -> dict[str, int]:
        """Rows by source, every source named."""
        counted = self.answers[SOURCE].take(self.members).value_counts().to_dict()
        return {source: int(counted.get(source, 0)) for source in self.sources}

    @property
    def unresolved_names(self) -> tuple[str, ...]:
        """The normalised names behind temporary ids, sorted."""
        behind = self.answers[SOURCE].eq(TEMPORARY).to_numpy(dtype=bool)
        return tuple(sorted(self.keys.loc[behind, "name"].unique()))

    @property
    def against_plan(self) -> pd.Series:
        """Which rows have the company of their plan, although their name is known as another one's."""
        by_name = self.entries[self.entries["kind"].eq("customer_name")].set_index("key")["company_id"]
        known = self.keys["name"].map(by_name)
        by_plan = self.answers["clue"].eq("plan_code") & known.notna() & known.ne(self.answers[COMPANY_ID])
        return by_plan.fillna(False).take(self.members).set_axis(self.index)

    def of_rows(self, kept: np.ndarray) -> "Identified":
        """The same for the rows of a mask only; keys without such a row are gone."""
        members, places = np.unique(self.members[kept], return_inverse=True)
        counts = np.bincount(places, minlength=len(members))
        return replace(
            self,
            keys=self.keys.take(members).reset_index(drop=True).assign(rows=counts),
            answers=self.answers.take(members).reset_index(drop=True),
            members=places,
            index=self.index[kept],
            written=self.written[kept],
        )

    def found(self) -> pd.DataFrame:
        """Keys and answers side by side."""
        return pd.concat([self.keys, self.answers], axis=1)

    def entries_used(self) -> pd.DataFrame:
        """entry_id and rows of every index entry that decided a row, by entry_id."""
        used = self.found().dropna(subset="entry_id")
        return used[["entry_id", "rows"]].groupby("entry_id", as_index=False, sort=True).sum()

    def unknown(self) -> pd.DataFrame:
        """One row a name behind a temporary id: normalized_name, raw_name, temp_id, rows; most rows first."""
        behind = self.answers[SOURCE].eq(TEMPORARY).to_numpy(dtype=bool)
        names = self.keys.loc[behind, ["name", "rows"]].assign(temp_id=self.answers.loc[behind, COMPANY_ID])
        by_name = names.groupby("name", as_index=False).agg(temp_id=("temp_id", "first"), rows=("rows", "sum"))
        theirs = behind[self.members]
        written = pd.DataFrame(
            {
                "name": self.keys["name"].take(self.members[theirs]).to_numpy(),
                "raw_name": self.written[theirs].to_numpy(),
            }
        ).drop_duplicates("name")
        told = by_name.merge(written, on="name", how="left").rename(columns={"name": "normalized_name"})
        told["raw_name"] = told["raw_name"].astype("string").fillna(told["normalized_name"])
        ordered = told.sort_values(["rows", "normalized_name"], ascending=[False, True], ignore_index=True)
        return ordered[["normalized_name", "raw_name", "temp_id", "rows"]]
