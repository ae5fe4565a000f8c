"""Months of a few rows whose customers matter, and what the registry and the index know of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extras import Json

from tests.hub import Answer, Hub
from tests.sheets import write_rows
from work_data_hub.domain.identity.names import NORMALISER_VERSION

A, B, C = "600000001", "600000002", "600000003"
WHY = ("--why", "营业执照")
HEADINGS = (
    *("月度", "业务类型", "计划类型", "计划代码", "计划名称", "客户名称", "期初资产规模", "期末资产规模", "投资收益"),
    *("机构", "公司代码"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One row: who, in which plan, how much, and the id that was delivered with it."""

    name: str
    amount: float = 100.0
    plan: str = "P0001"
    plan_type: str = "集合计划"
    delivered: str | None = None


def write_customers(data: Path, customers: Sequence[Customer], *, period: str = "202410") -> Path:
    """Write the month's workbook; the first customer stands in Excel row 2."""
    rows = [
        [
            *(period, "企年受托", one.plan_type, one.plan, f"{one.plan}号计划", one.name, 0.0, one.amount, 0.0),
            *("北京", one.delivered),
        ]
        for one in customers
    ]
    folder = data / period / "收集数据" / "数据采集" / "V1"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{period[2:4]}年{period[4:]}月年金规模收入数据V1.xlsx"
    return write_rows(folder / name, [HEADINGS, *rows], sheet="规模明细")


def load_customers(hub: Hub, *customers: Customer, period: str = "202410") -> None:
    """Write a month and load it."""
    write_customers(hub.data, customers, period=period)
    loaded = hub.etl("--execute", period=period)
    assert loaded.code == 0, loaded.stderr


def candidate(company: str, name: str, **facts: Any) -> dict[str, Any]:
    """A candidate as a registry search is stored with it."""
    usual = {"unite_code": None, "match_type": "模糊匹配", "score": 8.5, "confidence": 0.8}
    return {"company_id": company, "name": name, **usual, **facts}


def registry_said(hub: Hub, name: str, outcome: str, *candidates: dict[str, Any], confidence: float = 0.8) -> None:
    """Put on record what the registry answered for a normalised name; the first candidate is the best."""
    _run(
        hub,
        "insert into enterprise.registry_searches (normalized_name, normaliser_version, searched_name, outcome,"
        " company_id, confidence, candidates) values (%s, %s, %s, %s, %s, %s, %s)",
        name,
        NORMALISER_VERSION,
        name,
        outcome,
        candidates[0]["company_id"] if candidates else None,
        confidence if candidates else None,
        Json(list(candidates)),
    )


def index_knows(hub: Hub, kind: str, key: str, company: str, **facts: Any) -> None:
    """Put an entry into the index."""
    given = {"confidence": 1.0, "source": "manual", "is_ambiguous": False, "expires_at": None}
    given |= {"version": NORMALISER_VERSION, **facts}
    _run(
        hub,
        "insert into enterprise.enrichment_index (lookup_type, lookup_key, company_id, normaliser_version, confidence,"
        " source, is_ambiguous, expires_at) values (%s, %s, %s, %s, %s, %s, %s, %s)",
        *(kind, key, company, given["version"], given["confidence"], given["source"], given["is_ambiguous"]),
        given["expires_at"],
    )


def company_is(hub: Hub, company: str, name: str, *, former: str | None = None) -> None:
    """Put a company on record as the registry told of it."""
    _run(
        hub,
        "insert into enterprise.base_info (company_id, company_full_name, unite_code, company_former_name, data_source)"
        " values (%s, %s, %s, %s, 'search')",
        *(company, name, f"91{company}", former),
    )


def companies(hub: Hub, *, period: str = "2024-10-01") -> dict[str, str]:
    """The company of each customer's rows in a month."""
    stored = hub.query(f"select 客户名称, company_id from business.规模明细 where 月度 = '{period}'")
    return dict(stored)


def load_doubts(hub: Hub) -> None:
    """Load a month with two names that the registry is unsure of, and one whose rows have two companies."""
    load_customers(
        hub,
        Customer(name="恒泰电力有限公司(已转出)", amount=500.25),
        Customer(name="恒泰电力有限公司", amount=0.0125, plan="P0002"),
        Customer(name="远大石油有限公司", amount=9_000),
        Customer(name="鼎盛纺织有限公司", amount=70, delivered=A),
        Customer(name="鼎盛纺织有限公司", amount=30, plan="P0002", delivered=B),
    )
    registry_said(
        hub, "恒泰电力有限公司", "review", candidate(A, "恒泰电力集团有限公司"), candidate(C, "恒泰电力股份有限公司")
    )
    registry_said(
        hub, "远大石油有限公司", "uncertain", candidate(C, "远太石油有限公司", match_type="拼音"), confidence=0.5
    )
    company_is(hub, A, "恒泰电力集团有限公司")
    company_is(hub, C, "远太石油有限公司")


def identity(hub: Hub, *arguments: str) -> Answer:
    """Run `wdh identity …` with a JSON report."""
    return hub.wdh("identity", *arguments, "--report", "json")


def listed(hub: Hub, *arguments: str) -> list[str]:
    """The names in doubt."""
    return [one["name"] for one in identity(hub, "review", *arguments).report["names"]]


def decided(hub: Hub) -> list[tuple[Any, ...]]:
    """The decisions in force."""
    return hub.query(
        "select kind, normalized_name, plan_code, from_company, to_company from enterprise.identity_decisions"
        " where undone_at is null order by decision_id"
    )


def _run(hub: Hub, statement: str, *values: Any) -> None:
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
    connection.close()
