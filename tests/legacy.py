"""A legacy database beside the warehouse, on the same server, that lives for one test."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

NAME = "wdh_test_legacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """The database's URL, and a way to write into it."""

    url: str

    def run(self, statement: str) -> None:
        with closing(psycopg2.connect(self.url)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement)


@contextmanager
def legacy_beside(warehouse_url: str) -> Iterator[Legacy]:
    """An empty legacy database with the tables of the shipped configuration."""
    server = warehouse_url.rpartition("/")[0]
    with closing(psycopg2.connect(f"{server}/postgres")) as connection:
        connection.autocommit = True
        _run(connection, sql.SQL("drop database if exists {} with (force)"))
        _run(connection, sql.SQL("create database {}"))
        legacy = Legacy(url=f"{server}/{NAME}")
        legacy.run(
            """
            create schema enterprise;
            create table enterprise.annuity_plan (
              plan_code text, plan_name text, plan_type text, customer_name text, updated_at timestamptz
            );
            create table enterprise.customer (company_id text, customer_name text, short_name text, updated_at date);
            """
        )
        yield legacy
        _run(connection, sql.SQL("drop database {} with (force)"))


def _run(connection: psycopg2.extensions.connection, statement: sql.SQL) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(sql.Identifier(NAME)))
