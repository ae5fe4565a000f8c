"""Tags of reference rows, as the facts of all months and of every domain that gives them say."""

import json
from collections import defaultdict
from collections.abc import Collection
from datetime import date
from typing import NamedTuple

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.reference_rules import Describer, Given, Reference, ReferenceColumn
from work_data_hub.domain.references import tag_text
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query

NOTHING_GOES = sql.SQL("false")
_FIRST, _ALL = sql.SQL("array[min(fact.{})]"), sql.SQL("array_agg(distinct fact.{})")
Tags = dict[str, set[str]]


class Arriving(NamedTuple):
    """What a load of `domain` changes: `keys` have facts of `period` once it is done; facts for which `goes` go."""

    domain: str
    period: date
    keys: Collection[str]
    goes: sql.Composable


class Tagger(NamedTuple):
    """Says which tags keys have once a load is done; without one, as the facts stand."""

    cursor: Cursor
    reference: Reference
    arriving: Arriving | None = None

    def first_month_tags(self, target: str, keys: Collection[str]) -> Tags:
        """The tags of the first months, by key, that the rule's own domain gives in `target`."""
        own = [tag for tag in self.reference.tags if tag.target == target and tag.given is Given.FIRST_MONTH]
        found: Tags = defaultdict(set)
        for tag in own:
            for key, first in self._firsts(tag, keys).items():
                found[key].add(tag_text(tag, first))
        return found

    def all_tags(self, target: str, keys: Collection[str]) -> Tags:
        """All tags in `target`, by key, whichever domain gives them."""
        found: Tags = defaultdict(set)
        for describer in self.reference.described_by if keys else ():
            for tag in (tag for tag in describer.tags if tag.target == target):
                if tag.given is Given.FIRST_MONTH:
                    months = {key: {first} for key, first in self._firsts(tag, keys).items()}
                else:
                    months = self._months(describer, keys, every=True)
                for key, days in months.items():
                    found[key] |= {tag_text(tag, day) for day in days}
        return found

    def _firsts(self, tag: ReferenceColumn, keys: Collection[str]) -> dict[str, date]:
        first: dict[str, date] = {}
        for describer in self.reference.described_by:
            if describer.gives(tag):
                for key, days in self._months(describer, keys, every=False).items():
                    first[key] = min(first.get(key, date.max), *days)
        return first

    def _months(self, describer: Describer, keys: Collection[str], *, every: bool) -> dict[str, set[date]]:
        """The months of the keys' facts: every one, or the first; keys without facts are left out."""
        own = self.arriving if self.arriving and self.arriving.domain == describer.domain else None
        statement = sql.SQL(query("references", "months_of_keys")).format(
            table=table_identifier(describer.table),
            key=sql.Identifier(describer.rule.source),
            months=(_ALL if every else _FIRST).format(sql.Identifier(describer.month)),
            goes=own.goes if own else NOTHING_GOES,
        )
        self.cursor.execute(statement, {"keys": list(keys)})
        found = {key: set(days) for key, days in self.cursor.fetchall()}
        if own:
            for key in set(own.keys).intersection(keys):
                found[key] = found.get(key, set()) | {own.period}
        return found


def as_lists(tags: Tags, keys: pd.Series) -> pd.Series:
    """The keys' tags as JSON lists, in order."""
    texts = [json.dumps(sorted(tags.get(key, ())), ensure_ascii=False) for key in keys.tolist()]
    return pd.Series(texts, index=keys.index, dtype="string")
