"""The server restarts, crashes, or its disk is full while a runner copies: nothing lost, nothing doubled."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from tests.film_copies import all_idle, assert_whole, differences, put_copied_films
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until
from tests.runner_pipelines import ask, do, request, runs, statuses
from tests.runner_processes import ready_runner, started_runner

from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.marked_databases import TEST_NAME
from work_data_hub.io.migrations import upgrade
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.io.postmaster import read_postmaster

pytestmark = pytest.mark.integration

TEMPLATE = f"{TEST_NAME}_template"
# What a film takes on the disk, so that a small one is soon full.
LONG = "update content.film_work set title = title || ' ' || repeat('x', 1000)"
NO_SPACE = "No space left on device"


@pytest.fixture(scope="module")
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that may be stopped, killed and filled up."""
    with tempfile.TemporaryDirectory(prefix="wdh-trouble-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "home", durable=False)
        server.start()
        of_server(server, "create database {}", TEMPLATE)
        upgrade(server.url(TEMPLATE))
        yield server
        server.stop()


@pytest.fixture
def hub(own_server: EmbeddedPostgres, tmp_path: Path) -> Iterator[Hub]:
    of_server(own_server, "create database {} template {}", TEST_NAME, TEMPLATE)
    with closing(connect(own_server.url(TEST_NAME))) as connection:
        put_copied_films(connection)
    yield Hub(home=tmp_path, data=tmp_path / "data", url=own_server.url(TEST_NAME))
    of_server(own_server, "drop database {} with (force)", TEST_NAME)


@pytest.fixture
def small_disk(own_server: EmbeddedPostgres) -> Iterator[Path]:
    """A disk of 160 KiB for the target's rows; to be asked for before the hub, whose database has to go first."""
    folder = Path(tempfile.mkdtemp(prefix="small-", dir=own_server.home.parent))
    owner = own_server.data.stat()
    options = f"size=160k,mode=700,uid={owner.st_uid},gid={owner.st_gid}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"a disk that fills up has to be mounted: {mounted.stderr.strip()}")
    try:
        of_server(own_server, "create tablespace small location {}", sql.Literal(str(folder)))
        yield folder
        of_server(own_server, "drop tablespace small")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def of_server(server: EmbeddedPostgres, statement: str, *names: str | sql.Composable) -> None:
    """Run a statement that no transaction may hold."""
    with closing(psycopg2.connect(server.url("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        given = [sql.Identifier(name) if isinstance(name, str) else name for name in names]
        cursor.execute(sql.SQL(statement).format(*given))


@contextmanager
def looking(hub: Hub) -> Iterator[Connection]:
    with closing(connect(hub.url)) as connection:
        yield connection


def until_half(hub: Hub) -> None:
    """Wait until both pipelines are in the middle of their scans."""
    begun = "select count(distinct run_id) = 2 and count(*) > 10 from etl.etl_batches"
    with looking(hub) as films:
        until(lambda: ask(films, begun) == [(True,)])
        assert set(statuses(films).values()) == {"RUNNING"}


def restart(server: EmbeddedPostgres) -> None:
    server.stop()
    server.start()


def crash(server: EmbeddedPostgres) -> None:
    """End the server without a word to its sessions; what it comes back with is what its log of writes holds."""
    found = read_postmaster(server.data)
    assert found is not None
    os.kill(found.pid, signal.SIGQUIT)
    until(lambda: read_postmaster(server.data) is None)
    server.start()


@pytest.mark.parametrize("end", [restart, crash])
def test_a_server_that_comes_back_finds_nothing_lost_or_doubled(
    hub: Hub, own_server: EmbeddedPostgres, end: Callable[[EmbeddedPostgres], None]
) -> None:
    with ready_runner(hub) as process:
        with looking(hub) as films:
            request(films)
        until_half(hub)
        end(own_server)
        assert own_server.url(TEST_NAME) == hub.url
        with looking(hub) as films:
            until(lambda: all_idle(films))
        assert process.poll() is None

    with looking(hub) as films:
        assert_whole(films)
        # Nobody had to ask again.
        requests = "select count(*)::int from etl.etl_events where actor <> 'recovery' and to_status = 'RUN_REQUESTED'"
        assert ask(films, requests) == [(2,)]


def test_a_full_disk_is_told_and_loses_nothing(small_disk: Path, hub: Hub) -> None:
    with looking(hub) as films:
        do(films, LONG)
        do(films, "alter table analytics.film_dim set tablespace small")
        request(films, "by_key")
        assert once(hub) == 1
        ((status, _, error),) = runs(films, "by_key")
        assert status == "FAILED"
        assert NO_SPACE in error
        assert "tried 3 times" in error
        _kept_is_what_was_committed(films)

        enlarge(small_disk)
        request(films)
        assert once(hub) == 0
        assert [run[0] for run in runs(films, "by_key")] == ["FAILED", "SUCCESS"]
        assert_whole(films)


def test_space_made_in_time_lets_the_run_go_on(small_disk: Path, hub: Hub, own_server: EmbeddedPostgres) -> None:
    before = refusals(own_server)
    with looking(hub) as films:
        do(films, LONG)
        do(films, "alter table analytics.film_dim set tablespace small")
        with ready_runner(hub, ETL_RETRY_ATTEMPTS="10"):
            request(films)
            until(lambda: refusals(own_server) > before)
            enlarge(small_disk)
            until(lambda: all_idle(films))
        assert ask(films, "select distinct status, attempt from etl.etl_runs") == [("SUCCESS", 1)]
        assert_whole(films)


def once(hub: Hub) -> int:
    with started_runner(hub, "--once") as process:
        process.communicate(timeout=PATIENT_SECONDS)
        return process.returncode


def refusals(server: EmbeddedPostgres) -> int:
    """How often the server has told that there is no space."""
    return (server.data / "server.log").read_text(encoding="utf-8", errors="replace").count(NO_SPACE)


def enlarge(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)


def _kept_is_what_was_committed(films: Connection) -> None:
    """Of the batch that found no space nothing is there, and all of those before it."""
    ((written,),) = ask(films, "select sum(rows_written)::int from etl.etl_batches")
    assert 0 < written < 300
    assert ask(films, "select count(*)::int from analytics.film_dim") == [(written,)]
    assert len(differences(films)) == 300 - written
