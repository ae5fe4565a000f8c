"""Bronze rows of any domain in which only the cells that matter are named."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.period import Period
from work_data_hub.domain.refine import refine
from work_data_hub.domain.run import Outcome, RefineRun
from work_data_hub.domain.spec import Column, Domain
from work_data_hub.domain.spreading import SERIAL, Mapper
from work_data_hub.io.config_files import load_mappings
from work_data_hub.io.identity_config import load_identity_overrides

CONFIG = Path(__file__).parent.parent.parent / "config"
_REGISTER: dict[str, Any] = {
    "上报月份": "202410",
    "业务类型": "受托",
    "上报客户名称": "平安科技有限公司",
    "机构名称": "北京",
    "计划类型": "单一",
    "年金计划号": "S0001",
    "计划规模": 1.25,
    "年缴规模": 0.3,
}
USUAL: dict[str, dict[str, Any]] = {
    "annuity_performance": {
        "月度": "202410",
        "业务类型": "企年受托",
        "计划类型": "单一计划",
        "计划代码": "S0001",
        "客户名称": "平安科技有限公司",
        "机构名称": "北京",
        "期初资产规模": 100.0,
        "期末资产规模": 110.0,
        "投资收益": 10.0,
    },
    "annuity_income": {
        "月度": "202410",
        "业务类型": "企年投资",
        "计划类型": "单一计划",
        "计划代码": "S0001",
        "计划名称": "平安科技有限公司企业年金计划",
        "组合代码": "0001",
        "客户名称": "平安科技有限公司",
        "固费": 100.0,
        "浮费": 20.0,
        "回补": -1.0,
        "税": 7.2,
        "机构代码": "G01",
        "机构名称": "北京",
    },
    "annual_award": _REGISTER,
    "annual_loss": _REGISTER,
    "sandbox_trustee_performance": {
        "年": "2024",
        "月": "10",
        "plan_code": "S0001",
        "company_code": "600000001",
        "return_rate": 0.02,
        "net_asset_value": 1.25,
        "fund_scale": 1000.0,
    },
}


def rows(domain: Domain, *, sheet: str = "", **cells: Any) -> Bronze:
    """Rows with the domain's usual cells, replaced by those given: one value, or a list of one a row.

    A text in a column of numbers stands among the texts, as the reader puts it there; None is blank.
    """
    given = USUAL.get(domain.name, {}) | cells
    count = max([len(value) for value in cells.values() if isinstance(value, list)], default=1)
    written = {name: value if isinstance(value, list) else [value] * count for name, value in given.items()}
    texts = [
        {"position": at, "column": name, "text": value}
        for name, values in written.items()
        if domain.by_name[name].is_number
        for at, value in enumerate(values)
        if isinstance(value, str)
    ]
    frame = pd.DataFrame({name: _cells(domain.by_name[name], values) for name, values in written.items()})
    frame = frame.assign(
        _source_file=pd.array(["month.xlsx"] * count, dtype="string"),
        _source_sheet=pd.array([sheet or domain.title] * count, dtype="string"),
        _source_row=range(2, count + 2),
    )
    return Bronze(
        frame=frame,
        texts=pd.DataFrame(texts, columns=["position", "column", "text"]),
        broken=pd.DataFrame(columns=["position", "column", "found"]),
        letters={name: chr(ord("A") + at) for at, name in enumerate(written)},
    )


def refined(
    domain: Domain,
    bronze: Bronze,
    *,
    period: str | None = "202410",
    today: date = date(2024, 12, 1),
    open_plans: pd.DataFrame | None = None,
    mapper: Mapper = SERIAL,
) -> Outcome:
    """The outcome with the shipped mappings."""
    mappings = load_mappings(CONFIG)
    overrides = load_identity_overrides(CONFIG)
    book = IdentityBook.from_entries(plans=overrides.plan_ids, names=overrides.name_ids, salt="test")
    run = RefineRun(
        run_id="test",
        period=Period.parse(period) if period else None,
        today=today,
        mappings=mappings,
        book=book,
        open_plans=open_plans,
        mapper=mapper,
    )
    return refine(domain, bronze, run)


def _cells(column: Column, values: Sequence[Any]) -> Any:
    if column.is_number:
        return [float("nan") if value is None or isinstance(value, str) else float(value) for value in values]
    return pd.array(list(values), dtype="string")
