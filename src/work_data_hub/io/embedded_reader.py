"""The login that source queries are read with on the embedded server, made when it is first needed."""

import secrets
from contextlib import closing
from pathlib import Path

from psycopg2.extensions import parse_dsn

from work_data_hub.errors import WarehouseError
from work_data_hub.io.embedded_postgres import EmbeddedPostgres, write_secret
from work_data_hub.io.file_lock import file_lock
from work_data_hub.io.postgres import connect
from work_data_hub.io.roles import BATCH_READER, has_password, is_reader, make_reader
from work_data_hub.log import get_logger

log = get_logger(__name__)
_REPLACED = (
    f"{BATCH_READER} had another password, which logs in no more: it was given the one kept beside the embedded "
    "server; to keep one of your own give it to the role again and set ETL_READER_URL, which wins over the kept one"
)


def embedded_reader_url(server: EmbeddedPostgres) -> str:
    """The URL of the running server's database with the login of etl_reader, which is made or mended as needed.

    Its password is random, kept beside the server's own for its owner's eyes only, and made again when it is lost.
    Where the role had another one that is replaced, and the log says so. Raises WarehouseError where the server
    does not answer.
    """
    with file_lock(server.folder / "reader.lock"):
        kept = server.folder / "reader_password"
        password = _password(kept)
        may_read = _may_read(_url(server, password)) if password else None
        if may_read:
            return _url(server, password)
        if not password:
            # Kept before it holds: whoever is killed in between finds it, and gives it to the role.
            password = secrets.token_urlsafe(24)
            write_secret(kept, password)
        with closing(connect(server.url(), application_name="wdh roles")) as connection:
            is_replaced = may_read is None and has_password(connection, BATCH_READER)
            make_reader(connection, password=password)
        if is_replaced:
            log.warning("reader.password_replaced", role=BATCH_READER, note=_REPLACED)
        return _url(server, password)


def _password(kept: Path) -> str:
    try:
        return kept.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise WarehouseError(f"{kept} cannot be read: {error.strerror}", hint="run as its owner") from error


def _url(server: EmbeddedPostgres, password: str) -> str:
    place = parse_dsn(server.url())
    return f"postgresql://{BATCH_READER}:{password}@{place['host']}:{place['port']}/{place['dbname']}"


def _may_read(url: str) -> bool | None:
    """Whether that login may read all that there is; None where it is none."""
    try:
        connection = connect(url, application_name="wdh roles")
    except WarehouseError:
        return None
    with closing(connection):
        try:
            return is_reader(connection)
        except WarehouseError:
            return False
