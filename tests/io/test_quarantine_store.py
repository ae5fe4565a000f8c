"""Rejected rows and corrections in the warehouse, written with a load."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
import psycopg2
import pytest

from work_data_hub.domain.corrections import Corrections, corrections
from work_data_hub.domain.returned import QuarantineRecord
from work_data_hub.io.postgres import Connection
from work_data_hub.io.quarantine_store import record_quarantine, sent_back, standing_rejects

pytestmark = pytest.mark.integration

OCTOBER = date(2024, 10, 1)


def given(
    cells: Sequence[tuple[int, str, str | None]] = (), waived: Sequence[int] = (), found: str = "before"
) -> Corrections:
    return corrections(
        cells=pd.DataFrame(
            [("aa", "s", row, column, value, found) for row, column, value in cells],
            columns=["file_sha256", "sheet", "row", "column", "value", "found"],
        ),
        waived=pd.DataFrame(
            [("aa", "s", row, "why") for row in waived], columns=["file_sha256", "sheet", "row", "reason"]
        ),
    )


def record(
    warehouse: Connection,
    load_id: int,
    rows: dict[int, str],
    sent: Corrections | None = None,
    *,
    status: str = "loaded",
) -> None:
    """One load of October with these rejected rows, each with its status."""
    frame = pd.DataFrame(
        [
            ("aa", "f.xlsx", "s", row, '[{"column": "月度", "cell": "A2", "value": "x\\"", "rule": "WDH-V101"}]', word)
            for row, word in rows.items()
        ],
        columns=["file_sha256", "file", "sheet", "row_number", "cells", "status"],
    )
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into ledger.loads (load_id, run_id, domain, period, status, started_at, actor, files)"
            " overriding system value values (%s, 'r', 'd', %s, %s, now(), 'me', '[{\"sha256\": \"aa\"}]')",
            (load_id, OCTOBER, status),
        )
        record_quarantine(
            cursor,
            load_id,
            QuarantineRecord(
                domain="d", period=OCTOBER, actor="me", hashes=("aa",), rows=frame, sent_back=sent or corrections()
            ),
        )
    warehouse.commit()


def known(warehouse: Connection) -> Corrections:
    return sent_back(warehouse, domain="d", hashes=["aa", "bb"])[0]


def rows_of(warehouse: Connection) -> list[tuple[int, int, str, int | None]]:
    with warehouse.cursor() as cursor:
        cursor.execute(
            "select load_id, row_number, status, settled_by_load from ledger.rejected_rows order by load_id, row_number"
        )
        return [(row[0], row[1], row[2], row[3]) for row in cursor.fetchall()]


def test_what_was_sent_back_is_found_by_file_and_domain(warehouse: Connection) -> None:
    sent = given([(2, "供款", "1"), (3, "月度", None)], waived=[4])
    record(warehouse, 1, {}, sent)

    assert known(warehouse).digest == sent.digest
    assert sent_back(warehouse, domain="other", hashes=["aa"])[0].is_empty
    assert sent_back(warehouse, domain="d", hashes=["bb"])[0].is_empty


def test_the_later_value_stands_and_what_was_found_first_stays(warehouse: Connection) -> None:
    record(warehouse, 1, {}, given([(2, "供款", "1")], found="first"))
    record(warehouse, 2, {}, given([(2, "供款", "2")], found="1"))

    assert known(warehouse).cells[["value", "found"]].values.tolist() == [["2", "first"]]


def test_a_row_corrected_later_is_no_longer_given_up(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "waived", 3: "waived"}, given(waived=[2, 3]))
    record(warehouse, 2, {3: "waived"}, given([(2, "供款", "1")]))

    assert known(warehouse).waived["row"].tolist() == [3]
    assert rows_of(warehouse) == [(1, 2, "fixed", 2), (1, 3, "waived", None), (2, 3, "waived", None)]


def test_a_load_settles_the_rows_that_earlier_ones_left_open(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "open", 3: "open", 4: "open"})
    record(warehouse, 2, {3: "open", 4: "waived"}, given([(2, "供款", "1")], waived=[4]))
    record(warehouse, 3, {4: "waived"})

    assert rows_of(warehouse) == [
        (1, 2, "fixed", 2),
        (1, 3, "fixed", 3),
        (1, 4, "waived", 2),
        (2, 3, "fixed", 3),
        (2, 4, "waived", None),
        (3, 4, "waived", None),
    ]


def test_a_fixed_row_stays_fixed_when_it_is_rejected_again(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "open"})
    record(warehouse, 2, {})
    record(warehouse, 3, {2: "open"})

    assert rows_of(warehouse) == [(1, 2, "fixed", 2), (3, 2, "open", None)]


def test_rows_left_open_are_known_by_their_load(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "open", 3: "waived"})

    assert sent_back(warehouse, domain="d", hashes=["aa"], repeats=1)[1].values.tolist() == [["aa", "s", 2]]
    assert sent_back(warehouse, domain="d", hashes=["aa"])[1].empty


def test_standing_loads_give_the_newest_word_on_each_row_once(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "open", 3: "open"})
    record(warehouse, 2, {3: "open"})
    record(warehouse, 3, {5: "open"}, status="appended")

    found = [(row.load_id, row.row_number, row.status) for row in standing_rejects(warehouse, domain=None, period=None)]

    assert found == [(3, 2, "fixed"), (3, 3, "fixed"), (3, 5, "open")]
    assert standing_rejects(warehouse, domain="d", period=date(2024, 11, 1)) == []
    assert standing_rejects(warehouse, domain="d", period=OCTOBER)[0].cells[0]["value"] == 'x"'


def test_a_row_is_kept_once_a_load(warehouse: Connection) -> None:
    record(warehouse, 1, {2: "open"})

    with warehouse.cursor() as cursor, pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute(
            "insert into ledger.rejected_rows (load_id, domain, period, file_sha256, file, sheet, row_number, status)"
            " select load_id, domain, period, file_sha256, file, sheet, row_number, status from ledger.rejected_rows"
        )
    warehouse.rollback()
