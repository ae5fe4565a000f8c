"""How far an incremental run may read: up to where nobody who is still writing can add rows any more."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from work_data_hub.errors import InvalidPipeline
from work_data_hub.io.batch_reader import FILE, READER_NAME, source_errors
from work_data_hub.io.postgres import Connection, Cursor, read_only
from work_data_hub.io.queries import query

# A transaction shows itself a moment after it took its time.
_SHOWN_SECONDS = 0.01
_NOTED_AFTER = timedelta(seconds=60)
_ROUNDED = re.compile(r"timestamp\((\d)\)")
# Transactions are compared by the distance between them, which has to stay below half of all their numbers.
_REACH = 2**31


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """Rows whose key is below `at` are all there. `notes` say what holds later ones back for long, and the like."""

    at: datetime
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """A transaction that may still add rows, since when; one that was prepared is without a `pid`."""

    pid: int | None
    user: str
    name: str
    began: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """Every transaction before number `oldest` is over; a snapshot sees none that is `following` or later."""

    oldest: int
    following: int

    def is_out_of_reach(self, place: int) -> bool:
        """Whether rows since that number cannot be told from older ones: too far back, or not of this server."""
        return place > self.following or self.following - place > _REACH


def safe_watermark(connection: Connection, *, key_type: str, prepared_seconds: Decimal) -> Watermark:
    """The watermark for a key stamped with `now()`; to be asked for before the snapshot is taken that it is for.

    It is the beginning of the oldest transaction still open in this database, else the time now. Of a prepared
    transaction only its end is known: it is taken to have begun `prepared_seconds` before. Keys of whole
    milliseconds or seconds are waited for as long as rounding may have moved them. Raises InvalidPipeline
    where it cannot be seen what others do.
    """
    unit = _unit(key_type)
    with source_errors(), read_only(connection), connection.cursor() as cursor:
        _rest(cursor, 1.5 * unit.total_seconds())
        cursor.execute(query(FILE, "clock"))
        now, is_off_utc = _one(cursor)
        _rest(cursor, _SHOWN_SECONDS)
        facts = {"reader": READER_NAME, "prepared_seconds": prepared_seconds}
        cursor.execute(query(FILE, "open_transactions"), facts)
        others = cursor.fetchall()
    if any(is_hidden for *_, is_hidden in others):
        raise InvalidPipeline(
            "strategy safe waits for open transactions, and those of others cannot be seen here",
            field="strategy",
            hint="`wdh db roles` lets the owner of etl.open_transactions see them; or choose strategy overlap",
        )
    begun = [OpenTransaction(*other) for *other, _ in others if other[-1] is not None]
    notes = (_zone_note(key_type),) if is_off_utc and not key_type.endswith("with time zone") else ()
    return watermark_of(begun, now=now, unit=unit, notes=notes)


def watermark_of(
    begun: Sequence[OpenTransaction], *, now: datetime, unit: timedelta = timedelta(), notes: tuple[str, ...] = ()
) -> Watermark:
    """The watermark while these transactions are open; keys may be less than their true time by up to `unit`.

    One that has been open for more than a minute is added to the notes.
    """
    oldest = min(begun, key=lambda one: one.began, default=None)
    if oldest is None or oldest.began >= now:
        return Watermark(at=now - unit, notes=notes)
    lag = now - oldest.began
    return Watermark(at=oldest.began - unit, notes=(*notes, _lag_note(oldest, lag)) if lag > _NOTED_AFTER else notes)


def transaction_horizon(cursor: Cursor) -> Horizon:
    """The horizon of the snapshot that the caller's transaction reads in."""
    cursor.execute(query(FILE, "horizon"))
    oldest, following = _one(cursor)
    return Horizon(oldest=oldest, following=following)


def _unit(key_type: str) -> timedelta:
    """What a key is rounded to where that is coarser than the clock; dates are cut, never rounded up."""
    match = _ROUNDED.match(key_type)
    digits = int(match[1]) if match else 6
    return timedelta(microseconds=10 ** (6 - digits)) if digits < 6 else timedelta()


def _rest(cursor: Cursor, seconds: float) -> None:
    if seconds:
        cursor.execute(query(FILE, "rest"), {"seconds": seconds})


def _one(cursor: Cursor) -> tuple[Any, ...]:
    row = cursor.fetchone()
    assert row is not None
    return row


def _lag_note(oldest: OpenTransaction, lag: timedelta) -> str:
    if oldest.pid is None:
        who = f"prepared transaction {oldest.name!r}"
    else:
        who = f"process {oldest.pid} ({oldest.user}, {oldest.name or 'unnamed'})"
    return f"rows of the last {lag.total_seconds():.0f} s are left for later: {who} holds a transaction open"


def _zone_note(key_type: str) -> str:
    return f"the key is a {key_type}: it is taken to be written in the time zone of the database, which is not UTC"
