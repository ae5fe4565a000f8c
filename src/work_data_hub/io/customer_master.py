"""The customer master kept true: amounts and states recomputed, missing customers added, forgotten ones removed."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pandas as pd
from psycopg2 import sql

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.customers.master import (
    AMOUNTS,
    AUM_TIER,
    CONTRIBUTION_MONTHS,
    ENDED,
    INVESTMENT_LINES,
    PEOPLES_OWN,
    PLAN_STATUS,
    TRUSTEE_LINES,
    AumTier,
    PlannedMaster,
)
from work_data_hub.domain.customers.report import CUSTOMERS_TABLE, TableCounts
from work_data_hub.domain.customers.shapes import NORMAL, OPEN_END, STOPPED
from work_data_hub.domain.reference_rules import Given, Reference
from work_data_hub.domain.references import real_keys, tag_pattern
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.customer_config import load_aum_tiers
from work_data_hub.io.foreign_keys import FOREIGN_KEYS_FILE, load_references
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query
from work_data_hub.io.reference_facts import missing_keys, rows_from_facts
from work_data_hub.io.reference_rows import add_rows, lock_table
from work_data_hub.io.sync_jobs import kept_columns
from work_data_hub.io.yaml_entries import read_entry
from work_data_hub.log import get_logger

log = get_logger(__name__)

_SAID = dict(zip(AMOUNTS, ("trustee", "investment", "total", "contributions"), strict=True))
_AS_STORED = PlannedMaster()


def refresh_master(
    cursor: Cursor, *, config_dir: Path, write: bool, planned: PlannedMaster = _AS_STORED
) -> TableCounts:
    """Bring what follows from facts and contracts up to date, and remove derived customers that nobody knows.

    Works in the caller's transaction. With `write` it waits for loads that recompute the master; else it
    only reads, and counts the same; what would be written before it comes in `planned`. Rows that the
    transaction added are not counted again. A row that is as it should be stays untouched.
    """
    if write:
        lock_table(cursor, CUSTOMERS_TABLE)
    cursor.execute("set local work_mem = '256MB'")
    given, parts = _given(cursor, planned), _parts(config_dir, planned)
    before = _number(cursor, "count_customers", given, parts)
    if write:
        cursor.execute(_filled("delete_forgotten", parts), given)
        deleted = cursor.rowcount
        updated = _number(cursor, "update_changed", given, parts)
    else:
        deleted = _number(cursor, "count_forgotten", given, parts)
        updated = _number(cursor, "count_changed", given, parts)
    log.info("master.refreshed", updated=updated, deleted=deleted, written=write)
    return TableCounts(table=CUSTOMERS_TABLE, updated=updated, deleted=deleted, skipped=before - updated - deleted)


def add_missing_customers(cursor: Cursor, company_ids: Collection[str], *, config_dir: Path) -> int:
    """Add those of the companies that the master lacks, as their facts describe them; returns how many.

    Temporary and blank ids, and ids without facts, are never added. In the caller's transaction, which
    waits for loads that recompute the master.
    """
    rule = customer_rule(config_dir)
    if not _missing(cursor, rule, company_ids):
        return 0
    lock_table(cursor, rule.table)
    added = add_rows(cursor, rule, rows_from_facts(cursor, rule, _missing(cursor, rule, company_ids)))
    log.info("master.added", rows=added)
    return added


def count_missing_customers(cursor: Cursor, company_ids: Collection[str], *, config_dir: Path) -> int:
    """How many customers `add_missing_customers` would add; reads only."""
    rule = customer_rule(config_dir)
    return len(rows_from_facts(cursor, rule, _missing(cursor, rule, company_ids)))


def customer_rule(config_dir: Path) -> Reference:
    """The rule by which facts of annuity_performance make customers; raises ConfigError where there is none."""
    rules = load_references(config_dir, DOMAINS)[ANNUITY_PERFORMANCE.name]
    found = [rule for rule in rules if rule.table == CUSTOMERS_TABLE and rule.described_by]
    if not found:
        place = read_entry(config_dir / FOREIGN_KEYS_FILE).block("domains").block(ANNUITY_PERFORMANCE.name)
        raise place.wrong("foreign_keys", f"a rule that recomputes {CUSTOMERS_TABLE}")
    return found[0]


def _missing(cursor: Cursor, rule: Reference, company_ids: Collection[str]) -> list[str]:
    index = pd.Index(pd.array(sorted(company_ids), dtype="string"))
    return sorted(missing_keys(cursor, rule, index[real_keys(rule, index)].tolist()))


def _given(cursor: Cursor, planned: PlannedMaster) -> dict[str, Any]:
    """The values of the queries' parameters."""
    through = planned.through
    if through is None:
        cursor.execute(query("customer_master", "through"))
        row = cursor.fetchone()
        through = row[0] if row else None
    given: dict[str, Any] = {
        "through": through,
        "months": CONTRIBUTION_MONTHS,
        "trustee": TRUSTEE_LINES,
        "investment": INVESTMENT_LINES,
        "normal": NORMAL,
        "stopped": STOPPED,
        "ended": ENDED,
        "open_end": OPEN_END,
        "in_snapshots": sorted(planned.in_snapshots or ()),
    }
    if planned.versions is not None:
        given["companies"] = planned.versions["company_id"].tolist()
        given["statuses"] = planned.versions["contract_status"].tolist()
        given["ends"] = planned.versions["valid_to"].dt.strftime("%Y-%m-%d").tolist()
    return given


