"""What the warehouse knows of a run whose process is gone."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg2.extensions import parse_dsn

from work_data_hub.domain.period import Period
from work_data_hub.io.locks import load_lock_key
from work_data_hub.io.postgres import Cursor, plain_url
from work_data_hub.io.queries import query


@dataclass(frozen=True, slots=True, kw_only=True)
class CommittedLoad:
    """A load that stands."""

    load_id: int
    domain: str
    period: Period
    rows_read: int
    rows_rejected: int
    brought_facts: bool  # not so where reference rows alone were asked for


def committed_loads(cursor: Cursor, run_id: str, *, domains: Sequence[str]) -> tuple[CommittedLoad, ...]:
    """The loads of the domains that the run committed, in their order; none where it committed nothing.

    The ledger's row is written in the load's own transaction, so that the answer is exact once no session of the run
    is left.
    """
    cursor.execute(query("run_verdicts", "committed"), {"run_id": run_id, "domains": list(domains)})
    return tuple(
        CommittedLoad(
            load_id=load_id,
            domain=domain,
            period=Period.of(period),
            rows_read=read,
            rows_rejected=rejected,
            brought_facts=brought_facts,
        )
        for load_id, domain, period, read, rejected, brought_facts in cursor.fetchall()
    )


def is_any_held(cursor: Cursor, *, domains: Sequence[str], months: Sequence[Period]) -> bool:
    """Whether a session holds one of the domains' months, whose load may be about to be committed."""
    keys = [load_lock_key(domain, month.yyyymm) for domain in domains for month in months]
    cursor.execute(query("run_verdicts", "held"), {"keys": keys})
    row = cursor.fetchone()
    return bool(row and row[0])


def warehouse_name(url: str) -> str:
    """Which warehouse the URL leads to, as `host:port/database`, without user and password."""
    named = parse_dsn(plain_url(url))
    database = named.get("dbname") or named.get("user", "")
    return f"{named.get('host', 'local socket')}:{named.get('port', '5432')}/{database}"
