"""Rows as the CSV that COPY takes, and as the payload of a dead letter: values exact, null and empty text apart."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any
from uuid import UUID

from work_data_hub.domain.batch.run import Column, Page
from work_data_hub.io.batch_poison import Poison

OF_THE_TARGET = ""
"""As a column's type: the type that the target has for it."""
_FIELD = re.compile(r'(?:"((?:[^"\\]+|""|\\.)*)"|([^,]*)),', re.DOTALL)
_UNTRANSLATABLE = "22021"
_WRONG_TYPE = "42804"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLines:
    """Rows that the reader gave as the texts of PostgreSQL records; no value is looked at on the way."""

    columns: tuple[Column, ...]
    records: Sequence[str]
    whole: bytes | None = None

    def __len__(self) -> int:
        return len(self.records)

    def csv(self, first: int, end: int) -> bytes:
        """The rows from `first` to before `end`, one a line; `whole` is all of them, where it was made before."""
        if self.whole is not None and end - first == len(self.records):
            return self.whole
        return _utf8(_csv_text(self.records[first:end]))

    def payload(self, row: int) -> dict[str, Any]:
        """What a dead letter keeps of the row: its values as PostgreSQL writes them."""
        values = record_values(self.records[row])
        return {column.name: value for column, value in zip(self.columns, values, strict=False)}

    def texts(self, name: str) -> list[str | None]:
        """One column as text, a value a row."""
        place = [column.name for column in self.columns].index(name)
        return [record_values(record)[place] for record in self.records]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueLines:
    """Rows of Python values, as a transform leaves them; only the columns named here are written."""

    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Any]]
    required: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def csv(self, first: int, end: int) -> bytes:
        """The rows from `first` to before `end`, one a line; raises Poison for one that cannot be written as text."""
        return _utf8("".join([self._line(row) for row in self.rows[first:end]]))

    def payload(self, row: int) -> dict[str, Any]:
        """What a dead letter keeps of the row: numbers and truths as they are, all else as text."""
        return {str(name): _payload_value(value) for name, value in self.rows[row].items()}

    def texts(self, name: str) -> list[str | None]:
        """One column as text, a value a row; None also where there is no text for it."""
        return [_payload_text(row.get(name)) for row in self.rows]

    def _line(self, row: Mapping[str, Any]) -> str:
        if missing := [name for name in self.required if name not in row]:
            raise Poison(f"the row has no {', '.join(missing)}", sqlstate=_WRONG_TYPE)
        return ",".join([_quoted(row.get(column.name)) for column in self.columns]) + "\n"


def lines_of(page: Page, *, columns: tuple[str, ...], required: tuple[str, ...]) -> RecordLines | ValueLines:
    """The page's rows, ready for COPY; of Python values the `required` columns and those that any row has."""
    if page.records is not None:
        return RecordLines(columns=page.columns, records=page.records, whole=page.csv)
    rows = page.rows or ()
    present = set().union(*rows)
    return ValueLines(
        columns=tuple(Column(name=name, type=OF_THE_TARGET) for name in columns if name in present or name in required),
        rows=rows,
        required=required,
    )


def prepared(page: Page) -> Page:
    """The page with all that writing it needs and that takes no connection."""
    csv = None
    # A record that cannot be sent is found when it is written.
    with suppress(Poison):
        csv = None if page.records is None else _utf8(_csv_text(page.records))
    return replace(page, csv=csv, content_hash=content_hash(replace(page, csv=csv)))


def content_hash(page: Page) -> str | None:
    """Tells two pages apart, so that a batch that was done again can be compared with the first try."""
    if page.content_hash is not None or (page.records is None and page.rows is None):
        return page.content_hash
    content = page.csv
    if content is None:
        text = "\n".join(map(repr, page.rows or ())) if page.records is None else _csv_text(page.records)
        content = text.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def record_values(record: str) -> tuple[str | None, ...]:
    """The columns of a PostgreSQL record's text; null is None, empty text is ''."""
    return tuple(_field(match) for match in _FIELD.finditer(record[1:-1] + ","))


def _field(match: re.Match[str]) -> str | None:
    quoted: str | None = match[1]
    if quoted is None:
        return str(match[2]) or None
    return quoted.replace('""', '"').replace("\\\\", "\\")


@singledispatch
def text_of(value: object) -> str:
    """The value as PostgreSQL reads it back exactly; raises Poison for types that it has no text for."""
    raise Poison(f"a value of type {type(value).__name__} cannot be written", sqlstate=_WRONG_TYPE)


@text_of.register
def _(value: str) -> str:
    return value


@text_of.register(int)
@text_of.register(Decimal)
@text_of.register(UUID)
def _(value: int | Decimal | UUID) -> str:
    return str(value)


@text_of.register
def _(value: bool) -> str:
    return "true" if value else "false"


@text_of.register
def _(value: float) -> str:
    # A subclass may write itself in another way.
    return float.__repr__(value)


@text_of.register(datetime)
@text_of.register(date)
@text_of.register(time)
def _(value: datetime | date | time) -> str:
    return value.isoformat()


@text_of.register
def _(value: timedelta) -> str:
    return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"


@text_of.register(bytes)
@text_of.register(bytearray)
@text_of.register(memoryview)
def _(value: bytes | bytearray | memoryview) -> str:
    return "\\x" + bytes(value).hex()


def _quoted(value: object) -> str:
    return "" if value is None else '"' + text_of(value).replace('"', '""') + '"'


def _csv_text(records: Sequence[str]) -> str:
    # A record is CSV but for its brackets and its doubled backslashes.
    text = "\n".join([record[1:-1] for record in records])
    return text.replace("\\\\", "\\") + "\n"


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Poison(f"a text cannot be encoded: {error.reason}", sqlstate=_UNTRANSLATABLE) from error


def _payload_value(value: object) -> object:
    return value if value is None or isinstance(value, bool | int) else _payload_text(value) or ""


def _payload_text(value: object) -> str | None:
    if value is None:
        return None
    try:
        text = text_of(value)
    except Poison:
        text = str(value)
    # Neither can stand in a text of PostgreSQL.
    return text.replace("\x00", "\ufffd").encode(errors="replace").decode()
