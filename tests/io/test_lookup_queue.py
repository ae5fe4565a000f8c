"""The lookup queue in PostgreSQL: filled once a name, claimed by one, closed by who holds it."""

from contextlib import closing
from threading import Thread
from typing import Any

import pytest
from psycopg2.extras import execute_values
from tests.lookup_requests import (
    SALT,
    ask_database,
    change,
    let_leases_end,
    let_rests_end,
    queue_names,
    unknown_names,
)

from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.domain.identity.queue_rules import WORKER_GONE, definitive, resolved, tried_in_vain
from work_data_hub.domain.identity.temporary import temporary_id
from work_data_hub.io.lookup_queue import (
    Claim,
    claim,
    enqueue,
    hold,
    newest_failures,
    queue_depth,
    release,
    renew,
    reset_stale,
    retry_failed,
    settle,
    sign_on,
)
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration


def rows(warehouse: Connection, columns: str = "normalized_name, status, attempts") -> list[tuple[Any, ...]]:
    return ask_database(warehouse, f"select {columns} from enterprise.enrichment_requests order by id")


def taken(warehouse: Connection, worker: str = "one", *, limit: int = 50) -> tuple[Claim, ...]:
    sign_on(warehouse, worker=worker)
    return claim(warehouse, worker=worker, limit=limit, lease_seconds=60)


def closed(warehouse: Connection, item: Claim, settlement: Any, *, worker: str = "one") -> bool:
    with transaction(warehouse), warehouse.cursor() as cursor:
        is_held = hold(cursor, item.request_id, worker=worker) is not None
        if is_held:
            settle(cursor, item.request_id, settlement, worker=worker)
    return is_held


def session_of_worker(warehouse: Connection) -> bool:
    return ask_database(warehouse, "select exists (select from pg_locks where locktype = 'advisory')") == [(True,)]


def searched(warehouse: Connection, name: str, *, days_ago: int) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.registry_searches (normalized_name, normaliser_version, searched_name, outcome,"
            " asked_at) values (%s, 1, %s, 'not_found', now() - make_interval(days => %s))",
            (name, name, days_ago),
        )


def test_a_load_asks_for_each_name_once(warehouse: Connection) -> None:
    assert queue_names(warehouse, "甲公司", "乙公司", "甲公司") == 2
    assert queue_names(warehouse, "甲公司", "丙公司") == 1

    assert sorted(rows(warehouse, "normalized_name, raw_name, temp_id, status, normaliser_version")) == sorted(
        (name, name, temporary_id(name, salt=SALT), "pending", NORMALISER_VERSION)
        for name in ("甲公司", "乙公司", "丙公司")
    )


def test_nothing_unknown_makes_no_request(warehouse: Connection) -> None:
    assert queue_names(warehouse) == 0


