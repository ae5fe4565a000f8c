"""What a run needs of its database, and whether it is there."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.errors import WarehouseError
from work_data_hub.io.database import named_url
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import Connection, connect, warehouse_errors
from work_data_hub.io.schema_head import VERSION_SCHEMA, VERSION_TABLE, current_head, expected_head
from work_data_hub.settings import Settings

SUPPORTED_MAJORS = range(15, 19)
_READ = ("SELECT",)
_ADD = ("SELECT", "INSERT")
_KEEP = ("SELECT", "INSERT", "UPDATE")
_REPLACE = ("SELECT", "INSERT", "DELETE")
_UPSERT = (*_KEEP, "DELETE")

BATCH_TABLES = (
    "etl.etl_batches",
    "etl.etl_dlq",
    "etl.etl_events",
    "etl.etl_leases",
    "etl.etl_pipeline_tasks",
    "etl.etl_pipelines",
    "etl.etl_run_requests",
    "etl.etl_runs",
    "etl.etl_seen_keys",
    "etl.etl_state",
    "etl.etl_workers",
)

# Each table, and what a load does with it.
NEEDED: dict[str, tuple[str, ...]] = {
    **{domain.table: _UPSERT if domain.unique_key else _REPLACE for domain in DOMAINS.values()},
    "analytics.film_dim": _UPSERT,
    "analytics.film_rating_agg": _UPSERT,
    "content.film_work": _READ,
    "customer.contract_periods": _UPSERT,
    "customer.contract_years": _ADD,
    "customer.customer_plan_contract": _UPSERT,
    "customer.fct_customer_plan_monthly": _UPSERT,
    "customer.fct_customer_product_line_monthly": _UPSERT,
    "customer.register_loads": _UPSERT,
    "customer.客户明细": _UPSERT,
    "enterprise.base_info": _KEEP,
    "enterprise.biz_label": _REPLACE,
    "enterprise.business_info": _KEEP,
    "enterprise.company_changes": _ADD,
    "enterprise.enrichment_index": _UPSERT,
    "enterprise.enrichment_requests": _KEEP,
    "enterprise.identity_decisions": _KEEP,
    "enterprise.refresh_runs": _KEEP,
    "enterprise.registry_searches": _KEEP,
    **dict.fromkeys(BATCH_TABLES, _UPSERT),
    "etl.etl_batches": _ADD,
    "etl.etl_dlq": _KEEP,
    "etl.etl_events": _ADD,
    "etl.etl_pipelines": _KEEP,
    "etl.etl_runs": _KEEP,
    "ledger.corrections": _KEEP,
    "ledger.hook_runs": _ADD,
    "ledger.loads": _ADD,
    "ledger.rejected_rows": _KEEP,
    "ledger.waivers": ("SELECT", "INSERT", "DELETE"),
    "mapping.产品明细": _READ,
    "mapping.产品线": _KEEP,
    "mapping.利润指标": _READ,
    "mapping.年金计划": _KEEP,
    "mapping.组合计划": _KEEP,
    "mapping.组织架构": _KEEP,
    "mapping.计划层规模": _READ,
    "public.data_quality_metrics": _ADD,
    "public.pipeline_executions": _KEEP,
    "public.sample_data": _KEEP,
    "system.sync_state": _KEEP,
    "system.synced_keys": _REPLACE,
    "ugc.ratings": _READ,
    f"{VERSION_SCHEMA}.{VERSION_TABLE}": _READ,
}
SCHEMAS = (
    "analytics",
    "bi",
    "business",
    "content",
    "customer",
    "enterprise",
    "etl",
    "ledger",
    "mapping",
    "public",
    "sandbox",
    "system",
    "ugc",
)
_LOAD_IDS = "ledger.loads_load_id_seq"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing looked at: what was found, and what to do where that is not enough."""

    name: str
    detail: str
    is_fine: bool = True
    hint: str = ""


def check_database(settings: Settings) -> Iterator[str]:
    """Yield a line for each thing a run needs; then raise WarehouseError when any is missing.

    Connection, server, database, schemas, tables, migration head and privileges. Nothing is
    initialised, migrated or written.
    """
    url = named_url(settings) or _embedded_url(settings)
    with closing(connect(url, application_name="wdh check")) as connection:
        findings = examine(connection)
    missing = [finding for finding in findings if not finding.is_fine]
    yield from (_line(finding) for finding in findings)
    if missing:
        raise WarehouseError(
            f"{len(missing)} of {len(findings)} checks failed: {', '.join(finding.name for finding in missing)}",
            operation="check the database",
            hint=missing[0].hint or None,
        )


def examine(connection: Connection) -> list[Finding]:
    """Every finding, good and bad; reads only and leaves no transaction open."""
    with warehouse_errors():
        try:
            return [
                *_server(connection),
                _head(connection),
                *_schemas(connection),
                *_tables(connection),
                *_database_privileges(connection),
            ]
        finally:
            connection.rollback()


