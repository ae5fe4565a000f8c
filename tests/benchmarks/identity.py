"""What finding companies costs: 100,000 rows of 5,000 names against an index of 50,000 entries.

python -m tests.benchmarks.identity [--rows 100000] [--names 5000] [--entries 50000] [--rounds 5]

CPU seconds of client and server together, from a frame of rows to a frame of companies, in one process that
has already imported everything; statements are counted on the connection itself.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from random import Random

import pandas as pd
import psycopg2
from psycopg2.extras import LoggingConnection

from tests.benchmarks.compare import server_seconds
from tests.benchmarks.server import bench_server
from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.identified import Identified, IdentityColumns
from work_data_hub.domain.identity.knowledge import IdentityBook, Knowledge
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.io.embedded_postgres import EmbeddedPostgres
from work_data_hub.io.identity_index import look_up, write_entries
from work_data_hub.io.postgres import Connection

COLUMNS = IdentityColumns(
    target="company_id", plan="计划代码", plan_type="计划类型", customer="客户名称", existing=None
)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--names", type=int, default=5_000)
    options.add_argument("--entries", type=int, default=50_000)
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    with bench_server() as started:
        names = [f"第{number}号样本科技有限公司" for number in range(given.entries)]
        _fill(started.url, names)
        rows = _rows(names[: given.names], rows=given.rows)
        _measure(started.server, started.url, rows, rounds=given.rounds)


def _fill(url: str, names: list[str]) -> None:
    forms = [normalise_name(name) for name in names]
    entries = pd.DataFrame({"key": forms, "company_id": [str(600_000_000 + at) for at in range(len(forms))]})
    entries = entries.assign(kind="customer_name", confidence=0.85, source="domain_learning")
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        write_entries(cursor, entries, domain=None, table=None)
    connection.close()


def _rows(names: list[str], *, rows: int) -> pd.DataFrame:
    """Rows of two plans a name, one in three of them single plans; one name in fifty the index does not know."""
    rng = Random(7)
    chosen = [rng.randrange(len(names)) for _ in range(rows)]
    plans = [(f"S{at:05}" if at % 3 == 0 else f"P{at % 300:04}", f"P{at * 7 % 300:04}") for at in range(len(names))]
    codes = [rng.choice(plans[at]) for at in chosen]
    written = [f"{names[at]}甲" if at % 50 == 0 else names[at] for at in chosen]
    types = ["单一计划" if code.startswith("S") else "集合计划" for code in codes]
    return pd.DataFrame({"计划代码": codes, "计划类型": types, "客户名称": written}, dtype="string")


def _measure(server: EmbeddedPostgres, url: str, rows: pd.DataFrame, *, rounds: int) -> None:
    said: list[bytes] = []
    connection = psycopg2.connect(url, connection_factory=_counting(said))
    seconds, found = [], _identified(rows, connection)
    statements = len(said)
    for _ in range(rounds):
        before = time.process_time() + server_seconds(server)
        found = _identified(rows, connection)
        seconds.append(time.process_time() + server_seconds(server) - before)
    connection.close()
    hits = " · ".join(f"{source} {count:,}" for source, count in found.hits.items() if count)
    print(f"{len(rows):,} rows, {len(found.keys):,} distinct keys: {hits}")
    each = ", ".join(f"{one:.2f}" for one in seconds)
    print(f"CPU seconds, client and server: median {statistics.median(seconds):.2f} of {each}")
    print(f"statements: {statements}")


def _identified(rows: pd.DataFrame, connection: Connection) -> Identified:
    def ask(keys: pd.DataFrame) -> Knowledge:
        return look_up(connection, keys, searched_days=30)

    return identify(
        rows, book=IdentityBook(plan_overrides={}, name_overrides={}, salt="s", look_up=ask), columns=COLUMNS
    )


def _counting(said: list[bytes]) -> Callable[[str], Connection]:
    def connect(dsn: str) -> Connection:
        connection = LoggingConnection(dsn)
        connection.initialize(_List(said))
        return connection

    return connect


class _List:
    """What psycopg2 writes its log into."""

    def __init__(self, said: list[bytes]) -> None:
        self._said = said

    def write(self, text: bytes) -> None:
        """Keep a statement; line ends come apart and are not one."""
        if str(text).strip():
            self._said.append(text)


if __name__ == "__main__":
    main()
