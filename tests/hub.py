"""A hub: the command line as users start it, on a data root and a database of the test's own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from work_data_hub.cli.app import run
from work_data_hub.io.sample_drop import SampleDrop, write_sample_drop
from work_data_hub.settings import get_settings

PROJECT = Path(__file__).parent.parent
DOMAIN = "annuity_performance"
BOOKKEEPING = {"public.pipeline_executions", "public.data_quality_metrics"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    @property
    def domain(self) -> dict[str, Any]:
        return dict(self.report["domains"][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """The command line with its own folders and warehouse."""

    home: Path
    data: Path
    url: str
    extra: dict[str, str] = field(default_factory=dict)

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("WDH_", "DATABASE_", "DAGSTER_"))
        }
        ours = {
            "DATABASE_URL": self.url,
            "WDH_HOME": str(self.home),
            "WDH_DATA_ROOT": str(self.data),
            "WDH_CONFIG_DIR": str(PROJECT / "config"),
        }
        return kept | ours | self.extra | extra

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "work_data_hub", *arguments]

    def wdh(self, *arguments: str, **extra: str) -> Answer:
        """Run a command in this process, through the same door as a process of its own."""
        stdout, stderr, kept, folder = io.StringIO(), io.StringIO(), dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update(self.environment(**extra))
        os.chdir(self.home)
        get_settings.cache_clear()
        try:
            with redirect_stdout(stdout), redirect_stderr(stderr):
                code = run(list(arguments))
        finally:
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(kept)
            get_settings.cache_clear()
        return Answer(code=code, stdout=stdout.getvalue(), stderr=stderr.getvalue())

    def process(self, *arguments: str, **extra: str) -> Answer:
        """Run a command as users do, in a process of its own."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment(**extra),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(code=done.returncode, stdout=done.stdout, stderr=done.stderr)

    @contextmanager
    def started(
        self, *arguments: str, settings: Mapping[str, str], stdout: int = subprocess.DEVNULL
    ) -> Iterator["subprocess.Popen[str]"]:
        """A command as users start it, its stderr to be read; killed at the end where it still lives."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**settings),
            cwd=self.home,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def etl(self, *arguments: str, period: str = "202410", **extra: str) -> Answer:
        start = self.process if "WDH_FAULT" in extra else self.wdh
        return start("etl", "--domains", DOMAIN, "--period", period, "--report", "json", *arguments, **extra)

    def sample(self, *, rows: int = 300, period: str = "202410", **options: Any) -> SampleDrop:
        return write_sample_drop(self.data, period=period, rows=rows, only=("annuity_performance",), **options)

    def query(self, statement: str | sql.Composable) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.url)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def act(self, *statements: str) -> None:
        """Do things to the warehouse, in one transaction."""
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def counts(self) -> dict[str, int]:
        """Rows of every table of every schema of ours."""
        tables = self.query(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        )
        return {
            f"{schema}.{table}": self.query(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table)))[
                0
            ][0]
            for schema, table in tables
        }

    def contents(self) -> dict[str, int]:
        """A number a table that changes when any row of it does, bookkeeping left out."""
        return {
            table: self.query(
                sql.SQL("select coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from {} as t").format(
                    sql.Identifier(*table.split(".", 1))
                )
            )[0][0]
            for table in self.counts()
            if table not in BOOKKEEPING
        }