def test_a_load_that_rolls_back_asks_for_nothing(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        enqueue(cursor, unknown_names("甲公司"), load_id=None)
    warehouse.rollback()

    assert rows(warehouse) == []


def test_a_name_that_is_being_asked_for_is_not_queued_beside(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    taken(warehouse)

    assert queue_names(warehouse, "甲公司") == 0


@pytest.mark.parametrize(("days_ago", "requests"), [(29, 0), (31, 1)])
def test_a_name_is_asked_again_when_the_registrys_answer_is_old(
    warehouse: Connection, days_ago: int, requests: int
) -> None:
    searched(warehouse, "甲公司", days_ago=days_ago)

    assert queue_names(warehouse, "甲公司") == requests


@pytest.mark.parametrize(("minutes_ago", "requests"), [(14, 0), (16, 1)])
def test_a_request_given_up_is_queued_anew_by_a_load_after_a_quarter_of_an_hour(
    warehouse: Connection, minutes_ago: int, requests: int
) -> None:
    queue_names(warehouse, "甲公司")
    closed(warehouse, taken(warehouse)[0], tried_in_vain("HTTP 503", attempts=2))
    change(
        warehouse,
        f"update enterprise.enrichment_requests set updated_at = now() - interval '{minutes_ago} minutes'",
    )

    assert queue_names(warehouse, "甲公司") == requests


def test_a_name_too_long_for_the_queue_does_not_stop_the_load(warehouse: Connection) -> None:
    assert queue_names(warehouse, "长" * 256, "甲公司") == 1


def test_two_loads_with_the_same_names_do_not_wait_for_each_other_in_a_circle(
    warehouse: Connection, warehouse_url: str
) -> None:
    names = [f"公司{number}" for number in range(2_000)]
    made: list[int] = []

    def load(order: list[str]) -> None:
        with closing(connect(warehouse_url)) as connection:
            made.append(queue_names(connection, *order))

    loads = [Thread(target=load, args=(order,)) for order in (names, names[::-1])]
    for each in loads:
        each.start()
    for each in loads:
        each.join()

    assert (len(made), sum(made), len(rows(warehouse))) == (2, 2_000, 2_000)


def test_the_oldest_requests_are_taken_first_and_no_more_than_asked_for(warehouse: Connection) -> None:
    for name in ("乙公司", "甲公司", "丙公司"):
        queue_names(warehouse, name)

    assert [item.normalized_name for item in taken(warehouse, limit=2)] == ["乙公司", "甲公司"]
    assert [status for _, status, _ in rows(warehouse)] == ["processing", "processing", "pending"]


def test_a_claim_takes_no_more_than_its_limit_of_a_long_queue(warehouse: Connection) -> None:
    queue_names(warehouse, *(f"公司{number}" for number in range(500)))

    assert len(taken(warehouse, limit=7)) == 7


def test_two_workers_never_take_the_same_request(warehouse: Connection, warehouse_url: str) -> None:
    queue_names(warehouse, *(f"公司{number}" for number in range(300)))
    batches: list[Claim] = []

    def work(worker: str) -> None:
        with closing(connect(warehouse_url)) as connection:
            while batch := taken(connection, worker, limit=7):
                batches.extend(batch)

    workers = [Thread(target=work, args=(name,)) for name in ("one", "two", "three")]
    for each in workers:
        each.start()
    for each in workers:
        each.join()

    assert len(batches) == len({item.request_id for item in batches}) == 300


def test_a_request_that_another_transaction_holds_is_left_to_it(warehouse: Connection, warehouse_url: str) -> None:
    queue_names(warehouse, "甲公司", "乙公司")
    with closing(connect(warehouse_url)) as other, other.cursor() as cursor:
        cursor.execute("select id from enterprise.enrichment_requests order by created_at, id limit 1 for update")

        assert len(taken(warehouse)) == 1


def test_a_request_that_rests_is_not_taken(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    closed(warehouse, taken(warehouse)[0], tried_in_vain("HTTP 503", attempts=0))

    assert taken(warehouse) == ()
    assert rows(warehouse, "status, attempts, last_error, next_retry_at - updated_at = interval '1 minute'") == [
        ("pending", 1, "HTTP 503", True)
    ]


def test_a_done_request_has_its_company_and_no_worker(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")

    assert closed(warehouse, taken(warehouse)[0], resolved("600000001"))
    assert rows(warehouse, "status, resolved_company_id, claimed_by, next_retry_at") == [
        ("done", "600000001", None, None)
    ]


def test_a_worker_whose_lease_is_over_holds_nothing(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    (item,) = taken(warehouse)
    let_leases_end(warehouse)

    assert not closed(warehouse, item, resolved("600000001"))
    assert renew(warehouse, worker="one", lease_seconds=60) == frozenset()


def test_a_worker_cannot_close_what_another_took_over(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    (item,) = taken(warehouse)
    let_leases_end(warehouse)
    reset_stale(warehouse)
    let_rests_end(warehouse)
    taken(warehouse, "two")

    assert not closed(warehouse, item, resolved("600000001"))
    assert closed(warehouse, item, resolved("600000002"), worker="two")


def test_a_lease_is_renewed_for_all_that_the_worker_still_holds(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司", "乙公司")
    first, second = taken(warehouse)
    closed(warehouse, first, resolved("600000001"))

    assert renew(warehouse, worker="one", lease_seconds=3_600) == {second.request_id}
    assert rows(warehouse, "lease_until > now() + interval '59 minutes'") == [(None,), (True,)]


def test_what_a_worker_gives_back_is_ready_and_has_not_failed(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司", "乙公司")
    taken(warehouse)

    assert release(warehouse, worker="one") == 2
    assert [item.attempts for item in taken(warehouse, "two")] == [0, 0]


def test_what_a_dead_worker_was_asking_for_has_failed_once_and_the_rest_is_ready_at_once(
    warehouse: Connection,
) -> None:
    queue_names(warehouse, "甲公司")
    queue_names(warehouse, "乙公司")
    queue_names(warehouse, "丙公司")
    first, *_ = taken(warehouse)
    closed(warehouse, first, resolved("600000001"))
    let_leases_end(warehouse)

    assert reset_stale(warehouse).requeued == 2
    assert rows(warehouse, "normalized_name, status, attempts, last_error, next_retry_at <= now()") == [
        ("甲公司", "done", 0, None, None),
        ("乙公司", "pending", 1, WORKER_GONE, False),
        ("丙公司", "pending", 0, None, True),
    ]


def test_what_kills_its_worker_three_times_is_given_up(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    results = []
    for _ in range(3):
        let_rests_end(warehouse)
        taken(warehouse)
        let_leases_end(warehouse)
        results.append(reset_stale(warehouse).gave_up)

    assert results == [0, 0, 1]
    assert rows(warehouse, "status, attempts, last_error, next_retry_at") == [("failed", 3, WORKER_GONE, None)]


def test_a_living_worker_keeps_what_it_holds(warehouse: Connection) -> None:
    queue_names(warehouse, "甲公司")
    taken(warehouse)

    assert (reset_stale(warehouse).requeued, rows(warehouse)) == (0, [("甲公司", "processing", 0)])


def test_what_a_worker_held_is_free_as_soon_as_its_connection_ends(warehouse: Connection, warehouse_url: str) -> None:
    queue_names(warehouse, "甲公司")
    with closing(connect(warehouse_url)) as other:
        taken(other)
        assert reset_stale(warehouse).requeued == 0
    while session_of_worker(warehouse):
        pass

    assert reset_stale(warehouse).requeued == 1


def test_what_was_given_up_can_be_asked_for_again_and_what_was_answered_is_not(warehouse: Connection) -> None:
    for name, settlement in {
        "甲公司": tried_in_vain("HTTP 503", attempts=2),
        "乙公司": definitive("no such company in the registry"),
    }.items():
        queue_names(warehouse, name)
        change(warehouse, "update enterprise.enrichment_requests set attempts = 0 where status = 'pending'")
        closed(warehouse, taken(warehouse)[0], settlement)
    change(warehouse, "update enterprise.enrichment_requests set attempts = 3 where last_error = 'HTTP 503'")

    assert retry_failed(warehouse) == 1
    assert rows(warehouse) == [("甲公司", "failed", 3), ("乙公司", "failed", 0), ("甲公司", "pending", 0)]
    assert retry_failed(warehouse) == 0


def test_a_name_is_revived_once_and_not_beside_one_that_is_queued(warehouse: Connection) -> None:
    with transaction(warehouse), warehouse.cursor() as cursor:
        execute_values(
            cursor,
            "insert into enterprise.enrichment_requests"
            " (raw_name, normalized_name, normaliser_version, temp_id, status, attempts, next_retry_at) values %s",
            [
                ("甲公司", "甲公司", 1, temporary_id("甲公司", salt=SALT), "failed", 3, None),
                ("乙公司", "乙公司", 1, temporary_id("乙公司", salt=SALT), "failed", 3, None),
                ("乙公司", "乙公司", 1, temporary_id("乙公司", salt=SALT), "failed", 3, None),
            ],
        )
    change(warehouse, "update enterprise.enrichment_requests set updated_at = now() - interval '1 hour'")
    assert queue_names(warehouse, "甲公司") == 1

    assert retry_failed(warehouse) == 1
    assert [name for name, status, _ in rows(warehouse) if status == "pending"] == ["甲公司", "乙公司"]


def test_the_depth_says_what_is_ready_left_behind_and_given_up(warehouse: Connection) -> None:
    settlements = [resolved("600000001"), tried_in_vain("HTTP 503", attempts=0), tried_in_vain("cut", attempts=2)]
    for number, settlement in enumerate(settlements):
        queue_names(warehouse, f"公司{number}")
        closed(warehouse, taken(warehouse)[0], settlement)
    change(warehouse, "update enterprise.enrichment_requests set attempts = 3 where status = 'failed'")
    queue_names(warehouse, "甲公司")
    taken(warehouse)
    let_leases_end(warehouse)
    queue_names(warehouse, "乙公司")

    with transaction(warehouse), warehouse.cursor() as cursor:
        depth, failures = queue_depth(cursor), newest_failures(cursor)

    assert (depth.pending, depth.ready, depth.processing, depth.stale) == (2, 1, 1, 1)
    assert (depth.done, depth.failed, depth.given_up) == (1, 1, 1)
    assert depth.oldest is not None
    assert depth.next_retry is not None
    assert [(one.raw_name, one.reason) for one in failures] == [("公司2", "cut"), ("公司1", "HTTP 503")]
