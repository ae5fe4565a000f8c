"""Runs the migrations: all of one call in one transaction, one caller at a time."""

from alembic import context
from sqlalchemy import create_engine, pool

from work_data_hub.errors import ConfigError
from work_data_hub.io.downgrades import refuse_unless_allowed
from work_data_hub.io.postgres import connect
from work_data_hub.io.schema_head import VERSION_SCHEMA, VERSION_TABLE
from work_data_hub.settings import get_settings

_MIGRATION_LOCK = 7_310_482_611


def database_url() -> str:
    """The URL handed over by the caller, else that of the settings."""
    given = context.config.attributes.get("url")
    if given:
        return str(given)
    configured = get_settings().database_url
    if configured is None:
        raise ConfigError("no database is named", hint="set DATABASE_URL, or use `wdh db migrate`")
    return configured.get_secret_value()


def check_direction(*, ctx, step, heads, run_args) -> None:
    """Raise before the transaction commits when a step goes down in a database that is not for tests."""
    if not step.is_upgrade and not step.is_stamp:
        refuse_unless_allowed(ctx.connection.connection.driver_connection)


def run_online() -> None:
    """Apply the steps to the database."""
    url = database_url()
    engine = create_engine(
        "postgresql+psycopg2://", creator=lambda: connect(url, application_name="wdh migrate"), poolclass=pool.NullPool
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_MIGRATION_LOCK})")
        context.configure(
            connection=connection,
            version_table=VERSION_TABLE,
            version_table_schema=VERSION_SCHEMA,
            on_version_apply=check_direction,
        )
        context.run_migrations()


def run_offline() -> None:
    """Print the SQL of the steps (`alembic upgrade head --sql`)."""
    context.configure(
        dialect_name="postgresql",
        version_table=VERSION_TABLE,
        version_table_schema=VERSION_SCHEMA,
        literal_binds=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if context.is_offline_mode():
    run_offline()
else:
    run_online()
