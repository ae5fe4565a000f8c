"""Decisions made, one at a time or with a whole workbook, and taken back; each written at once, facts left alone."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.decisions import (
    Decision,
    DecisionKind,
    Why,
    comparable_name,
)
from work_data_hub.domain.identity.evidence import Evidence
from work_data_hub.errors import UsageError
from work_data_hub.io.identity_config import load_identity_overrides
from work_data_hub.io.identity_decisions import Decided, decide, lock_decisions, read_decisions, undo
from work_data_hub.io.identity_evidence import gather_evidence, unknown_companies
from work_data_hub.io.postgres import Connection, Cursor, connect, read_only, transaction, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger

log = get_logger(__name__)
ALL_DOMAINS = tuple(DOMAINS.values())


@contextmanager
def identity_warehouse(url: str) -> Iterator[Connection]:
    """A connection to the warehouse at the expected migration."""
    with warehouse_errors(), closing(connect(url, application_name="wdh identity")) as connection:
        require_head(connection)
        yield connection


def accept(url: str, name: str, *, plan: str | None, why: Why) -> Decided:
    """Decide that a name is the company that the registry or the index proposes.

    Raises UsageError where they propose none, or different ones.
    """
    form = comparable_name(name)
    with identity_warehouse(url) as connection, transaction(connection), connection.cursor() as cursor:
        lock_decisions(cursor)
        evidence = gather_evidence(cursor, [form], domains=ALL_DOMAINS)
        company = _proposed(form, evidence)
        knowing = replace(why, evidence={**known_of(form, evidence), **why.evidence})
        return _told(decide(cursor, Decision.choose(name, company, plan=plan, why=knowing, kind=DecisionKind.ACCEPT)))


def write_decision(url: str, decision: Decision, *, allow_unknown: bool) -> Decided:
    """Write a decision, unless it stands already; raises UsageError where it contradicts one that stands.

    A right company that nobody knows is refused unless `allow_unknown`.
    """
    with identity_warehouse(url) as connection, transaction(connection), connection.cursor() as cursor:
        lock_decisions(cursor)
        if not allow_unknown:
            refuse_unknown(cursor, decision)
        names = [decision.name] if decision.name else []
        evidence = gather_evidence(cursor, names, domains=ALL_DOMAINS)
        known = {**known_of(decision.name, evidence), **decision.evidence} if decision.name else decision.evidence
        return _told(decide(cursor, replace(decision, evidence=known)))


def take_back(url: str, decision_id: int, *, why: Why) -> Decided:
    """Undo a decision; raises UsageError where there is none of that number."""
    with identity_warehouse(url) as connection, transaction(connection), connection.cursor() as cursor:
        undone = undo(cursor, decision_id, why=why)
    log.info("identity.decision.undone", decision_id=decision_id, is_new=undone.is_new)
    return undone


def list_decisions(url: str, *, undone: bool) -> tuple[Decision, ...]:
    """The decisions in force, oldest first; with those that were undone where asked for."""
    with (
        identity_warehouse(url) as connection,
        read_only(connection),
        connection.cursor() as cursor,
    ):
        return read_decisions(cursor, undone=undone)


def refuse_unknown(cursor: Cursor, decision: Decision) -> None:
    """Raise UsageError where the decision names a company that nobody knows."""
    unknown = unknown_companies(cursor, decision.companies, domains=ALL_DOMAINS)
    if unknown:
        raise UsageError(
            f"neither the registry's answers, nor the index, nor any row knows company {', '.join(unknown)}",
            field="COMPANY",
            input_data=unknown[0],
            hint="correct the id; if it is right and new, add --unknown-company",
        )


def notes_on(decisions: Sequence[Decision], *, config_dir: Path) -> tuple[str, ...]:
    """What the configuration settles already, so that these decisions change nothing there: overrides come first."""
    overrides = load_identity_overrides(config_dir)
    notes = []
    for made in decisions:
        by_hand = {made.name: overrides.of_name(made.name or ""), made.plan: overrides.plans.get(made.plan or "")}
        notes += [
            f"the override of {key} comes first ({entry.company_id}, {entry.owner} {entry.date}): change it in"
            " config/mappings/company_id"
            for key, entry in by_hand.items()
            if entry
        ]
    return tuple(dict.fromkeys(notes))


def known_of(name: str, evidence: Evidence) -> dict[str, object]:
    """What was known about a name when somebody decided, to be kept with the decision."""
    groups, search = evidence.groups.get(name, ()), evidence.searches.get(name)
    return {
        "proposals": [proposal.as_json() for proposal in evidence.proposals(name)],
        "search": {"outcome": search.outcome, "asked_at": search.asked_at.isoformat()} if search else None,
        "rows": sum(group.rows for group in groups),
        "companies": sorted({group.company_id for group in groups if group.company_id}),
    }


def _proposed(name: str, evidence: Evidence) -> str:
    proposals = evidence.proposals(name)
    if len(proposals) == 1:
        return proposals[0].company_id
    if not proposals:
        raise UsageError(
            "neither the registry nor the index proposes a company",
            field="NAME",
            input_data=name,
            hint="name the company: `wdh identity choose NAME COMPANY --why …`",
        )
    raise UsageError(
        f"{len(proposals)} companies are proposed: {'; '.join(proposal.words for proposal in proposals)}",
        field="NAME",
        input_data=name,
        hint="say which: `wdh identity choose NAME COMPANY --why …`",
    )


def _told(made: Decided) -> Decided:
    log.info("identity.decided", decision_id=made.decision.decision_id, kind=made.decision.kind, is_new=made.is_new)
    return made
