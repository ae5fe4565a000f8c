"""The side of a run that needs the warehouse: a plan's looks, and an executed load's hold on it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pandas as pd
import psycopg2

from work_data_hub.domain.corrections import Corrections
from work_data_hub.domain.identity.knowledge import Knowledge
from work_data_hub.domain.identity.record import IdentityRecord
from work_data_hub.domain.loads import LastLoad, LedgerEntry, LoadEffects
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadPlan
from work_data_hub.domain.reference_rules import Reference
from work_data_hub.domain.returned import QuarantineRecord
from work_data_hub.errors import WorkDataHubError
from work_data_hub.io.identity_index import look_up
from work_data_hub.io.identity_record import write_identity
from work_data_hub.io.ledger import (
    begin_execution,
    finish_execution,
    next_load_id,
    record_load,
    record_quality,
    standing_loads,
)
from work_data_hub.io.locks import take_load_lock
from work_data_hub.io.month_load import count_effects, publish
from work_data_hub.io.open_plans import open_plans
from work_data_hub.io.postgres import Cursor, connect, read_only, warehouse_errors
from work_data_hub.io.quarantine_store import record_quarantine, sent_back
from work_data_hub.io.reference_keys import check_keys
from work_data_hub.io.schema_head import require_head
from work_data_hub.log import get_logger, redact_text
from work_data_hub.orchestration.load_checks import figures, month_review, verified
from work_data_hub.orchestration.requests import FileRequest, Workplace

log = get_logger(__name__)


def peek_loads(url: str, *, domain: str, period: Period) -> tuple[LastLoad, ...]:
    """The loads that a month consists of, for a plan, newest first; raises SchemaDrift at the wrong head."""
    with warehouse_errors(), closing(connect(url, application_name=f"wdh plan {domain}")) as connection:
        require_head(connection)
        return standing_loads(connection, domain=domain, period=period.first_day)


def peek_effects(url: str, plan: LoadPlan) -> LoadEffects:
    """What the load would do, counted by a server that is told to write nothing."""
    with warehouse_errors(), closing(connect(url, application_name=f"wdh plan {plan.domain.name}")) as connection:
        require_head(connection)
        connection.commit()
        effects = count_effects(connection, plan)
        with read_only(connection), connection.cursor() as cursor:
            return replace(effects, review=month_review(cursor, plan))


def peek_sent_back(
    url: str, *, domain: str, hashes: list[str], repeats: int | None
) -> tuple[Corrections, pd.DataFrame]:
    """What was sent back of these files, and the rows that the load `repeats` left open, for a plan."""
    with warehouse_errors(), closing(connect(url, application_name=f"wdh plan {domain}")) as connection:
        require_head(connection)
        return sent_back(connection, domain=domain, hashes=hashes, repeats=repeats)


def peek_knowledge(url: str, keys: pd.DataFrame, *, searched_days: int) -> Knowledge:
    """What the warehouse knows about the keys (kind, key) of companies, for a plan and for a load."""
    with warehouse_errors(), closing(connect(url, application_name="wdh identity")) as connection:
        require_head(connection)
        return look_up(connection, keys, searched_days=searched_days)


def check_references(url: str, rules: Sequence[Reference]) -> None:
    """Raise ConfigError where a reference rule does not fit the schema; at the wrong head, SchemaDrift."""
    with warehouse_errors(), closing(connect(url, application_name="wdh reference rules")) as connection:
        require_head(connection)
        check_keys(connection, rules)


def peek_open_plans(url: str) -> pd.DataFrame | None:
    """The contracts that are open now; None where no contract table exists."""
    with warehouse_errors(), closing(connect(url, application_name="wdh open plans")) as connection:
        return open_plans(connection)


class LoadSession:
    """Opened when an executed run begins, closed when it ends; the server frees the lock with the connection."""

    def __init__(self, request: FileRequest, place: Workplace, *, period: Period, input_file: str) -> None:
        self.execution_id: UUID = uuid4()
        self._domain, self._period, self._place = request.domain, period, place
        self._committed = False
        name = f"wdh etl {request.domain} {period.yyyymm} {str(self.execution_id)[:8]}"
        self._connection = connect(_required(place.database_url), application_name=name)
        log.info("database.connection.acquired", execution_id=str(self.execution_id))
        try:
            self._begin(request, input_file)
        except BaseException:
            self._connection.close()
            raise

    def _begin(self, request: FileRequest, input_file: str) -> None:
        with warehouse_errors():
            require_head(self._connection)
            self._connection.commit()
            take_load_lock(
                self._connection,
                domain=request.domain,
                period=self._period.yyyymm,
                wait_seconds=request.lock_wait_seconds,
            )
            self._place.faults.reach("after_lock")
            with self._connection.cursor() as cursor:
                begin_execution(cursor, self.execution_id, pipeline_name=request.domain, input_file=input_file)
            self._connection.commit()
            self._place.faults.reach("after_running")

    def loads(self) -> tuple[LastLoad, ...]:
        """The loads that this domain's month consists of, newest first."""
        with warehouse_errors():
            found = standing_loads(self._connection, domain=self._domain, period=self._period.first_day)
            self._connection.commit()
        return found

    def sent_back(self, hashes: list[str], *, repeats: int | None) -> tuple[Corrections, pd.DataFrame]:
        """What was sent back of these files, and the rows that the load `repeats` left open."""
        with warehouse_errors():
            found = sent_back(self._connection, domain=self._domain, hashes=hashes, repeats=repeats)
            self._connection.commit()
        return found

    def load(
        self,
        plan: LoadPlan,
        entry: LedgerEntry,
        *,
        metrics: Mapping[str, float],
        quarantine: QuarantineRecord,
        identity: IdentityRecord | None,
    ) -> tuple[int, LoadEffects]:
        """Facts, references, ledger, identity, metrics and the execution's success in one transaction.

        Returns the load's id and what it did.
        """
        table = {"schema": plan.domain.schema_and_table[0], "table": plan.domain.schema_and_table[1]}
        log.info("database.load.started", rows=len(plan.gold), **table)
        with self._transaction() as cursor:
            load_id = next_load_id(cursor)
            effects = publish(cursor, plan, load_id=load_id, faults=self._place.faults)
            effects = verified(cursor, plan, effects, load_id=load_id)
            self._place.faults.reach("before_ledger")
            record_load(cursor, load_id, entry, effects.facts)
            record_quarantine(cursor, load_id, quarantine)
            if identity is not None:
                now = self._place.now()
                told = write_identity(cursor, identity, table=plan.domain.table, load_id=load_id, now=now)
                effects = replace(effects, identity=told)
            record_quality(cursor, self.execution_id, domain=entry.domain, metrics={**metrics, **figures(effects)})
            loaded = effects.held.of_load if effects.held else 0
            rows = (entry.rows_read, loaded, entry.rows_rejected)
            finish_execution(cursor, self.execution_id, rows=rows)
        log.info("database.load.completed", load_id=load_id, rows=loaded, **table)
        return load_id, effects

    def unchanged(self, last: LastLoad) -> None:
        """Record the success of a run that had nothing to load."""
        with self._transaction() as cursor:
            finish_execution(cursor, self.execution_id, rows=(last.rows_read, 0, last.rows_rejected))

    @contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        """The load's one transaction: committed when the block ends well, else rolled back whole."""
        with warehouse_errors():
            try:
                with self._connection.cursor() as cursor:
                    yield cursor
                self._place.faults.reach("before_commit")
                self._connection.commit()
                self._committed = True
            except BaseException:
                if not self._connection.closed:
                    self._connection.rollback()
                raise
        self._place.faults.reach("after_commit")

    def failed(self, error: BaseException, *, rows: tuple[int, int, int]) -> None:
        """Record the failure; a database that is gone keeps the record `running` until the next run closes it."""
        if self._committed:
            return
        text = redact_text(str(error)) if isinstance(error, WorkDataHubError) else type(error).__name__
        log.info("database.load.failed", execution_id=str(self.execution_id), error_type=type(error).__name__)
        try:
            self._connection.rollback()
            with self._connection.cursor() as cursor:
                finish_execution(cursor, self.execution_id, rows=rows, error=text)
            self._connection.commit()
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            return

    def close(self) -> None:
        """Give the lock and the connection back."""
        self._connection.close()


def _required(url: str | None) -> str:
    if url is None:
        raise WorkDataHubError("an executed run needs a database", hint="set DATABASE_URL, or run wdh db start")
    return url
