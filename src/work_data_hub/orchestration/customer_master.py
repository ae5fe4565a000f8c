"""The customer master brought up to date by itself, after loads that change nothing but it."""

from contextlib import closing
from uuid import uuid4

from work_data_hub.domain.customers.report import CustomerReport, settled_status
from work_data_hub.domain.period import Period
from work_data_hub.errors import UsageError
from work_data_hub.io.contract_store import lock_contracts
from work_data_hub.io.customer_master import refresh_master
from work_data_hub.io.ledger import finish_execution
from work_data_hub.io.postgres import connect, transaction, warehouse_errors
from work_data_hub.orchestration.recorded_runs import recorded
from work_data_hub.orchestration.requests import Workplace

MASTER = "customer-mdm master"


def update_master(period: Period, place: Workplace, *, lock_wait_seconds: float = 600) -> CustomerReport:
    """Recompute what the master says of customers, and remove those that no facts know any more.

    `period` is the month of the load that asks for it. Raises UsageError without a database, and LoadLocked.
    """
    if place.database_url is None:
        raise UsageError("there is no database to look at", hint="set DATABASE_URL, or run wdh db start")
    execution_id = uuid4()
    name = f"wdh {MASTER} {str(execution_id)[:8]}"
    with warehouse_errors(), closing(connect(place.database_url, application_name=name)) as connection:
        running = recorded(connection, execution_id, pipeline_name=MASTER)
        with running, warehouse_errors(), transaction(connection), connection.cursor() as cursor:
            lock_contracts(cursor, wait_seconds=lock_wait_seconds)
            counts = refresh_master(cursor, config_dir=place.config_dir, write=True)
            finish_execution(cursor, execution_id, rows=(counts.changes + counts.skipped, counts.changes, 0))
    return CustomerReport(
        command=MASTER,
        period=str(period),
        status=settled_status((counts,), dry_run=False),
        tables=(counts,),
    )
