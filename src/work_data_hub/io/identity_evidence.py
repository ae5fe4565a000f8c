"""What the warehouse knows about names and their companies, for people who decide; reads only."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from work_data_hub.domain.identity.evidence import Evidence, IndexEntry, Proposal, Search
from work_data_hub.domain.identity.knowledge import KeyKind
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.spec import Domain
from work_data_hub.io.identity_decisions import read_decisions
from work_data_hub.io.identity_facts import companies_in_facts, fact_groups, names_of_several
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query

_SEPARATORS = str.maketrans(dict.fromkeys("，、；;", ","))


def doubtful_names(cursor: Cursor, domains: Sequence[Domain]) -> dict[str, tuple[str, ...]]:
    """The names in doubt: `doubtful` for the registry, with `several` companies in facts, `ambiguous` former names."""
    cursor.execute(query("identity_review", "searches"), {"names": None})
    doubtful = tuple(row[0] for row in cursor.fetchall())
    cursor.execute(query("identity_review", "ambiguous"))
    ambiguous = tuple(row[0] for row in cursor.fetchall())
    return {"doubtful": doubtful, "several": names_of_several(cursor, domains), "ambiguous": ambiguous}


def gather_evidence(cursor: Cursor, names: Collection[str], *, domains: Sequence[Domain]) -> Evidence:
    """What is known about these normalised names, with every decision in force."""
    asked = sorted(names)
    searches, groups = _searches(cursor, asked), fact_groups(cursor, asked, domains=domains)
    kinds = (KeyKind.CUSTOMER_NAME, KeyKind.FORMER_NAME)
    keys = pd.DataFrame([(kind.value, name) for name in asked for kind in kinds], columns=["kind", "key"])
    entries: dict[str, list[IndexEntry]] = {}
    for entry in index_entries(cursor, keys):
        entries.setdefault(entry.key, []).append(entry)
    former = {entry.key for found in entries.values() for entry in found if entry.is_ambiguous}
    evidence = Evidence(
        searches=searches,
        entries=entries,
        groups=groups,
        former=_former_owners(cursor, former),
        decisions=read_decisions(cursor),
    )
    return replace(evidence, official=official_names(cursor, _companies(evidence)))


def index_entries(cursor: Cursor, keys: pd.DataFrame) -> tuple[IndexEntry, ...]:
    """What the index holds for keys (kind, key), ambiguous and expired entries included."""
    cursor.execute(query("identity_review", "entries"), {"kinds": keys["kind"].tolist(), "keys": keys["key"].tolist()})
    return tuple(_entry(row) for row in named_rows(cursor))


def official_names(cursor: Cursor, companies: Collection[str]) -> dict[str, tuple[str | None, str | None]]:
    """The official name and unified code of the companies that the registry has told of."""
    cursor.execute(query("identity_review", "companies"), {"companies": sorted(companies)})
    return {company: (name, code) for company, name, code in cursor.fetchall()}


def unknown_companies(cursor: Cursor, companies: Collection[str], *, domains: Sequence[Domain]) -> tuple[str, ...]:
    """Which of the ids neither the registry's answers, nor the index, nor any fact knows."""
    asked = {"companies": sorted(companies)}
    cursor.execute(query("identity_review", "known_companies"), asked)
    known = {row[0] for row in cursor.fetchall()} | companies_in_facts(cursor, companies, domains=domains)
    return tuple(company for company in asked["companies"] if company not in known)


def newest_decision(cursor: Cursor) -> int:
    """The number of the newest decision ever made, 0 where there is none."""
    cursor.execute(query("identity_review", "newest_decision"))
    row = cursor.fetchone()
    return int(row[0]) if row else 0


def load_times(cursor: Cursor, loads: Collection[int]) -> dict[int, datetime | None]:
    """When loads were committed."""
    cursor.execute(query("identity_review", "load_times"), {"loads": sorted(loads)})
    return dict(cursor.fetchall())


def _searches(cursor: Cursor, names: list[str]) -> dict[str, Search]:
    cursor.execute(query("identity_review", "searches"), {"names": names})
    return {row[0]: _search(row) for row in cursor.fetchall()}


def _search(row: Sequence[Any]) -> Search:
    name, searched, outcome, company, confidence, candidates, asked_at = row
    listed = candidates if isinstance(candidates, list) else json.loads(candidates or "[]")
    return Search(
        name=name,
        searched_name=searched,
        outcome=outcome,
        company_id=company,
        confidence=None if confidence is None else float(confidence),
        candidates=tuple(Proposal.of_candidate(one) for one in listed if one.get("company_id")),
        asked_at=asked_at,
    )


def _entry(row: Mapping[str, Any]) -> IndexEntry:
    facts = dict(row)
    return IndexEntry(
        entry_id=facts.pop("id"),
        kind=KeyKind(facts.pop("lookup_type")),
        key=facts.pop("lookup_key"),
        confidence=float(facts.pop("confidence")),
        **facts,
    )


def _former_owners(cursor: Cursor, names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The companies that had each of the names before; all former names are read only where one is asked for."""
    if not names:
        return {}
    cursor.execute(query("identity_review", "former_names"))
    owners: dict[str, set[str]] = {}
    for company, former in cursor.fetchall():
        for name in former.translate(_SEPARATORS).split(","):
            if (form := normalise_name(name)) in names:
                owners.setdefault(form, set()).add(company)
    return {name: tuple(sorted(companies)) for name, companies in owners.items()}


def _companies(evidence: Evidence) -> set[str]:
    of_searches = {one.company_id for search in evidence.searches.values() for one in search.candidates}
    best = {search.company_id for search in evidence.searches.values() if search.company_id}
    of_rows = {group.company_id for groups in evidence.groups.values() for group in groups if group.company_id}
    of_entries = {entry.company_id for entries in evidence.entries.values() for entry in entries}
    former = {company for owners in evidence.former.values() for company in owners}
    decided = {company for made in evidence.decisions for company in made.companies}
    return of_searches | best | of_rows | of_entries | former | decided
