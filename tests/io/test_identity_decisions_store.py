"""Decisions in the warehouse: written once, refused against others, undone by a stamp, safe when two decide at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.decisions import Decision, DecisionKind, Why
from work_data_hub.errors import UsageError
from work_data_hub.io.identity_decisions import Decided, decide, decisions_in_force, read_decisions, undo
from work_data_hub.io.identity_evidence import unknown_companies
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration
WHY = Why(reason="营业执照", actor="王芳", evidence={"rows": 3})
A, B, C = "600000001", "600000002", "600000003"


def write(connection: Connection, decision: Decision) -> Decided:
    with transaction(connection), connection.cursor() as cursor:
        return decide(cursor, decision)


def rows(connection: Connection) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("select kind, normalized_name, from_company, to_company from enterprise.identity_decisions")
        return cursor.fetchall()


def test_a_decision_is_a_row_with_who_when_why_and_what_was_known(warehouse: Connection) -> None:
    made = write(warehouse, Decision.choose("(原)甲公司", A, plan="P1", why=WHY))

    (stored,) = decisions_in_force(warehouse)
    assert (made.is_new, stored.kind, stored.name, stored.plan) == (True, DecisionKind.CHOOSE, "甲公司", "P1")
    assert (stored.to_company, stored.actor, stored.reason, stored.evidence["rows"]) == (A, "王芳", "营业执照", 3)
    assert stored.evidence["written"] == "(原)甲公司"
    assert stored == made.decision


def test_the_same_decision_again_writes_nothing(warehouse: Connection) -> None:
    first = write(warehouse, Decision.choose("甲公司", A, plan=None, why=WHY))

    again = write(warehouse, Decision.choose(" 甲公司 ", A, plan=None, why=Why(reason="又一次", actor="李强")))

    assert (again.is_new, again.decision.decision_id) == (False, first.decision.decision_id)
    assert len(rows(warehouse)) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Decision.choose("甲公司", A, plan=None, why=WHY),
        lambda: Decision.choose("甲公司", A, plan="P1", why=WHY, kind=DecisionKind.ACCEPT),
        lambda: Decision.reject("甲公司", A, plan=None, why=WHY),
        lambda: Decision.split("甲公司", A, into=None, plan=None, why=WHY),
        lambda: Decision.split("甲公司", A, into=B, plan="P1", why=WHY),
        lambda: Decision.merge(A, B, why=WHY),
    ],
)
def test_every_kind_is_kept_by_the_table(warehouse: Connection, make: Callable[[], Decision]) -> None:
    made = write(warehouse, make())

    assert decisions_in_force(warehouse) == (made.decision,)


def test_a_contradiction_leaves_what_stands(warehouse: Connection) -> None:
    write(warehouse, Decision.choose("甲公司", A, plan=None, why=WHY))

    with pytest.raises(UsageError, match="decision 1 of 王芳 says 甲公司 is 600000001"):
        write(warehouse, Decision.choose("甲公司", B, plan=None, why=WHY))

    assert rows(warehouse) == [("choose", "甲公司", None, A)]


def test_an_undone_decision_makes_room_for_another(warehouse: Connection) -> None:
    write(warehouse, Decision.choose("甲公司", A, plan=None, why=WHY))

    with transaction(warehouse), warehouse.cursor() as cursor:
        undone = undo(cursor, 1, why=Why(reason="看错了", actor="李强"))
        twice = undo(cursor, 1, why=Why(reason="再来", actor="赵敏"))
    write(warehouse, Decision.choose("甲公司", B, plan=None, why=WHY))

    assert (undone.is_new, undone.decision.undone_by, twice.is_new, twice.decision.undone_by) == (
        True,
        "李强",
        False,
        "李强",
    )
    assert [made.to_company for made in decisions_in_force(warehouse)] == [B]
    with warehouse.cursor() as cursor:
        assert [made.to_company for made in read_decisions(cursor, undone=True)] == [A, B]


def test_a_decision_that_is_not_there_cannot_be_undone(warehouse: Connection) -> None:
    with (
        pytest.raises(UsageError, match="there is no decision 7"),
        transaction(warehouse),
        warehouse.cursor() as cursor,
    ):
        undo(cursor, 7, why=WHY)


def somebody_waits(url: str) -> bool:
    """Whether a session of the server waits for a lock."""
    with closing(connect(url)) as watcher, watcher.cursor() as cursor:
        cursor.execute("select exists (select from pg_locks where not granted)")
        return bool((cursor.fetchone() or [False])[0])


@pytest.mark.parametrize(("other", "outcome"), [(A, False), (B, UsageError)])
def test_two_who_decide_at_once_are_taken_one_after_the_other(
    warehouse: Connection, warehouse_url: str, other: str, outcome: Any
) -> None:
    with closing(connect(warehouse_url)) as second, ThreadPoolExecutor() as pool:
        with transaction(warehouse), warehouse.cursor() as cursor:
            decide(cursor, Decision.choose("甲公司", A, plan=None, why=WHY))
            waiting = pool.submit(write, second, Decision.choose("甲公司", other, plan=None, why=WHY))
            while not (waiting.done() or somebody_waits(warehouse_url)):
                pass
        failed = waiting.exception()

    assert isinstance(failed, UsageError) if outcome is UsageError else waiting.result().is_new is outcome
    assert len(rows(warehouse)) == 1


def test_only_companies_of_the_registry_the_index_or_the_facts_are_known(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("insert into enterprise.base_info (company_id, data_source) values (%s, 'search')", (A,))
        cursor.execute(
            "insert into enterprise.enrichment_index (lookup_key, lookup_type, company_id, source, normaliser_version)"
            " values ('甲公司', 'customer_name', %s, 'manual', 2)",
            (B,),
        )
        cursor.execute(
            "insert into business.收入明细 (月度, 计划代码, company_id, 固费, 浮费, 回补, 税)"
            " values ('2024-10-01', 'P1', %s, 0, 0, 0, 0)",
            (C,),
        )

        assert unknown_companies(cursor, [A, B, C, "7"], domains=tuple(DOMAINS.values())) == ("7",)
