"""The statements that a source is read with: which rows, in which order, and from where on."""

import re
from dataclasses import dataclass
from decimal import Decimal

from psycopg2 import sql

from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.run import Cursor
from work_data_hub.io.batch_reader import wrapped
from work_data_hub.io.batch_watermark import Horizon, Watermark

_RECORD, _VALUES = sql.SQL("(source.*)::text"), sql.SQL("source.*")
_ZONED = re.compile(r"timestamp(\(\d\))? with time zone")
_MOMENT = re.compile(r"(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?( BC)?")
# Numbers of 32 bits, as tuples carry them, become those of 64 bits; the first three belong to no transaction.
_WHOLE_NUMBER = (
    "case when {key}::text::bigint < 3 then 0 else {following} - (({following} - {key}::text::bigint) & 4294967295) end"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One walk over rows of the source. Behind its values a row has `marks` more: key text, id text, seen before."""

    statement: sql.Composable
    marks: int = 0
    is_keyless: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What rows are ordered by: the key, if there is one, and the id; and the types their texts are read back as."""

    id: sql.Composable
    id_type: str
    key: sql.Composable | None = None
    key_type: str = ""

    @property
    def columns(self) -> tuple[sql.Composable, ...]:
        """The key and the id, as far as there are."""
        return (self.id,) if self.key is None else (self.key, self.id)

    def texts(self) -> tuple[sql.Composable, ...]:
        """Key and id as texts that keep all they hold; moments with a zone in UTC."""
        if self.key is None:
            return sql.SQL("null::text"), _text(self.id)
        zoned = sql.SQL("({} at time zone 'UTC')").format(self.key)
        return _text(zoned if _ZONED.fullmatch(self.key_type) else self.key), _text(self.id)

    def place(self, key: str | None, id_: str) -> Cursor:
        """The place of a row with these texts; a moment is written as ISO 8601 has it, with microseconds."""
        found = _MOMENT.fullmatch(key or "") if self.key_type.startswith("timestamp") else None
        if found is None:
            return Cursor(value=key, id=id_)
        day, time, fraction, era = found.groups(default="")
        zone = "+00:00" if _ZONED.fullmatch(self.key_type) else ""
        return Cursor(value="".join((day, "T", time, ".", fraction.ljust(6, "0"), zone, era)), id=id_)

    def behind(self, place: Cursor) -> sql.Composable:
        """The condition of rows behind the place; without an id, rows at its key are behind it too."""
        if self.key is None:
            return _compared(self.id, ">", self._id_of(place))
        if place.id is None:
            return _compared(self.key, ">=", self._key_of(place))
        return _compared(_pair(self.key, self.id), ">", _pair(self._key_of(place), self._id_of(place)))

    def since(self, place: Cursor, *, seconds: Decimal) -> sql.Composable:
        """The condition of rows behind the place, or before it by no more than some seconds."""
        interval = sql.SQL("{} - make_interval(secs => {})").format(self._key_of(place), sql.Literal(seconds))
        return _compared(self.columns[0], ">=", interval)

    def _key_of(self, place: Cursor) -> sql.Composable:
        return typed(place.value, self.key_type)

    def _id_of(self, place: Cursor) -> sql.Composable:
        return typed(place.id, self.id_type)


def typed(text: str | None, type_: str) -> sql.Composable:
    """A value of a type that the server named, written as a text."""
    return sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(type_))


def column(name: str) -> sql.Composed:
    """A column of the query's rows."""
    return sql.SQL("source.{}").format(sql.Identifier(name))


def transaction_number(key: sql.Composable, horizon: Horizon) -> sql.Composable:
    """A row's transaction as a number that only grows, of a column that holds the row's xmin."""
    return sql.SQL(_WHOLE_NUMBER).format(key=key, following=sql.Literal(horizon.following))


def below_watermark(order: Order, watermark: Watermark) -> sql.Composable:
    """The condition of rows that no open transaction can come before."""
    moment = sql.SQL("{}::timestamptz::{}").format(sql.Literal(watermark.at), sql.SQL(order.key_type))
    return _compared(order.columns[0], "<", moment)


def below_horizon(order: Order, horizon: Horizon) -> sql.Composable:
    """The condition of rows whose transactions all are over."""
    return _compared(order.columns[0], "<", sql.Literal(horizon.oldest))


def unordered_scan(pipeline: Pipeline, *, as_records: bool) -> Scan:
    """All rows, in the order in which the query gives them."""
    return Scan(statement=wrapped(pipeline.reader_query, _RECORD if as_records else _VALUES))


def ordered_scan(
    pipeline: Pipeline,
    order: Order,
    *,
    where: tuple[sql.Composable, ...],
    seen_to: Cursor | None = None,
    as_records: bool,
) -> Scan:
    """The rows for which all of `where` holds, in order; with `seen_to` each says whether it lies at or before that."""
    marks: list[sql.Composable] = [*order.texts()]
    if seen_to is not None:
        marks.append(sql.SQL("not {}").format(order.behind(seen_to)))
    values = sql.SQL(", ").join([_RECORD if as_records else _VALUES, *marks])
    parts: list[sql.Composable] = [wrapped(pipeline.reader_query, values)]
    if where:
        parts += [sql.SQL("where"), sql.SQL(" and ").join(where)]
    parts += [sql.SQL("order by"), sql.SQL(", ").join(order.columns)]
    return Scan(statement=sql.SQL(" ").join(parts), marks=len(marks))


def keyless_scan(pipeline: Pipeline, order: Order, *, key: sql.Composable, as_records: bool) -> Scan:
    """The rows without a key, by their id."""
    rows = wrapped(pipeline.reader_query, _RECORD if as_records else _VALUES)
    statement = sql.SQL("{} where {} is null order by {}").format(rows, key, order.id)
    return Scan(statement=statement, is_keyless=True)


def keyless_count(pipeline: Pipeline, *, key: sql.Composable) -> sql.Composable:
    """The statement that counts the rows without a key."""
    return sql.SQL("{} where {} is null").format(wrapped(pipeline.reader_query, sql.SQL("count(*)")), key)


def _pair(first: sql.Composable, second: sql.Composable) -> sql.Composable:
    return sql.SQL("({}, {})").format(first, second)


def _compared(left: sql.Composable, operator: str, right: sql.Composable) -> sql.Composable:
    return sql.SQL("({} {} {})").format(left, sql.SQL(operator), right)


def _text(value: sql.Composable) -> sql.Composable:
    return sql.SQL("{}::text").format(value)
