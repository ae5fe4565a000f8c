"""Alembic called from Python: loaded only where a schema changes."""

from typing import Literal

import psycopg2
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from work_data_hub.errors import ConfigError, WarehouseError
from work_data_hub.io.downgrades import refuse_unless_allowed
from work_data_hub.io.postgres import connect, warehouse_error
from work_data_hub.io.schema_head import schema_folder


def change(direction: Literal["upgrade", "downgrade"], *, url: str, revision: str) -> None:
    """Move the database to `revision`; errors are ours."""
    if direction == "downgrade":
        connection = connect(url, application_name="wdh migrate")
        try:
            refuse_unless_allowed(connection)
        finally:
            connection.close()
    config = Config()
    config.set_main_option("script_location", str(schema_folder() / "migrations").replace("%", "%%"))
    config.attributes["url"] = url
    run = command.upgrade if direction == "upgrade" else command.downgrade
    try:
        run(config, revision)
    except CommandError as error:
        raise ConfigError(str(error), operation=direction, hint="`alembic history` lists the revisions") from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.Error):
            raise warehouse_error(error.orig) from error
        raise WarehouseError(str(error.orig), operation=direction) from error
