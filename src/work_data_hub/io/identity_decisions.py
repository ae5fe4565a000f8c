"""People's decisions in the warehouse: written once, taken back with a stamp, never changed or deleted."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from work_data_hub.domain.identity.decisions import Decision, DecisionKind, Why, stands_already
from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection, Cursor
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision as it stands, and whether it was written now."""

    decision: Decision
    is_new: bool


def decisions_in_force(connection: Connection) -> tuple[Decision, ...]:
    """Every decision that nobody has undone, oldest first; leaves the transaction open."""
    with connection.cursor() as cursor:
        return read_decisions(cursor)


def read_decisions(cursor: Cursor, *, undone: bool = False) -> tuple[Decision, ...]:
    """The decisions in force, oldest first; with those that were undone where asked for."""
    cursor.execute(query("identity_review", "decisions"), {"undone": undone})
    return tuple(_decision(row) for row in cursor.fetchall())


def lock_decisions(cursor: Cursor) -> None:
    """Let nobody else decide or undo until the caller's transaction ends; loads go on reading."""
    cursor.execute(query("identity_review", "lock_decisions"))


def decide(cursor: Cursor, decision: Decision) -> Decided:
    """Write a decision in the caller's transaction, unless it stands already.

    Two people who decide at once are taken one after the other. Raises UsageError, naming the standing
    decision, where the two contradict each other.
    """
    lock_decisions(cursor)
    standing = stands_already(decision, read_decisions(cursor))
    if standing is not None:
        return Decided(decision=standing, is_new=False)
    cursor.execute(
        query("identity_review", "decide"),
        {
            "kind": decision.kind.value,
            "name": decision.name,
            "plan": decision.plan,
            "from_company": decision.from_company,
            "to_company": decision.to_company,
            "reason": decision.reason,
            "actor": decision.actor,
            "evidence": json.dumps(dict(decision.evidence), ensure_ascii=False),
        },
    )
    decision_id, decided_at = _one(cursor)
    return Decided(decision=replace(decision, decision_id=decision_id, decided_at=decided_at), is_new=True)


def undo(cursor: Cursor, decision_id: int, *, why: Why) -> Decided:
    """Take a decision back in the caller's transaction; one that was undone before stays as it is.

    Raises UsageError where there is no such decision.
    """
    lock_decisions(cursor)
    made = next((d for d in read_decisions(cursor, undone=True) if d.decision_id == decision_id), None)
    if made is None:
        raise UsageError(
            f"there is no decision {decision_id}",
            field="DECISION_ID",
            input_data=str(decision_id),
            hint="`wdh identity decisions` lists them",
        )
    if not made.is_in_force:
        return Decided(decision=made, is_new=False)
    facts = {"decision_id": decision_id, "actor": why.actor, "reason": why.reason}
    cursor.execute(query("identity_review", "undo"), facts)
    (undone_at,) = _one(cursor)
    undone = replace(made, undone_at=undone_at, undone_by=why.actor, undone_reason=why.reason)
    return Decided(decision=undone, is_new=True)


def _decision(row: Sequence[Any]) -> Decision:
    decision_id, kind, name, plan, from_company, to_company, reason, actor, evidence, decided_at, *undone = row
    undone_at, undone_by, undone_reason = undone
    return Decision(
        decision_id=decision_id,
        kind=DecisionKind(kind),
        name=name,
        plan=plan,
        from_company=from_company,
        to_company=to_company,
        reason=reason,
        actor=actor,
        evidence=evidence,
        decided_at=decided_at,
        undone_at=undone_at,
        undone_by=undone_by,
        undone_reason=undone_reason,
    )


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    if row is None:
        raise LookupError("the query gave no row")
    return tuple(row)
