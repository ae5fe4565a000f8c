"""Keys of a page's rows as the target writes them, so that a key is told again however a query writes it."""

from collections.abc import Sequence

import psycopg2
from psycopg2 import sql

from work_data_hub.domain.batch.failures import Failure, failure_of
from work_data_hub.domain.batch.run import Column, Counts, Page
from work_data_hub.domain.batch.targets import IndexTarget, TableTarget
from work_data_hub.io.batch_poison import Halving, Poison
from work_data_hub.io.batch_stage import StageColumn, stage_for
from work_data_hub.io.batch_text import OF_THE_TARGET, lines_of
from work_data_hub.io.postgres import Cursor, driver_message

_FORMS = sql.SQL("select given.key, given.key::{own}::{wanted}::text from unnest(%(keys)s::text[]) as given (key)")


def key_texts(page: Page, *, target: TableTarget | IndexTarget) -> list[str | None]:
    """The key of each row as the query writes it; None where a row has none."""
    return lines_of(page, columns=(target.key,), required=(target.key,)).texts(target.key)


def target_forms(cursor: Cursor, page: Page, texts: Sequence[str], *, target: TableTarget) -> dict[str, str]:
    """Each of these key texts of the page with the form that the table gives it; those it could not hold are left out.

    Part of the caller's transaction, which is as good as before afterwards.
    """
    own = next((column.type for column in page.columns if column.name == target.key), OF_THE_TARGET)
    given = Column(name=target.key, type=own if page.records is not None else OF_THE_TARGET)
    forms = _Forms(cursor, stage_for(cursor, [given], target=target).columns[0])
    Halving(forms.look).write(tuple(dict.fromkeys(texts)))
    return forms.found


class _Forms:
    """Keys and their forms, as far as they were found."""

    def __init__(self, cursor: Cursor, key: StageColumn) -> None:
        self._cursor = cursor
        self._question = _FORMS.format(own=sql.SQL(key.type), wanted=sql.SQL(key.target_type or "text"))
        self.found: dict[str, str] = {}

    def look(self, keys: Sequence[str]) -> Counts:
        """Find the forms of these; raises Poison, none found, where one is no key of the target."""
        self._cursor.execute("savepoint wdh_keys")
        try:
            self._cursor.execute(self._question, {"keys": list(keys)})
        except psycopg2.Error as error:
            if failure_of(error.pgcode, is_target=True) is not Failure.ROW:
                raise
            self._cursor.execute("rollback to savepoint wdh_keys; release savepoint wdh_keys")
            raise Poison(driver_message(error), sqlstate=error.pgcode) from error
        self.found.update(self._cursor.fetchall())
        self._cursor.execute("release savepoint wdh_keys")
        return Counts()
