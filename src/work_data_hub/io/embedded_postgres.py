"""The database of a machine that has none: PostgreSQL from a wheel, kept under WDH_HOME.

Layout of `<home>/postgres`: `data` (the server's folder), `password`, `reader_password`, `port` and locks. Where root
owns a home that the server's user cannot enter, `<home>/postgres` is a link to a folder of its own
in /var/lib/work-data-hub (else /var/tmp). Deleting a home does not delete such a folder.
"""

import os
import secrets
import shutil
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql

from work_data_hub.errors import WarehouseError
from work_data_hub.io.file_lock import file_lock
from work_data_hub.io.postmaster import clear_foreign_pid, read_postmaster
from work_data_hub.io.server_programs import ServerUser, find_programs, place_for, reachable_programs, server_user

DATABASE = "wdh"
ADMINISTRATOR = "postgres"
_HOST = "127.0.0.1"
_START_SECONDS = 120
_ATTEMPTS = 4
_LOG_LINES = 15
_SERVER_SETTINGS = {
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "jit": "off",
    # Containers often give 64 MB of shared memory, which parallel plans exceed.
    "max_parallel_workers_per_gather": "0",
}
# Killed servers keep their commits even so; only a crash of the machine costs data.
_THROW_AWAY = {"fsync": "off", "full_page_writes": "off"}
_BUILTIN_LOCALE_SINCE = 17


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """One server and its data under `home`; on 127.0.0.1 only, behind a password.

    `durable=False` is for tests: a crash of the machine may then cost the data.
    `programs` names another folder of server programs than the one found.
    """

    home: Path
    durable: bool = field(default=True, kw_only=True)
    programs: Path | None = field(default=None, kw_only=True)

    @property
    def folder(self) -> Path:
        """Where data, password and port are kept."""
        return (self.home / "postgres").resolve()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def _lock(self) -> Path:
        return self.home / "postgres.lock"

    def exists(self) -> bool:
        """Whether there is an initialised data folder, running or not."""
        try:
            return (self.data / "PG_VERSION").exists()
        except PermissionError as error:
            raise self._failure(f"{self.folder} belongs to another user", hint="run as its owner") from error

    def is_running(self) -> bool:
        """Whether the server of this data folder is up."""
        return self.exists() and read_postmaster(self.data) is not None

    def start(self) -> str:
        """Return the URL of the running server, starting it, and initialising it first where it is empty.

        Only one process does this at a time. Raises WarehouseError with the end of the server's log.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            with file_lock(self._lock):
                if not self.exists():
                    self._initialise()
                self._serve()
        except OSError as error:
            raise self._failure(
                f"{error.filename}: {error.strerror}", hint="set WDH_HOME to a folder of your own"
            ) from error
        return self.url()

    def stop(self) -> bool:
        """Stop the server, ending its sessions; False where it was not running."""
        if not self.is_running():
            return False
        with file_lock(self._lock):
            self._run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "-t", _START_SECONDS, "stop")
        return True

    def url(self, database: str = DATABASE) -> str:
        """The URL with its password, of the running server or of where it last ran."""
        if not self.exists():
            raise self._failure(f"there is no database in {self.home}", hint="wdh db start")
        postmaster = read_postmaster(self.data)
        port = postmaster.port if postmaster else self._stored_port()
        try:
            password = (self.folder / "password").read_text().strip()
        except OSError as error:
            raise self._failure(f"the password in {self.folder} cannot be read", hint="run as its owner") from error
        return f"postgresql://{ADMINISTRATOR}:{password}@{_HOST}:{port}/{database}"

    def log_end(self) -> str:
        """The last lines of the server's log."""
        log = self.data / "server.log"
        if not log.exists():
            return ""
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])

    def _initialise(self) -> None:
        """Make the data folder; it gets its name when it is whole, so a half-made one is begun anew."""
        user = server_user(self.data)
        self._make_folder(user)
        self._remove_leftovers()
        # A name of its own: an initdb whose caller was killed may still be writing to the last one.
        partial = self.folder / f"data.partial-{secrets.token_hex(4)}"
        write_secret(self.folder / "password", secrets.token_urlsafe(24))
        copy = self.folder / "password.init"
        write_secret(copy, (self.folder / "password").read_text(), user=user)
        _make_owned(partial, user)
        try:
            self._run("initdb", "-D", partial, "-U", ADMINISTRATOR, f"--pwfile={copy}", *self._initdb_options())
        finally:
            copy.unlink(missing_ok=True)
        partial.rename(self.data)

    def _make_folder(self, user: ServerUser | None) -> None:
        wanted = self.home / "postgres"
        if not wanted.exists():
            wanted.unlink(missing_ok=True)
            place = place_for(user, wanted)
            if place != wanted:
                wanted.symlink_to(place)
        self.folder.mkdir(exist_ok=True)
        # Others may pass through to `data`, which the server's user owns, and see nothing here.
        self.folder.chmod(0o711)

    def _remove_leftovers(self) -> None:
        if (self.data / "global" / "pg_control").exists():
            raise self._failure(f"{self.data} holds a database without its PG_VERSION", hint="restore it from a backup")
        for leftover in (self.data, *self.folder.glob("data.partial*")):
            shutil.rmtree(leftover, ignore_errors=True)

    def _initdb_options(self) -> list[str]:
        version = self._run("postgres", "--version").split()[2]
        builtin = int(version.split(".")[0]) >= _BUILTIN_LOCALE_SINCE
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"] if builtin else ["--locale=C.UTF-8"]
        )
        return ["--auth=scram-sha-256", "--encoding=UTF8", *locale, *([] if self.durable else ["--no-sync"])]

    def _launch(self) -> None:
        """Start the server on its stored port, or another free one; a port taken meanwhile is tried anew."""
        clear_foreign_pid(self.data)
        for attempt in range(1, _ATTEMPTS + 1):
            port = _free_port(preferred=self._stored_port() if attempt == 1 else 0)
            try:
                self._run(
                    "pg_ctl", "-D", self.data, "-w", "-t", _START_SECONDS, "-l", self.data / "server.log",
                    "-o", self._server_options(port), "start",
                )  # fmt: skip
            except WarehouseError:
                # The port was taken in between, or processes of a killed server are still ending.
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.5)
            else:
                (self.folder / "port").write_text(f"{port}\n")
                return

    def _server_options(self, port: int) -> str:
        chosen = {**_SERVER_SETTINGS, **({} if self.durable else _THROW_AWAY), "port": str(port)}
        return " ".join(f"-c {name}='{value}'" for name, value in chosen.items())

    def _serve(self) -> None:
        """Launch the server unless it runs, wait until it lets us in, and make the database when missing."""
        deadline = time.monotonic() + _START_SECONDS
        while (refusal := self._refusal()) is not None:
            if f'database "{DATABASE}" does not exist' in refusal:
                self._create_database()
            elif "authentication failed" in refusal or time.monotonic() > deadline:
                raise self._failure(f"the embedded server does not let us in: {refusal}", log=self.log_end())
            else:
                time.sleep(0.1)

    def _refusal(self) -> str | None:
        """Why the database cannot be entered, None when it can; a server that is not there is launched.

        One that is being killed, stopped or recovered is seen as running for a while longer.
        """
        if read_postmaster(self.data) is None:
            self._launch()
        try:
            psycopg2.connect(self.url(), connect_timeout=5).close()
        except psycopg2.OperationalError as error:
            return " ".join(str(error).split())
        return None

    def _create_database(self) -> None:
        with closing(psycopg2.connect(self.url("postgres"), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))

    def _stored_port(self) -> int:
        stored = self.folder / "port"
        text = stored.read_text().strip() if stored.exists() else ""
        return int(text) if text.isdigit() else 0

    def _run(self, program: str, *arguments: object) -> str:
        """Run a server program as the server's user; what it printed, or WarehouseError with the log's end."""
        user = server_user(self.data)
        programs = reachable_programs(self.programs or find_programs(), user=user, copy_to=self.folder)
        command = [str(programs / program), *map(str, arguments)]
        settings = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        try:
            done = subprocess.run(
                command,
                env={**settings, "LC_ALL": "C", "TZ": "UTC"},
                cwd=self.folder.anchor,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                **(user.process_options if user else {}),
            )
        except OSError as error:
            raise self._failure(f"{program} cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            said = " ".join((done.stderr or done.stdout).split())
            raise self._failure(f"{program} failed: {said}", log=self.log_end())
        return str(done.stdout)

    def _failure(self, message: str, *, hint: str | None = None, log: str = "") -> WarehouseError:
        return WarehouseError(
            message + (f"; the server's log ends: {log}" if log else ""),
            operation="embedded server",
            hint=hint or f"see {self.data / 'server.log'}, or set DATABASE_URL to another server",
        )


def write_secret(path: Path, text: str, *, user: ServerUser | None = None) -> None:
    """Write the file anew, for its owner's eyes only; the owner is `user` where one is given."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        if user:
            os.fchown(descriptor, user.uid, user.gid)
        file.write(text)


def _make_owned(folder: Path, user: ServerUser | None) -> None:
    folder.mkdir(mode=0o700)
    if user:
        os.chown(folder, user.uid, user.gid)


def _free_port(*, preferred: int) -> int:
    """The preferred port of 127.0.0.1 where it is free, else one that is."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, preferred))
        except OSError:
            probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