def _embedded_url(settings: Settings) -> str:
    server = EmbeddedPostgres(settings.home)
    if not server.exists():
        raise WarehouseError(
            f"no database: DATABASE_URL is not set, and there is no embedded server in {settings.home}",
            operation="check the database",
            hint="set DATABASE_URL, or run `wdh db migrate` to make the embedded one",
        )
    return server.start()


def _line(finding: Finding) -> str:
    mark = "ok     " if finding.is_fine else "MISSING"
    hint = f" → {finding.hint}" if finding.hint and not finding.is_fine else ""
    return f"{mark} {finding.name}: {finding.detail}{hint}"


def _server(connection: Connection) -> list[Finding]:
    info = connection.info
    major = connection.server_version // 10_000
    version = info.parameter_status("server_version") or str(major)
    return [
        Finding(name="connection", detail=f"{info.user} at {info.host or 'local socket'}:{info.port}"),
        Finding(
            name="server",
            detail=f"PostgreSQL {version}",
            is_fine=major in SUPPORTED_MAJORS,
            hint=f"use PostgreSQL {SUPPORTED_MAJORS[0]} to {SUPPORTED_MAJORS[-1]}",
        ),
        Finding(name="database", detail=info.dbname),
    ]


def _head(connection: Connection) -> Finding:
    # The version table may be there and not be readable, which is a finding and not a crash.
    readable = _ask(
        connection,
        "select coalesce(has_table_privilege(to_regclass(%s), 'SELECT'), true)",
        f"{VERSION_SCHEMA}.{VERSION_TABLE}",
    )
    if not readable:
        return Finding(
            name="migration head", detail="not readable", is_fine=False, hint=_grant(("SELECT",), VERSION_TABLE)
        )
    current, expected = current_head(connection), expected_head()
    return Finding(
        name="migration head",
        detail=f"{current or 'none'}, expected {expected}",
        is_fine=current == expected,
        hint="wdh db migrate",
    )


def _schemas(connection: Connection) -> list[Finding]:
    return [_schema(connection, name) for name in SCHEMAS]


def _schema(connection: Connection, name: str) -> Finding:
    if not _ask(connection, "select exists (select from pg_namespace where nspname = %s)", name):
        return Finding(name=f"schema {name}", detail="does not exist", is_fine=False, hint="wdh db migrate")
    usable = _ask(connection, "select has_schema_privilege(%s, 'USAGE')", name)
    return Finding(
        name=f"schema {name}",
        detail="usable" if usable else "exists, but is closed to this user",
        is_fine=usable,
        hint=f"grant usage on schema {name}, or `wdh db roles`",
    )


def _tables(connection: Connection) -> list[Finding]:
    return [_table(connection, table, privileges) for table, privileges in NEEDED.items()]


def _table(connection: Connection, table: str, privileges: tuple[str, ...]) -> Finding:
    schema, _, name = table.partition(".")
    with connection.cursor() as cursor:
        cursor.execute(
            "select privilege from unnest(%s::text[]) as privilege, pg_class, pg_namespace"
            " where pg_class.relnamespace = pg_namespace.oid and nspname = %s and relname = %s"
            " and has_table_privilege(pg_class.oid, privilege)",
            (list(privileges), schema, name),
        )
        held = {row[0] for row in cursor.fetchall()}
    missing = tuple(privilege for privilege in privileges if privilege not in held)
    if not missing:
        return Finding(name=f"table {table}", detail=", ".join(privileges).lower())
    exists = _ask(
        connection, "select exists (select from pg_tables where schemaname = %s and tablename = %s)", schema, name
    )
    if not exists:
        return Finding(name=f"table {table}", detail="does not exist", is_fine=False, hint="wdh db migrate")
    detail = f"lacks {', '.join(missing).lower()}"
    return Finding(name=f"table {table}", detail=detail, is_fine=False, hint=_grant(missing, table))


def _database_privileges(connection: Connection) -> list[Finding]:
    temporary = _ask(connection, "select has_database_privilege(current_database(), 'TEMPORARY')")
    numbers = _ask(
        connection,
        "select coalesce((select has_sequence_privilege(pg_class.oid, 'USAGE') from pg_class, pg_namespace"
        " where relnamespace = pg_namespace.oid and nspname || '.' || relname = %s), false)",
        _LOAD_IDS,
    )
    return [
        Finding(
            name="temporary tables",
            detail="allowed" if temporary else "not allowed",
            is_fine=temporary,
            hint="grant temporary on database",
        ),
        Finding(
            name="load numbers",
            detail="allowed" if numbers else "not allowed",
            is_fine=numbers,
            hint=f"wdh db migrate, or grant usage on sequence {_LOAD_IDS}",
        ),
    ]


def _grant(privileges: tuple[str, ...], table: str) -> str:
    return f"grant {', '.join(privileges).lower()} on {table}, or `wdh db roles`"


def _ask(connection: Connection, question: str, *values: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(question, values)
        row = cursor.fetchone()
    return bool(row and row[0])
