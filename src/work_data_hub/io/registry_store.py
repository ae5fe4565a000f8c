"""What the registry answered to names, stored: the searches, the companies, and the index entries that follow."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.identity.company_facts import base_facts
from work_data_hub.domain.identity.company_values import storable_text
from work_data_hub.domain.identity.knowledge import KeyKind
from work_data_hub.domain.identity.names import NORMALISER_VERSION, normalise_name
from work_data_hub.domain.identity.registry_answers import (
    Candidate,
    CompanyAnswer,
    NameAnswer,
    SearchAnswer,
    former_names,
)
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.io.company_rows import LONGEST_TEXT, as_jsonb, replaced, upsert, write_companies
from work_data_hub.io.identity_index import IndexEffect, write_entries, write_former_names
from work_data_hub.io.postgres import Cursor

SOURCE = "eqc_api"
_SEARCHES = sql.Identifier("enterprise", "registry_searches")
_TABLE = "enterprise.base_info"

_Taken: TypeAlias = tuple[SearchAnswer, CompanyAnswer]
_Entry: TypeAlias = tuple[KeyKind, str, str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEffect:
    """What recording answers did: rows by table, and entries of the index by name and by former name."""

    searches: int
    companies: int
    business_infos: int
    labels: int
    names: IndexEffect
    former_names: IndexEffect


def record_answers(
    cursor: Cursor, answers: Sequence[NameAnswer], *, rules: IdentityRules, domain: str | None, now: datetime
) -> RegistryEffect:
    """Store what the registry answered to names, in the caller's transaction.

    Each name's search, whatever came of it; of accepted matches and those to review also the company, its
    cleaned rows, and the index entries of the name and of the company's former names, which count until
    `rules.registry_days` after `now`. Names and companies may repeat: the surest answer counts. `domain` is
    the one whose load asked, None for a worker.
    """
    ranked = sorted(answers, key=lambda answer: -answer.search.confidence)
    searches = _one_each_name(answer.search for answer in ranked)
    companies = [
        (answer.search, answer.company) for answer in ranked if answer.search.outcome.is_taken and answer.company
    ]
    taken = [(search, company) for search, company in companies if searches[search.name] is search]
    # The index first: its lock comes before all row locks, as in loads that teach it.
    names, formers = _write_index(cursor, taken, rules=rules, domain=domain, now=now)
    written = write_companies(
        cursor,
        _one_each_company(company for _, company in companies),
        searched={company.company_id: search.searched_name for search, company in reversed(companies)},
        data_source="search",
    )
    rows = [_search_row(search, now=now) for search in searches.values() if len(search.name) <= LONGEST_TEXT]
    upsert(cursor, _SEARCHES, rows, key="normalized_name", value=replaced)
    return RegistryEffect(
        searches=len(rows),
        companies=written.companies,
        business_infos=written.business_infos,
        labels=written.labels,
        names=names,
        former_names=formers,
    )


def _write_index(
    cursor: Cursor, taken: Sequence[_Taken], *, rules: IdentityRules, domain: str | None, now: datetime
) -> tuple[IndexEffect, IndexEffect]:
    """Write the entries of names and of former names."""
    expires_at = now + timedelta(days=rules.registry_days) if rules.registry_days else None
    names = _entries(_own_name(search, company) for search, company in taken)
    others = _entries(entry for search, company in taken for entry in _former_names(search, company, rules=rules))
    return (
        write_entries(cursor, names, domain=domain, table=_TABLE, expires_at=expires_at),
        write_former_names(cursor, others, domain=domain, table=_TABLE, expires_at=expires_at),
    )


def _one_each_name(searches: Iterable[SearchAnswer]) -> dict[str, SearchAnswer]:
    """The first search of each name, in the order of the names."""
    first: dict[str, SearchAnswer] = {}
    for search in searches:
        first.setdefault(search.name, search)
    return {name: first[name] for name in sorted(first)}


def _own_name(search: SearchAnswer, company: CompanyAnswer) -> _Entry:
    return KeyKind.CUSTOMER_NAME, search.name, company.company_id, search.confidence


def _former_names(search: SearchAnswer, company: CompanyAnswer, *, rules: IdentityRules) -> Iterator[_Entry]:
    """The company's former names, each worth a little less than the match; a name it still has is none."""
    facts = base_facts(company.company_id, search=company.search, detail=company.detail)
    present = normalise_name(str(facts["company_full_name"] or ""))
    confidence = round(search.confidence * rules.former_name_factor, 2)
    for name in former_names(facts):
        if name != present:
            yield KeyKind.FORMER_NAME, name, company.company_id, confidence


def _entries(entries: Iterable[_Entry]) -> pd.DataFrame:
    """Index entries (kind, key, company_id, confidence, source), the surest of a key and company."""
    frame = pd.DataFrame(entries, columns=["kind", "key", "company_id", "confidence"]).assign(source=SOURCE)
    frame = frame.astype({"kind": "string", "key": "string", "company_id": "string", "confidence": "float64"})
    surest = frame.sort_values("confidence", ascending=False, kind="stable")
    return surest.drop_duplicates(["kind", "key", "company_id"]).sort_values(["key", "company_id"], ignore_index=True)


def _one_each_company(companies: Iterable[CompanyAnswer]) -> list[CompanyAnswer]:
    """Each company once, with what the first of its answers has that has any."""
    merged: dict[str, CompanyAnswer] = {}
    for answer in companies:
        known = merged.setdefault(answer.company_id, answer)
        merged[answer.company_id] = replace(
            known,
            search=known.search or answer.search,
            detail=known.detail or answer.detail,
            labels=known.labels if known.labels is not None else answer.labels,
            fetched_at=max(known.fetched_at, answer.fetched_at),
        )
    return list(merged.values())


def _search_row(search: SearchAnswer, *, now: datetime) -> dict[str, Any]:
    return {
        "normalized_name": search.name,
        "normaliser_version": NORMALISER_VERSION,
        "searched_name": storable_text(search.searched_name),
        "outcome": search.outcome.value,
        "company_id": search.best.company_id if search.best else None,
        "confidence": search.confidence if search.best else None,
        "candidates": as_jsonb([_candidate(candidate) for candidate in search.candidates]),
        "asked_at": now,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "company_id": candidate.company_id,
        "name": candidate.name,
        "unite_code": candidate.unite_code,
        "match_type": candidate.match_type,
        "score": candidate.score,
        "confidence": candidate.confidence,
    }
