"""Answers of a cluster are counted and compared before one of them is used."""

import socket
from pathlib import Path

import dask
import pytest
from tests.cluster_work import doubled, refuse_two_and_four

from work_data_hub.domain.source import SheetChoice
from work_data_hub.errors import ClusterError, UnreadableWorkbook
from work_data_hub.io.dask_cluster import Answer, answer, open_cluster, results
from work_data_hub.io.readers import Asked, SheetPiece, read_same_piece
from work_data_hub.io.source_files import FoundFile

pytestmark = pytest.mark.unit

CLIENT = {"distributed.comm.tls.client.cert": "/nowhere", "distributed.comm.tls.client.key": "/nowhere"}
KEYS = ["run:1", "run:2", "run:3"]


def answers() -> dict[str, Answer[int]]:
    return {key: answer(number, doubled, number) for number, key in enumerate(KEYS)}


def test_answers_come_in_the_order_of_the_pieces() -> None:
    given = dict(reversed(answers().items()))

    assert list(results(given, keys=KEYS)) == [0, 2, 4]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"run:2": None}, "no answer for run:2"),
        ({"run:9": answer(9, doubled, 9)}, "an answer for run:9, which was not asked for"),
        ({"run:1": answer(2, doubled, 2)}, "the answer for run:1 is that for piece 2"),
        ({"run:3": Answer(number=2, code="0.0.0", found=(4,))}, "the answer for run:3 is of code 0.0.0"),
        ({"run:1": None, "run:2": None}, "no answer for run:1; and 1 more"),
    ],
)
def test_wrong_answers_are_refused_before_the_first_is_used(
    changed: dict[str, Answer[int] | None], complaint: str
) -> None:
    given = {key: one for key, one in (answers() | changed).items() if one is not None}

    with pytest.raises(ClusterError, match=complaint):
        results(given, keys=KEYS)


def test_an_error_is_raised_in_its_place() -> None:
    given = {key: answer(number, refuse_two_and_four, number + 3) for number, key in enumerate(KEYS)}

    found = results(given, keys=KEYS)

    assert next(found) == 3
    with pytest.raises(UnreadableWorkbook):
        next(found)


@pytest.mark.parametrize(
    ("address", "settings", "complaint"),
    [
        ("tls://127.0.0.1:1", {}, "needs certificates, and dask is given none"),
        ("tcp://127.0.0.1:1", {"distributed.comm.require-encryption": True}, "set to require encryption"),
        ("tls://127.0.0.1:1", {"distributed.comm.tls.ca-file": "/nowhere", **CLIENT}, "cannot be read: No such file"),
    ],
)
def test_encryption_that_does_not_go_with_the_address_is_told_of(
    address: str, settings: dict[str, object], complaint: str
) -> None:
    with dask.config.set(settings), pytest.raises(ClusterError, match=complaint):
        open_cluster(address, run_id="r", block_rows=10, wait_seconds=0.5)


def test_a_scheduler_that_takes_the_connection_and_says_nothing_is_told_of() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"the scheduler at {address} does not answer") as caught:
            open_cluster(address, run_id="r", block_rows=10, wait_seconds=0.5)

    assert "unset WDH_DASK_SCHEDULER" in str(caught.value.hint)


def test_a_worker_that_sees_another_file_refuses_it(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"other")
    piece = SheetPiece(
        file=FoundFile(path=path, label="a.xlsx", version="V1"),
        sha256="0" * 64,
        sheet=SheetChoice(names=("S",)),
        asked=Asked(headings={}, required=(), numbers=frozenset(), max_gap_rows=10),
    )

    with pytest.raises(UnreadableWorkbook, match="another file"):
        read_same_piece(piece)
