"""What is known about companies: by hand, from earlier loads and from the registry; handed in, never fetched here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

import numpy as np
import pandas as pd

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.rules import SHIPPED_RULES, IdentityRules
from work_data_hub.errors import ConfigError

EXCLUDED_ENTRY = "__EMPTY__"
"""How the override file writes that a name belongs to no company."""
SEPARATOR = "|"


class KeyKind(StrEnum):
    """By what an entry of the index is found; the order is the order in which entries count."""

    PLAN_CODE = "plan_code"
    CUSTOMER_NAME = "customer_name"
    PLAN_CUSTOMER = "plan_customer"
    FORMER_NAME = "former_name"


ENTRY_COLUMNS = ("kind", "key", "company_id", "confidence", "source", "entry_id")
DECISION_COLUMNS = ("decision_id", "kind", "name", "plan", "from_company", "to_company")


def no_entries() -> pd.DataFrame:
    """An index without entries: kind, key, company_id, source as `string`, confidence, entry_id."""
    empty = pd.DataFrame({name: pd.Series(dtype="string") for name in ENTRY_COLUMNS})
    return empty.astype({"confidence": "float64", "entry_id": "Int64"})


def no_decisions() -> pd.DataFrame:
    """No decision of anybody: decision_id, kind, name, plan, from_company, to_company; plan null is any plan."""
    empty = pd.DataFrame({name: pd.Series(dtype="string") for name in DECISION_COLUMNS})
    return empty.astype({"decision_id": "Int64"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knowledge:
    """What the warehouse knows about the keys asked for.

    `entries` are usable index entries, one row each (ENTRY_COLUMNS); `decisions` those in force that name
    one of the names, and every merge (DECISION_COLUMNS). `searched` are names that the registry was asked
    for lately without a sure answer: asking again would spend the budget on the same answer.
    """

    entries: pd.DataFrame = field(default_factory=no_entries)
    decisions: pd.DataFrame = field(default_factory=no_decisions)
    searched: frozenset[str] = frozenset()

    def by_key(self, kind: KeyKind) -> pd.DataFrame:
        """company_id, confidence, entry_id and source of the entries of a kind, by key."""
        entries = self.entries[self.entries["kind"].eq(kind)].set_index("key")
        return entries[["company_id", "confidence", "entry_id", "source"]]

    def aliases(self) -> dict[str, str]:
        """Each merged company and the one that stands for it, followed to the end."""
        merges = self.decisions[self.decisions["kind"].eq("merge")]
        direct = dict(zip(merges["from_company"], merges["to_company"], strict=True))
        return {company: _followed(company, direct) for company in direct}


LookUp = Callable[[pd.DataFrame], Knowledge]
"""Given distinct keys (kind, key), says what is known about them."""

Ask = Callable[[pd.DataFrame], pd.DataFrame]
"""Given names (name, rows; most rows first), returns by name company_id and confidence where it is sure enough."""


def nothing_known(_keys: pd.DataFrame) -> Knowledge:
    """The look-up of a run without a warehouse."""
    return Knowledge()


def nobody_asked(_names: pd.DataFrame) -> pd.DataFrame:
    """The registry of a run that asks none."""
    return pd.DataFrame({"company_id": pd.Series(dtype="string"), "confidence": pd.Series(dtype="float64")})


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityBook:
    """All that a run may consult: ids settled by hand, the rules, the index and the registry.

    `name_overrides` are by normalised name, None: belongs to no company. `no_plans` are plan codes that
    only stand in for a missing one and say nothing about a company.
    """

    plan_overrides: Mapping[str, str]
    name_overrides: Mapping[str, str | None]
    salt: str = field(repr=False)
    no_plans: frozenset[str] = frozenset()
    rules: IdentityRules = SHIPPED_RULES
    look_up: LookUp = field(default=nothing_known, repr=False, compare=False)
    ask: Ask = field(default=nobody_asked, repr=False, compare=False)

    @classmethod
    def from_entries(
        cls,
        *,
        plans: Mapping[str, str],
        names: Mapping[str, str],
        salt: str,
        no_plans: frozenset[str] = frozenset(),
        rules: IdentityRules | None = None,
        look_up: LookUp = nothing_known,
        ask: Ask = nobody_asked,
    ) -> Self:
        """Return the book of the override files' entries, whose names are as people write them.

        Raises ConfigError for a blank name, and for two names of one form with different ids.
        """
        by_form: dict[str, str | None] = {}
        for name, entry in names.items():
            form, company_id = normalise_name(name), None if entry == EXCLUDED_ENTRY else entry
            if not form or by_form.setdefault(form, company_id) != company_id:
                raise _ambiguous_entry(name, form)
        return cls(
            plan_overrides=dict(plans),
            name_overrides=by_form,
            salt=salt,
            no_plans=no_plans,
            rules=rules or SHIPPED_RULES,
            look_up=look_up,
            ask=ask,
        )


def keys_of(rows: pd.DataFrame, kind: KeyKind) -> pd.Series:
    """The key under which an index of this kind knows each row (plan, is_single, name); null where there is none.

    Plan codes are keys of single plans only: a collective plan serves many companies.
    """
    match kind:
        case KeyKind.PLAN_CODE:
            return rows["plan"].where(rows["is_single"])
        case KeyKind.PLAN_CUSTOMER:
            return rows["plan"] + SEPARATOR + rows["name"]
        case KeyKind.CUSTOMER_NAME | KeyKind.FORMER_NAME:
            return rows["name"]


def wanted(rows: pd.DataFrame) -> pd.DataFrame:
    """The distinct keys (kind, key) by which the index may know the rows (plan, is_single, name)."""
    found = {kind: keys_of(rows, kind).dropna().unique() for kind in KeyKind}
    kinds = np.repeat([kind.value for kind in found], [len(keys) for keys in found.values()])
    keys = np.concatenate([np.asarray(keys, dtype=object) for keys in found.values()])
    return pd.DataFrame({"kind": pd.array(kinds, dtype="string"), "key": pd.array(keys, dtype="string")})


def _followed(company: str, direct: Mapping[str, str]) -> str:
    """Where a chain of merges ends; a circle ends where it began to repeat."""
    seen = {company}
    while company in direct and direct[company] not in seen:
        company = direct[company]
        seen.add(company)
    return company


def _ambiguous_entry(name: str, form: str) -> ConfigError:
    return ConfigError(
        "an override by name cannot be used",
        field=name,
        input_data=form,
        rule="one id for each normalised name, no blank names",
        hint="keep one entry for this name in company_id_overrides_name.yml",
    )
