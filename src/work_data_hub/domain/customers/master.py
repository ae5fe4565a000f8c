"""What contracts and facts say of a customer as a whole, beside what the reference rule describes."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import pandas as pd

TRUSTEE_LINES, INVESTMENT_LINES = "受托", "投资"
"""How the names of product lines end whose money counts for 最新受托规模 and 最新投管规模."""

AMOUNTS = ("最新受托规模", "最新投管规模", "计划层规模", "年缴费规模")
AUM_TIER, PLAN_STATUS = "规模区间", "计划状态"
ENDED = "已终止"
"""The 计划状态 of a customer all of whose contracts have ended."""

CONTRIBUTION_MONTHS = 12
"""年缴费规模 is what was paid in over so many months."""

PEOPLES_OWN = ("备注", "客户简称", "外部受托规模", "上报受托规模", "上报投管规模")
"""Columns that no rule fills: what stands there was given by people or a sync, and its row stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AumTier:
    """A 规模区间: customers whose 计划层规模 is at least `least` 元 and below the next tier's."""

    name: str
    least: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedMaster:
    """What a dry run would have written before it looks at the master; None: as it is stored.

    `through` is the first day of the newest considered month, `versions` all versions of contracts (at least
    company_id, valid_to and contract_status), `in_snapshots` the companies of all snapshot rows.
    """

    through: date | None = None
    versions: pd.DataFrame | None = None
    in_snapshots: Collection[str] | None = None
