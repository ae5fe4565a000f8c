"""The stack: database, search, API and runner of one home, in the background; without Docker."""

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.validation.processes import Background, undisturbed
from work_data_hub.errors import UsageError
from work_data_hub.io.database import named_url
from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.file_lock import file_lock
from work_data_hub.io.local_server import listening_socket
from work_data_hub.io.migrations import current_head, upgrade
from work_data_hub.io.postgres import connect, masked_url, transaction, warehouse_errors
from work_data_hub.io.search_emulator import SearchEmulator, has_emulator
from work_data_hub.settings import Settings

HOST = "127.0.0.1"
_API_READY, _RUNNER_READY = "wdh pipelines serve: ", "wdh pipelines runner: ready as "
_PORTS_TRIED = 100
_FORGET = """
    alter table if exists analytics.film_dim__tmp rename to film_dim;
    truncate etl.etl_pipelines, etl.etl_workers, analytics.film_dim, analytics.film_rating_agg,
             content.film_work, ugc.ratings restart identity cascade
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """The stack of one home: at most one runs there, and what it is made of is remembered there.

    A database and a search that are given are used and left alone; others are started, and stopped again.
    `port` is the first that the API tries, 0 takes a free one. `environment` is what its programs see.
    """

    home: Path
    given_database: str | None = field(default=None, repr=False)
    given_search: str | None = None
    token: str | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    port: int = 8000
    is_durable: bool = True
    stop_seconds: float = 45.0

    @property
    def folder(self) -> Path:
        """Where its logs, process ids and memory lie."""
        return self.home / "stack"

    @property
    def api(self) -> Background:
        """The API's process."""
        return Background(name="api", folder=self.folder)

    @property
    def runner(self) -> Background:
        """The runner's process."""
        return self.a_runner("runner")

    def a_runner(self, name: str) -> Background:
        """A runner of that name, running or not."""
        return Background(name=name, folder=self.folder)

    @property
    def database_url(self) -> str:
        """The database's URL; raises WarehouseError where there is none yet."""
        return self.given_database or self._server.url()

    @property
    def api_url(self) -> str:
        """Where the API answers; raises UsageError where it does not run."""
        url = self._memory().get("api")
        if not isinstance(url, str) or self.api.pid() is None:
            raise UsageError("the API does not run", hint="make up")
        return url

    @property
    def search_url(self) -> str | None:
        """Where Elasticsearch answers, None where there is none."""
        known = str(self._memory().get("search", ""))
        return self.given_search or (known if self._is_answering(known) else None)

    @property
    def _server(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(self.home, durable=self.is_durable)

    @property
    def _emulator(self) -> SearchEmulator:
        return SearchEmulator(folder=self.folder / "search")

    def up(self, *, scale: int = 0) -> None:
        """Start what does not run, wait until it is ready, and add what is missing of the demo data.

        Whatever was started is stopped again where one of them does not start, or where this is interrupted.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with file_lock(self._lock), _undone_unless_whole() as undo:
            self._start_database(undo)
            self.migrate()
            self._seed(scale)
            self._start_search(undo)
            self._start_api(undo)
            self.start_runner("runner", undo=undo)

    def migrate(self) -> None:
        """Bring the database's schema up to date."""
        upgrade(self.database_url)

    def head(self) -> str | None:
        """The migration that the schema is at."""
        with closing(connect(self.database_url, application_name="wdh stack")) as connection:
            return current_head(connection)

    def start_runner(self, name: str, *, undo: ExitStack | None = None) -> str:
        """The id of a runner of that name, started unless it runs."""
        runner = self.a_runner(name)
        if runner.pid() is not None:
            return name
        if undo is not None:
            undo.callback(runner.stop, patience_seconds=self.stop_seconds)
        return runner.start(
            self.command("pipelines", "runner", "--worker-id", name),
            environment=self._programs_see(),
            ready=_RUNNER_READY,
        )

    def command(self, *arguments: str) -> list[str]:
        """A command of wdh, as its programs are started."""
        return [sys.executable, "-m", "work_data_hub", *arguments]

    def down(self, *, is_forgetting: bool = False) -> None:
        """Stop all that it started; `is_forgetting` also drops its rows, pipelines and documents, never given ones."""
        if not self.folder.exists():
            return
        with undisturbed(), file_lock(self._lock):
            self._stop_programs()
            if is_forgetting and self.given_database is None and self._server.exists():
                self._server.start()
                self._forget_rows()
            self._stop_services(is_forgetting=is_forgetting)

    def restart(self) -> None:
        """Stop API and runners, and start what does not run."""
        if self.folder.exists():
            with undisturbed(), file_lock(self._lock):
                self._stop_programs()
        self.up()

    def lines(self) -> Iterator[str]:
        """How each part stands, a line each."""
        is_up = self.given_database is not None or self._server.is_running()
        yield f"database  {masked_url(self.database_url) if is_up else 'stopped'}"
        yield f"search    {self.search_url or 'none'}"
        pid = self.api.pid()
        yield f"api       {f'{self.api_url} · process {pid}' if pid else 'stopped'}"
        for runner in self._runners():
            pid = runner.pid()
            yield f"{runner.name:<9} {f'process {pid}' if pid else 'stopped'}"

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    def _start_database(self, undo: ExitStack) -> None:
        if self.given_database is not None or self._server.is_running():
            return
        undo.callback(self._server.stop)
        self._server.start()
        self._remember(started_database=True)

    def _start_search(self, undo: ExitStack) -> None:
        if self.given_search is not None or not has_emulator():
            return
        known = str(self._memory().get("search", ""))
        if self._is_answering(known):
            return
        undo.callback(self._emulator.stop)
        self._remember(search=self._emulator.start(port=_free_port(_port_of(known), tries=1)))

    def _start_api(self, undo: ExitStack) -> None:
        if self.api.pid() is not None:
            return
        undo.callback(self.api.stop, patience_seconds=self.stop_seconds)
        first = _port_of(str(self._memory().get("api", ""))) or self.port
        port = _free_port(first, tries=_PORTS_TRIED)
        command = self.command("pipelines", "serve", "--host", HOST, "--port", str(port))
        self._remember(api=self.api.start(command, environment=self._programs_see(), ready=_API_READY))

    def _is_answering(self, url: str) -> bool:
        # An emulator that runs has its port, and nobody else can take it.
        port = _port_of(url)
        return bool(port) and _free_port(port, tries=1) != port and (self.folder / "search").exists()

    def _stop_programs(self) -> None:
        for program in (*self._runners(), self.api):
            program.stop(patience_seconds=self.stop_seconds)

    def _runners(self) -> list[Background]:
        names = {"runner", *(path.stem for path in self.folder.glob("runner*.pid"))}
        return [self.a_runner(name) for name in sorted(names)]

    def _stop_services(self, *, is_forgetting: bool) -> None:
        if self.given_search is None:
            self._emulator.stop()
            if is_forgetting:
                shutil.rmtree(self.folder / "search", ignore_errors=True)
        if self.given_database is None and self._memory().get("started_database"):
            self._server.stop()
            self._remember(started_database=False)

    def _forget_rows(self) -> None:
        self.migrate()
        with (
            closing(connect(self.database_url, application_name="wdh stack")) as connection,
            warehouse_errors(),
            transaction(connection),
            connection.cursor() as cursor,
        ):
            cursor.execute(_FORGET)

    def _seed(self, scale: int) -> None:
        with (
            closing(connect(self.database_url, application_name="wdh stack")) as connection,
            warehouse_errors(),
            transaction(connection),
            connection.cursor() as cursor,
        ):
            seed_films(cursor, scale=scale)

    def _programs_see(self) -> dict[str, str]:
        search = {"ELASTICSEARCH_URL": self.search_url} if self.search_url else {}
        return {**os.environ, **self.environment, "WDH_HOME": str(self.home), **search}

    def _memory(self) -> dict[str, Any]:
        path = self.folder / "stack.json"
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return known

    def _remember(self, **facts: object) -> None:
        path = self.folder / "stack.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(self._memory() | facts, indent=2) + "\n", encoding="utf-8")
        partial.replace(path)


def stack_of(settings: Settings) -> Stack:
    """The stack of the settings' home; raises UsageError outside dev: its films are invented."""
    if settings.environment != "dev":
        raise UsageError(
            f"the stack is for trying things, and ENVIRONMENT is {settings.environment}",
            field="ENVIRONMENT",
            hint="run it against a database of dev",
        )
    return Stack(
        home=settings.home,
        given_database=named_url(settings),
        given_search=settings.elasticsearch_url,
        token=settings.api_token.get_secret_value() if settings.api_token else None,
        stop_seconds=settings.etl_lease_seconds + 15,
    )


@contextmanager
def _undone_unless_whole() -> Iterator[ExitStack]:
    """What undoes the block's steps, newest first, where it does not come to its end."""
    undo = ExitStack()
    try:
        yield undo
    except BaseException:
        with undisturbed():
            undo.close()
        raise


def _port_of(url: str) -> int:
    _, _, port = url.rpartition(":")
    return int(port) if port.isdecimal() else 0


def _free_port(first: int, *, tries: int) -> int:
    """The first of so many ports that is free; 0, which lets the program choose, where none is."""
    return next((port for port in range(first, first + tries) if _is_free(port)), 0)


def _is_free(port: int) -> bool:
    try:
        listening_socket(HOST, port).close()
    except UsageError:
        return False
    return True