def _parts(config_dir: Path, planned: PlannedMaster) -> dict[str, sql.Composable]:
    """What the queries are put together from."""
    parts: dict[str, sql.Composable] = {
        "contracts": sql.SQL(
            query("customer_master", "stored_contracts" if planned.versions is None else "planned_contracts")
        ),
        "snapshots": sql.SQL(
            query("customer_master", "stored_snapshots" if planned.in_snapshots is None else "planned_snapshots")
        ),
    }
    parts |= _forgetting(customer_rule(config_dir))
    parts["forgotten"] = _filled("forgotten", parts)
    wanted = _wanted(load_aum_tiers(config_dir), delivered=kept_columns(config_dir).get(CUSTOMERS_TABLE, frozenset()))
    names = [sql.Identifier(name) for name in wanted]
    pairs = zip(wanted.values(), names, strict=True)
    parts["values"] = sql.SQL(", ").join(wanted.values())
    parts["wanted"] = sql.SQL(", ").join(sql.SQL("{} as {}").format(value, name) for value, name in pairs)
    parts["current"] = sql.SQL(", ").join(sql.SQL("kept.{}").format(name) for name in names)
    parts["changes"] = sql.SQL(", ").join(sql.SQL("{0} = changed.{0}").format(name) for name in names)
    parts["changed"] = _filled("changed", parts)
    return parts


def _wanted(tiers: tuple[AumTier, ...], *, delivered: frozenset[str]) -> dict[str, sql.Composable]:
    """The columns and their values: of an authoritative row only what facts know and no sync delivers."""
    values: dict[str, sql.Composable] = {
        name: sql.SQL("said.{}").format(sql.Identifier(_SAID[name])) for name in AMOUNTS
    }
    if tiers:
        values[AUM_TIER] = _tier_of(tiers)
    values[PLAN_STATUS] = sql.SQL("said.status")
    known = dict.fromkeys(values, sql.SQL("said.has_facts")) | {PLAN_STATUS: sql.SQL("said.status is not null")}
    return {
        name: sql.SQL("case when said.is_derived or {follows} then {value} else kept.{name} end").format(
            follows=sql.SQL("false") if name in delivered else known[name], value=value, name=sql.Identifier(name)
        )
        for name, value in values.items()
    }


def _tier_of(tiers: tuple[AumTier, ...]) -> sql.Composed:
    whens = [
        sql.SQL("when said.total >= {} then {}").format(sql.Literal(tier.least), sql.Literal(tier.name))
        for tier in reversed(tiers)
    ]
    return sql.SQL("case {} end").format(sql.SQL(" ").join(whens))


def _forgetting(rule: Reference) -> dict[str, sql.Composable]:
    """The conditions under which nobody knows a customer (`gone`) any more."""
    blank = [sql.SQL("gone.{} is null").format(sql.Identifier(name)) for name in PEOPLES_OWN]
    no_facts = [
        sql.SQL(query("customer_master", "knows_no")).format(
            table=table_identifier(describer.table), key=sql.Identifier(describer.rule.source)
        )
        for describer in rule.described_by
    ]
    firsts = {
        tag_pattern(tag) for describer in rule.described_by for tag in describer.tags if tag.given is Given.FIRST_MONTH
    }
    # A tag of a first month is derived even where its facts went some other way than by a load.
    derived = [f"@ like_regex {json.dumps(pattern, ensure_ascii=False)}" for pattern in sorted(firsts)]
    others = f"$[*] ? (!({' || '.join(derived)}) || ({' || '.join(derived)}) is unknown)" if derived else "$[*]"
    return {
        "nobody_wrote": sql.SQL(" and ").join(blank),
        "nobody_knows": sql.SQL("\n  and ").join(no_facts),
        "tags_of_people": sql.SQL("{}::jsonpath").format(sql.Literal(others)),
    }


def _filled(name: str, parts: dict[str, sql.Composable]) -> sql.Composed:
    return sql.SQL(query("customer_master", name)).format(**parts)


def _number(cursor: Cursor, name: str, given: dict[str, Any], parts: dict[str, sql.Composable]) -> int:
    cursor.execute(_filled(name, parts), given)
    row = cursor.fetchone()
    return int(row[0]) if row else 0
