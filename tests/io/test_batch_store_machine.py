"""Any order of requests, claims, batches, pauses, stops, deaths and silences keeps what the batch store promises.

MACHINE_EXAMPLES=2000 looks at so many orders instead of the few of the default run.
"""

import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from tests.batch_store import (
    FULL,
    INCREMENTAL,
    LEASE_SECONDS,
    MAX_RECOVERIES,
    add,
    ask,
    batch,
    claim,
    close,
    pause,
    register,
    request,
    silence,
    status_of,
    swept,
)

from work_data_hub.domain.batch.pipeline import Mode
from work_data_hub.domain.batch.run import Claim
from work_data_hub.domain.batch.run import Cursor as Place
from work_data_hub.domain.batch.status import MOVES, RunStatus, Status, pause_requested, run_requested
from work_data_hub.errors import LeaseLost
from work_data_hub.io.batch_claims import beat, hold
from work_data_hub.io.postgres import Connection, connect, transaction

pytestmark = pytest.mark.integration

GIVEN = int(os.environ.get("MACHINE_EXAMPLES", "0"))
SETTINGS = settings(
    max_examples=GIVEN or 30,
    stateful_step_count=50,
    derandomize=not GIVEN,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
PIPELINES = (replace(FULL, name="films_keyed", unique_key="film_id"), INCREMENTAL)
WORKERS = 3
IN_HANDS = (Status.RUNNING, Status.PAUSE_REQUESTED)
MAY_PAUSE = (Status.RUNNING, Status.RUN_REQUESTED, Status.IDLE)
ENDS = {
    RunStatus.SUCCESS: Status.IDLE,
    RunStatus.FAILED: Status.FAILED,
    RunStatus.PAUSED: Status.RUN_REQUESTED,
}

places = st.integers(0, 3)


def one_of(given: Sequence[Any], which: int) -> Any:
    return given[which % len(given)]


@dataclass(slots=True)
class Hand:
    """A claim as its runner remembers it, and how many batches of it were committed."""

    claim: Claim
    batches: int = 0


class BatchStore(RuleBasedStateMachine):
    """What is expected of the store, kept beside it and compared after every step."""

    db: Connection

    def __init__(self) -> None:
        super().__init__()
        ask(self.db, "truncate etl.etl_pipelines cascade")
        ask(self.db, "delete from etl.etl_workers")
        self.ids = [add(self.db, pipeline) for pipeline in PIPELINES]
        self.starts = 0
        self.names = [self.started() for _ in range(WORKERS)]
        self.hands: list[Hand] = []
        self.holder: dict[UUID, Hand] = {}
        self.epochs = dict.fromkeys(self.ids, 0)
        self.stands = dict.fromkeys(self.ids, Status.IDLE)
        self.places: dict[UUID, Place | None] = dict.fromkeys(self.ids)
        self.moment = 0

    def started(self) -> str:
        self.starts += 1
        name = f"worker-{self.starts}"
        register(self.db, name)
        return name

    def held(self) -> list[Hand]:
        return list(self.holder.values())

    def lost(self) -> list[Hand]:
        """The newest claims that do not count any more, and whose runners do not know of it."""
        return [hand for hand in self.hands if self.holder.get(hand.claim.pipeline_id) is not hand][-4:]

    def standing(self, *statuses: Status) -> list[UUID]:
        return [id for id in self.ids if self.stands[id] in statuses]

    def is_alive(self, id: UUID) -> bool:
        statement = (
            "select 1 from etl.etl_leases join etl.etl_workers on worker_id = owner where pipeline_id = %s"
            " and heartbeat_at > clock_timestamp() - make_interval(secs => %s)"
        )
        return bool(ask(self.db, statement, str(id), LEASE_SECONDS))

    @rule(which=places)
    def a_run_is_requested(self, which: int) -> None:
        id = one_of(self.ids, which)
        expected = run_requested(self.stands[id], enabled=True, is_alive=self.is_alive(id))
        assert request(self.db, id) is expected.status

    @precondition(lambda self: self.standing(*MAY_PAUSE))
    @rule(which=places)
    def a_pause_is_requested(self, which: int) -> None:
        id = one_of(self.standing(*MAY_PAUSE), which)
        assert pause(self.db, id) is pause_requested(self.stands[id]).status

    @rule(who=places)
    def a_worker_claims(self, who: int) -> None:
        waiting = self.standing(Status.RUN_REQUESTED)
        found = claim(self.db, one_of(self.names, who))
        assert (found.pipeline_id in waiting) if found else not waiting
        if found is None:
            return
        id = found.pipeline_id
        assert found.epoch > self.epochs[id]
        is_incremental = found.pipeline.mode is Mode.INCREMENTAL
        assert (found.checkpoint if is_incremental else found.resume_at) == self.places[id]
        self.holder[id] = Hand(claim=found)
        self.hands.append(self.holder[id])

    @precondition(lambda self: self.holder)
    @rule(which=places)
    def a_batch_is_committed(self, which: int) -> None:
        hand = one_of(self.held(), which)
        self.moment += 1
        value = str(self.moment) if hand.claim.pipeline.mode is Mode.INCREMENTAL else None
        place = Place(value=value, id=str(self.moment))
        batch(self.db, hand.claim, hand.batches, until=place)
        hand.batches += 1
        self.places[hand.claim.pipeline_id] = place

    @precondition(lambda self: self.lost())
    @rule(which=places)
    def a_batch_comes_too_late(self, which: int) -> None:
        hand = one_of(self.lost(), which)
        with pytest.raises(LeaseLost):
            batch(self.db, hand.claim, hand.batches, until=Place(value="stale", id="stale"))

    @precondition(lambda self: self.holder)
    @rule(which=places, status=st.sampled_from(list(ENDS)))
    def a_run_ends(self, which: int, status: RunStatus) -> None:
        """It succeeds, fails, or is left half-way because its runner is stopped or a pause is wanted."""
        hand = one_of(self.held(), which)
        id, before = hand.claim.pipeline_id, self.stands[hand.claim.pipeline_id]
        if before not in IN_HANDS:
            with pytest.raises(LeaseLost):
                close(self.db, hand.claim, status, ENDS[status])
            return
        after = close(self.db, hand.claim, status, ENDS[status])
        is_paused = status is RunStatus.PAUSED and before is Status.PAUSE_REQUESTED
        assert after is (Status.PAUSED if is_paused else ENDS[status])
        del self.holder[id]
        if status is RunStatus.SUCCESS and hand.claim.pipeline.mode is Mode.FULL:
            self.places[id] = None

    @precondition(lambda self: self.lost())
    @rule(which=places, status=st.sampled_from(list(ENDS)))
    def a_run_ends_too_late(self, which: int, status: RunStatus) -> None:
        with pytest.raises(LeaseLost):
            close(self.db, one_of(self.lost(), which).claim, status, ENDS[status])

    @rule(who=places)
    def a_worker_dies(self, who: int) -> None:
        """Another process takes its place; the old one may still wake up and try to go on."""
        name = one_of(self.names, who)
        silence(self.db, name)
        self.names[self.names.index(name)] = self.started()

    @precondition(lambda self: self.holder)
    @rule(which=places)
    def the_worker_of_a_run_falls_silent(self, which: int) -> None:
        silence(self.db, one_of(self.held(), which).claim.worker_id)

    @rule(who=places)
    def a_worker_shows_life(self, who: int) -> None:
        with transaction(self.db), self.db.cursor() as cursor:
            assert beat(cursor, one_of(self.names, who))

    @rule()
    def a_runner_sweeps(self) -> None:
        in_hands = set(self.standing(*IN_HANDS))
        alive = {id for id in in_hands if self.is_alive(id)}
        recovered = swept(self.db)
        assert {one.pipeline_id for one in recovered} == in_hands - alive
        for one in recovered:
            is_given_up = one.recoveries > MAX_RECOVERIES
            expected = Status.FAILED if is_given_up else Status.RUN_REQUESTED
            is_to_pause = self.stands[one.pipeline_id] is Status.PAUSE_REQUESTED
            assert one.status is (Status.PAUSED if is_to_pause else expected)
        self.holder = {id: hand for id, hand in self.holder.items() if id in alive}
        assert ask(self.db, "select 1 from etl.etl_runs where status = 'RUNNING'") == [(1,)] * len(alive)

    @invariant()
    def statuses_are_as_they_are(self) -> None:
        """Looked at once a step: what the next step may do depends on them."""
        found = ask(self.db, "select id, status from etl.etl_pipelines")
        self.stands = {UUID(id): Status(status) for id, status in found}

    @invariant()
    def nobody_holds_what_another_holds(self) -> None:
        for hand in [*self.held(), *self.lost()]:
            with transaction(self.db), self.db.cursor() as cursor:
                try:
                    hold(cursor, hand.claim)
                except LeaseLost:
                    assert self.holder.get(hand.claim.pipeline_id) is not hand
                else:
                    assert self.holder.get(hand.claim.pipeline_id) is hand

    @invariant()
    def epochs_only_grow(self) -> None:
        for found, epoch in ask(self.db, "select pipeline_id, epoch from etl.etl_leases"):
            assert epoch >= self.epochs[UUID(found)]
            self.epochs[UUID(found)] = epoch

    @invariant()
    def a_run_is_open_where_a_pipeline_runs(self) -> None:
        statement = (
            "select pipeline.status, count(run.id) from etl.etl_pipelines as pipeline left join etl.etl_runs as run"
            " on run.pipeline_id = pipeline.id and run.status = 'RUNNING' group by pipeline.id"
        )
        for status, count in ask(self.db, statement):
            # Requests may come between the death of a runner and the claim or the sweep that closes its run.
            may_be_left = status in (Status.RUN_REQUESTED, Status.PAUSED)
            assert count == (status in IN_HANDS) or (may_be_left and count == 1)

    @invariant()
    def events_follow_the_table_of_moves(self) -> None:
        for id in self.ids:
            statement = "select from_status, to_status from etl.etl_events where pipeline_id = %s order by id"
            events = ask(self.db, statement, str(id))
            assert events[0] == (None, "IDLE")
            assert all(Status(to) in MOVES[Status(since)] for since, to in events[1:])
            assert all(before[1] == after[0] for before, after in pairwise(events))
            assert events[-1][1] == status_of(self.db, id)

    @invariant()
    def batches_are_counted_once(self) -> None:
        statement = (
            "select run.id, run.rows_read, coalesce(array_agg(seq order by seq) filter (where seq is not null), '{}')"
            " from etl.etl_runs as run left join etl.etl_batches on run_id = run.id group by run.id"
        )
        found = {UUID(run): (read, list(batches)) for run, read, batches in ask(self.db, statement)}
        done = {hand.claim.run_id: (2 * hand.batches, list(range(hand.batches))) for hand in self.hands}
        assert found == done

    @invariant()
    def the_checkpoint_is_the_last_committed_place(self) -> None:
        statement = "select pipeline_id, last_processed_value, last_processed_id from etl.etl_state"
        found = {UUID(id): Place(value=value, id=place) for id, value, place in ask(self.db, statement)}
        incremental = self.ids[1]
        place = self.places[incremental]
        assert found == ({incremental: place} if place else {})

    def teardown(self) -> None:
        """Nothing is stuck: once all runners are dead, another one brings every pipeline to its end."""
        for name in self.names:
            silence(self.db, name)
        self.statuses_are_as_they_are()
        self.a_runner_sweeps()
        for id in self.ids:
            request(self.db, id)
        last = self.started()
        while found := claim(self.db, last):
            close(self.db, found, RunStatus.SUCCESS, Status.IDLE)
        self.statuses_are_as_they_are()
        assert set(self.stands.values()) == {Status.IDLE}
        super().teardown()


def test_any_order_of_steps_keeps_the_promises(warehouse_url: str) -> None:
    with closing(connect(warehouse_url, application_name="wdh tests")) as warehouse:

        class Here(BatchStore):
            db = warehouse

        run_state_machine_as_test(Here, settings=SETTINGS)
