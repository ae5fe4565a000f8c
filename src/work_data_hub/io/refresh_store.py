"""Refreshes of company data in the warehouse: what is old, which companies come next, how far a refresh came."""

from collections.abc import Iterable
from typing import Any

from work_data_hub.domain.identity.refresh import Company, Freshness, RefreshRun, Selection
from work_data_hub.io.postgres import Cursor, named_rows
from work_data_hub.io.queries import query


def freshness(cursor: Cursor, run: RefreshRun) -> Freshness:
    """How many companies there are, and how many of them count as fresh for the refresh."""
    total, fresh, stale, never_asked = _row(cursor, "freshness", {"since": run.since})
    return Freshness(total=total, fresh=fresh, stale=stale, never_asked=never_asked)


def chosen_counts(cursor: Cursor, run: RefreshRun) -> tuple[int, int]:
    """How many companies the refresh is of: with a name to search by, and without one."""
    with_name, without_name = _row(cursor, "chosen", _given(run))
    return with_name, without_name


def chosen_page(cursor: Cursor, run: RefreshRun, *, after: str, limit: int) -> tuple[Company, ...]:
    """The first `limit` companies of the refresh past the id `after`, in the order of the ids; all have a name."""
    return _companies(cursor, "chosen_page", {**_given(run), "after": after, "limit": limit})


def listed_companies(cursor: Cursor, company_ids: Iterable[str]) -> tuple[Company, ...]:
    """The companies of these ids that are known, in the order of the ids."""
    return _companies(cursor, "listed", {"company_ids": list(company_ids)})


def begin_refresh(cursor: Cursor, run: RefreshRun, *, actor: str) -> int:
    """Note that a refresh begins; returns its id."""
    given = {"threshold_days": run.threshold_days, "total": run.total, "actor": actor, "started_at": run.started_at}
    return int(_row(cursor, "begin_refresh", {**_given(run), **given})[0])


def unfinished_refresh(cursor: Cursor) -> RefreshRun | None:
    """The newest refresh, where companies of it are left or failed."""
    cursor.execute(query("registry", "unfinished_refresh"))
    facts = next(iter(named_rows(cursor)), None)
    if facts is None:
        return None
    return RefreshRun(
        **{
            **facts,
            "selection": Selection(facts["selection"]),
            "company_ids": tuple(facts["company_ids"]),
            "reached": facts["reached"] or "",
        }
    )


def note_refreshed(cursor: Cursor, run: RefreshRun, *, company_id: str) -> None:
    """Move the checkpoint past a company that was refreshed; belongs into the transaction that wrote it."""
    cursor.execute(query("registry", "company_refreshed"), {"refresh_id": run.refresh_id, "company_id": company_id})


def note_failed(cursor: Cursor, run: RefreshRun, *, company_id: str, reason: str) -> None:
    """Move the checkpoint past a company that could not be refreshed, and keep the reason."""
    given = {"refresh_id": run.refresh_id, "company_id": company_id, "reason": reason}
    cursor.execute(query("registry", "company_failed"), given)


def end_refresh(cursor: Cursor, run: RefreshRun) -> None:
    """Note that every company of the refresh was refreshed."""
    cursor.execute(query("registry", "end_refresh"), {"refresh_id": run.refresh_id})


def _given(run: RefreshRun) -> dict[str, Any]:
    return {"selection": run.selection.value, "since": run.since, "company_ids": list(run.company_ids)}


def _companies(cursor: Cursor, name: str, given: dict[str, Any]) -> tuple[Company, ...]:
    cursor.execute(query("registry", name), given)
    return tuple(Company(company_id=company_id, name=found) for company_id, found in cursor.fetchall())


def _row(cursor: Cursor, name: str, given: dict[str, Any]) -> tuple[Any, ...]:
    cursor.execute(query("registry", name), given)
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the query gave no row")
    return row
