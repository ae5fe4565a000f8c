import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from work_data_hub.errors import WarehouseError
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.postgres import connect
from work_data_hub.io.postmaster import Postmaster, read_postmaster

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A server of its own; the folder is short and enterable, as the server's user may be another."""
    home = Path(tempfile.mkdtemp(prefix="wdh-server-"))
    home.chmod(0o755)
    server = EmbeddedPostgres(home / "a home", durable=False)
    yield server
    server.stop()
    if not server.folder.is_relative_to(home):
        shutil.rmtree(server.folder)
    shutil.rmtree(home)


def ask(url: str, question: str) -> object:
    with closing(connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(question)
        found = cursor.fetchone()
        connection.commit()
    return found and found[0]


def process_of(server: EmbeddedPostgres) -> Postmaster:
    found = read_postmaster(server.data)
    assert found is not None
    return found


def keep(url: str, value: int) -> None:
    ask(url, f"create table kept as select {value} as value; select 1")


def test_nothing_is_there_before_the_first_start(server: EmbeddedPostgres) -> None:
    assert not server.exists()
    assert not server.is_running()
    assert not server.stop()
    with pytest.raises(WarehouseError, match="wdh db start"):
        server.url()


def test_start_makes_a_server_on_the_loopback_only(server: EmbeddedPostgres) -> None:
    url = server.start()

    assert ask(url, "select current_database()") == "wdh"
    assert ask(url, "show listen_addresses") == "127.0.0.1"
    assert ask(url, "show unix_socket_directories") == ""
    assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600


def test_no_one_enters_without_the_password(server: EmbeddedPostgres) -> None:
    url = server.start()
    wrong = url.replace((server.folder / "password").read_text(), "guess")

    with pytest.raises(WarehouseError, match="authentication failed"):
        connect(wrong)


def test_start_of_a_running_server_gives_the_same_url(server: EmbeddedPostgres) -> None:
    assert server.start() == server.start()


def test_data_and_port_outlive_a_stop(server: EmbeddedPostgres) -> None:
    url = server.start()
    keep(url, 42)

    assert server.stop()
    assert not server.is_running()
    assert server.start() == url
    assert ask(url, "select value from kept") == 42


def test_taken_port_is_changed(server: EmbeddedPostgres) -> None:
    url = server.start()
    port = process_of(server).port
    server.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert server.start() != url


def test_killed_server_starts_again_with_its_data(server: EmbeddedPostgres) -> None:
    url = server.start()
    keep(url, 7)
    os.kill(process_of(server).pid, signal.SIGKILL)

    assert ask(server.start(), "select value from kept") == 7


def test_process_number_given_to_another_program_is_seen_through(server: EmbeddedPostgres) -> None:
    server.start()
    note = (server.data / "postmaster.pid").read_text().splitlines()
    server.stop()
    note[0] = str(os.getpid())
    (server.data / "postmaster.pid").write_text("\n".join(note) + "\n")

    assert not server.is_running()
    assert ask(server.start(), "select 1") == 1


def test_half_made_data_folder_is_begun_anew(server: EmbeddedPostgres) -> None:
    server.home.mkdir(parents=True)
    for half_made in ("data.partial-killed", "data"):
        (server.folder / half_made / "base").mkdir(parents=True)

    assert ask(server.start(), "select 1") == 1
    assert not list(server.folder.glob("data.partial*"))


def test_missing_database_is_made_again(server: EmbeddedPostgres) -> None:
    server.start()
    with closing(connect(server.url("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("drop database wdh")

    assert ask(server.start(), "select current_database()") == "wdh"


def test_failed_start_shows_the_servers_log(server: EmbeddedPostgres) -> None:
    server.start()
    server.stop()
    with (server.data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")

    with pytest.raises(WarehouseError, match="no_such_setting"):
        server.start()


def test_two_processes_start_one_server(server: EmbeddedPostgres) -> None:
    program = (
        "import sys; from pathlib import Path; from work_data_hub.io.embedded_postgres import EmbeddedPostgres;"
        "print(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start())"
    )
    command = [sys.executable, "-c", program, str(server.home)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    urls = {process.communicate()[0].strip() for process in running}

    assert urls == {server.url()}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root lends the server another user")
def test_home_that_the_servers_user_cannot_enter_keeps_its_data_elsewhere(server: EmbeddedPostgres) -> None:
    server.home.mkdir(mode=0o700)

    assert ask(server.start(), "select 1") == 1
    assert (server.home / "postgres").is_symlink()
    assert not server.folder.is_relative_to(server.home.resolve())


def test_durable_server_syncs(server: EmbeddedPostgres) -> None:
    durable = EmbeddedPostgres(server.home)

    assert ask(durable.start(), "show fsync") == "on"
