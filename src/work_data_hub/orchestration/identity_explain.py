"""A name or a stored row explained: configuration, warehouse and matchers asked as a load would ask them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.cascade import SINGLE_PLAN, trace
from work_data_hub.domain.identity.decisions import Decision, DecisionKind, plan_key
from work_data_hub.domain.identity.evidence import FactGroup
from work_data_hub.domain.identity.explanation import Clue, KnownClues, Settled, Told, differences, steps_of
from work_data_hub.domain.identity.identified import IdentityColumns
from work_data_hub.domain.identity.knowledge import IdentityBook, nothing_known, wanted
from work_data_hub.domain.identity.names import explain_name, normalise_name
from work_data_hub.domain.identity.written_ids import real_ids
from work_data_hub.domain.period import Period
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import UsageError, WarehouseError
from work_data_hub.io.config_files import load_mapping
from work_data_hub.io.identity_config import Override, load_identity_overrides, load_identity_rules
from work_data_hub.io.identity_decisions import read_decisions
from work_data_hub.io.identity_evidence import gather_evidence, index_entries
from work_data_hub.io.identity_facts import StoredChange, StoredRow, stored_changes, stored_rows
from work_data_hub.io.identity_index import look_up
from work_data_hub.io.postgres import Connection, Cursor, read_only
from work_data_hub.orchestration.identity_decisions import ALL_DOMAINS, identity_warehouse
from work_data_hub.orchestration.requests import Workplace

_COLUMNS = IdentityColumns(
    target="company_id", plan="plan", customer="name", existing="existing", plan_type="plan_type", written=None
)
_SHOWN_GROUPS = 10
_APPLY = "wdh identity apply brings it to today's company where a decision or a now known company says so"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowPlace:
    """A stored row by where it comes from: `annuity_performance:202410:123:规模明细`."""

    domain: Domain
    period: Period
    row_number: int
    sheet: str | None = None

    @classmethod
    def parse(cls, text: str) -> "RowPlace":
        """Read DOMAIN:YYYYMM:ROW[:SHEET]; raises UsageError for anything else."""
        name, *rest = text.split(":", 3)
        if len(rest) < 2 or not rest[1].isdecimal():
            raise UsageError(
                "not a row", field="--row", input_data=text, hint="--row annuity_performance:202410:123, then :SHEET"
            )
        domain = DOMAINS.get(name)
        if domain is None or domain.identity is None:
            known = [one.name for one in ALL_DOMAINS if one.identity]
            raise UsageError(
                f"no domain {name!r} whose rows name a company",
                field="--row",
                rule=f"one of {', '.join(known)}",
                hint=did_you_mean(name, known) or "choose one of these",
            )
        sheet = rest[2] if len(rest) > 2 else None
        return cls(domain=domain, period=Period.parse(rest[0]), row_number=int(rest[1]), sheet=sheet)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainRequest:
    """A row as somebody describes it; with `row` what is stored there comes first, and the rest fills in."""

    name: str = ""
    plan: str = ""
    plan_type: str = ""
    existing: str = ""
    row: RowPlace | None = None


def explain(request: ExplainRequest, place: Workplace) -> tuple[Told, ...]:
    """The explanations of a name, or of each stored row that the request names; reads only.

    Raises UsageError where no such row is stored, WarehouseError where rows are asked for and no warehouse answers.
    """
    if request.row is not None:
        return _explain_rows(request, request.row, place)
    return (_explain_name(request, place),)


def _explain_name(request: ExplainRequest, place: Workplace) -> Told:
    sources = _Sources(place)
    try:
        with _asked(place) as connection:
            if connection is None:
                return sources.told(request, None, not_checked=("no database: index, decisions, searches and rows",))
            with connection.cursor() as cursor:
                told = sources.told(request, cursor)
                groups = gather_evidence(cursor, [told.clue.name or ""], domains=ALL_DOMAINS).groups
                stored = tuple(_group_lines(groups.get(told.clue.name or "", ()), today=told))
                return replace(told, stored=stored)
    except WarehouseError as error:
        return sources.told(request, None, not_checked=(f"index, decisions, searches and rows: {error.message}",))


def _explain_rows(request: ExplainRequest, row: RowPlace, place: Workplace) -> tuple[Told, ...]:
    if place.database_url is None:
        raise UsageError("a stored row needs a database", field="--row", hint="set DATABASE_URL, or run wdh db start")
    with (
        identity_warehouse(place.database_url) as connection,
        read_only(connection),
        connection.cursor() as cursor,
    ):
        month = row.period.first_day
        found = stored_rows(cursor, row.domain, month=month, row_number=row.row_number, sheet=row.sheet)
        if not found:
            sheet = f" of sheet {row.sheet}" if row.sheet else ""
            raise UsageError(
                f"{row.domain.name} {row.period} has no stored row from Excel row {row.row_number}{sheet}",
                field="--row",
                hint="a rejected row is not stored (`wdh rejects`); check month, row number and sheet",
            )
        sources = _Sources(place)
        return tuple(_explain_row(stored, request, row.domain, sources=sources, cursor=cursor) for stored in found)


def _explain_row(
    stored: StoredRow, request: ExplainRequest, domain: Domain, *, sources: "_Sources", cursor: Cursor
) -> Told:
    # The delivered id is not stored; where it decided, the company is that id.
    delivered = stored.company_id if stored.source == "existing_id" else None
    asked = ExplainRequest(
        name=request.name or stored.written or stored.name or "",
        plan=request.plan or stored.plan or "",
        plan_type=request.plan_type or stored.plan_type or "",
        existing=request.existing or delivered or "",
    )
    told = sources.told(asked, cursor)
    known = sources.known(told.clue, cursor)
    changes = stored_changes(cursor, domain, row_id=stored.row_id)
    has_changed = (stored.company_id or None) != told.company_id
    since = _since(stored, known, changes) if has_changed else ()
    return replace(
        told,
        place=f"{stored.file} › {stored.sheet}!{stored.row_number}",
        stored=tuple(_stored_lines(stored, changes)),
        since=since,
        not_checked=() if asked.existing else ("the id that was delivered with the row is not stored; give --id",),
        facts={"stored_company_id": stored.company_id, "stored_source": stored.source},
    )


def _stored_lines(stored: StoredRow, changes: Sequence[StoredChange]) -> Iterator[str]:
    sure = "" if stored.confidence is None else f", confidence {stored.confidence:.2f}"
    when = f", loaded {stored.loaded_at:%Y-%m-%d %H:%M}" if stored.loaded_at else ""
    yield f"{stored.company_id or 'no company'} by {stored.source}{sure}; load {stored.load_id}{when}"
    for change in changes:
        why = f" by decision {change.decision_id}" if change.decision_id else ""
        yield f"load {change.load_id} moved it from {change.company_from} to {change.company_to}{why}"


def _since(stored: StoredRow, known: KnownClues, changes: Sequence[StoredChange]) -> tuple[str, ...]:
    at = [change.committed_at for change in changes if change.committed_at]
    found = differences(known, loaded_at=at[-1] if at else stored.loaded_at)
    unexplained = "nothing on record is newer than the row: the delivered id, the registry, other rows of its load or"
    return (*(found or (f"{unexplained} the configuration made the difference",)), _APPLY)


def _group_lines(groups: Sequence[FactGroup], *, today: Told) -> Iterator[str]:
    """The stored rows of the name, alike ones together, the most first."""
    ordered = sorted(groups, key=lambda group: -group.rows)
    for group in ordered[:_SHOWN_GROUPS]:
        months = f"{group.first_month:%Y-%m}"
        months += f" – {group.last_month:%Y-%m}" if group.last_month != group.first_month else ""
        plan = f" in plan {group.plan}" if group.plan else ""
        other = "" if group.company_id == today.company_id else "  (not the company above)"
        company = group.company_id or "no company"
        yield f"{group.domain} {months}{plan}: {group.rows:,} rows, {company} by {group.source}{other}"
    if len(ordered) > _SHOWN_GROUPS:
        yield f"and {sum(group.rows for group in ordered[_SHOWN_GROUPS:]):,} more rows"


class _Sources:
    """The configuration of one call: overrides, rules and the codes that stand in for missing plans."""

    def __init__(self, place: Workplace) -> None:
        self._overrides = load_identity_overrides(place.config_dir)
        self._rules = load_identity_rules(place.config_dir)
        self._no_plans = frozenset(load_mapping(place.config_dir, "plan_defaults").values())
        self._salt = place.alias_salt

    def told(self, request: ExplainRequest, cursor: Cursor | None, *, not_checked: tuple[str, ...] = ()) -> Told:
        """The explanation of a row as described, without what is stored."""
        row = pd.DataFrame(
            {
                "name": [request.name or None],
                "plan": [plan_key(request.plan)],
                "plan_type": [request.plan_type or None],
                "existing": [request.existing or None],
            },
            dtype="string",
        )
        clue = self._clue(request)
        traces = trace(row, book=self._book(cursor), columns=_COLUMNS)
        known = self.known(clue, cursor)
        return Told(
            written=request.name,
            clue=clue,
            rules=explain_name(request.name),
            steps=steps_of(traces, clue, known),
            not_checked=not_checked,
        )

    def known(self, clue: Clue, cursor: Cursor | None) -> KnownClues:
        """What is on record about a row's clues."""
        by_hand = KnownClues(
            plan_override=_settled(self._overrides.plans.get(clue.plan or "")),
            name_override=_settled(self._overrides.of_name(clue.name or "")),
            is_asked=cursor is not None,
        )
        if cursor is None:
            return by_hand
        keys = pd.DataFrame({"plan": [clue.plan], "is_single": [clue.is_single], "name": [clue.name]})
        evidence = gather_evidence(cursor, [clue.name] if clue.name else [], domains=())
        known = replace(
            by_hand,
            entries=index_entries(cursor, wanted(keys.astype({"plan": "string", "name": "string"}))),
            search=evidence.searches.get(clue.name or ""),
        )
        return replace(known, decisions=_concerning(read_decisions(cursor, undone=True), clue, known))

    def _clue(self, request: ExplainRequest) -> Clue:
        form, plan = normalise_name(request.name), plan_key(request.plan)
        existing = real_ids(pd.Series([request.existing or None], dtype="string")).iloc[0]
        return Clue(
            name=None if form in ("", "0") else form,
            plan=None if plan in self._no_plans else plan,
            is_single=request.plan_type.strip() == SINGLE_PLAN,
            existing=None if pd.isna(existing) else str(existing),
        )

    def _book(self, cursor: Cursor | None) -> IdentityBook:
        ask = nothing_known
        if cursor is not None:
            ask = partial(look_up, cursor.connection, searched_days=self._rules.searched_days)
        return IdentityBook.from_entries(
            plans=self._overrides.plan_ids,
            names=self._overrides.name_ids,
            salt=self._salt,
            no_plans=self._no_plans,
            rules=self._rules,
            look_up=ask,
        )


@contextmanager
def _asked(place: Workplace) -> Iterator[Connection | None]:
    """The warehouse in a transaction that only reads, None where there is none."""
    if place.database_url is None:
        yield None
        return
    with identity_warehouse(place.database_url) as connection, read_only(connection):
        yield connection


def _settled(found: Override | None) -> Settled | None:
    if found is None:
        return None
    return Settled(company_id=found.company_id, owner=found.owner, date=str(found.date), reason=found.reason)


def _concerning(decisions: Sequence[Decision], clue: Clue, known: KnownClues) -> tuple[Decision, ...]:
    """The decisions that may have a say: about the name in this plan or in all, and merges of companies it may be."""
    about = [made for made in decisions if made.name == clue.name and made.plan in (None, clue.plan)]
    overrides = [entry.company_id for entry in (known.plan_override, known.name_override) if entry]
    companies = {clue.existing, *overrides, *(entry.company_id for entry in known.entries)}
    companies |= {company for made in about for company in made.companies}
    merges = [made for made in decisions if made.kind is DecisionKind.MERGE]
    # Chains may be longer than one merge; each round follows them one further.
    for _ in merges:
        companies |= {made.to_company for made in merges if made.from_company in companies}
    return (*about, *(made for made in merges if made.from_company in companies))
