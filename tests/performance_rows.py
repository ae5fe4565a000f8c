"""Bronze rows of annuity_performance in which only the cells that matter are named."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.catalog.annuity_performance import ANNUITY_PERFORMANCE
from work_data_hub.domain.identity.cascade import IdentityBook
from work_data_hub.domain.period import Period
from work_data_hub.domain.refine import refine
from work_data_hub.domain.run import Outcome, RefineRun
from work_data_hub.io.config_files import load_mappings

CONFIG = Path(__file__).parent.parent / "config"
COLUMNS = {column.name: column for column in ANNUITY_PERFORMANCE.read}
USUAL: dict[str, Any] = {
    "月度": "202410",
    "业务类型": "企年受托",
    "计划类型": "单一计划",
    "计划代码": "S0001",
    "客户名称": "平安科技有限公司",
    "机构名称": "北京",
    "期初资产规模": 100.0,
    "期末资产规模": 110.0,
    "投资收益": 10.0,
}


def performance_rows(**cells: Any) -> Bronze:
    """Rows with the usual cells, replaced by those given: one value, or a list of one a row.

    A text in a column of numbers stands among the texts, as the reader puts it there; None is blank.
    """
    count = max([len(value) for value in cells.values() if isinstance(value, list)], default=1)
    written = {name: value if isinstance(value, list) else [value] * count for name, value in (USUAL | cells).items()}
    texts = [
        {"position": at, "column": name, "text": value}
        for name, values in written.items()
        if COLUMNS[name].is_number
        for at, value in enumerate(values)
        if isinstance(value, str)
    ]
    frame = pd.DataFrame({name: _column(name, values) for name, values in written.items()})
    frame = frame.assign(
        _source_file=pd.array(["month.xlsx"] * count, dtype="string"),
        _source_sheet=pd.array(["规模明细"] * count, dtype="string"),
        _source_row=range(2, count + 2),
    )
    return Bronze(
        frame=frame,
        texts=pd.DataFrame(texts, columns=["position", "column", "text"]),
        broken=pd.DataFrame(columns=["position", "column", "found"]),
        letters={name: chr(ord("A") + at) for at, name in enumerate(written)},
    )


def refined(bronze: Bronze, *, period: str | None = "202410", today: date = date(2024, 12, 1)) -> Outcome:
    """The outcome with the shipped mappings."""
    mappings = load_mappings(CONFIG)
    book = IdentityBook.from_entries(
        plans=mappings["company_id_overrides_plan"], names=mappings["company_id_overrides_name"], salt="test"
    )
    run = RefineRun(
        run_id="test", period=Period.parse(period) if period else None, today=today, mappings=mappings, book=book
    )
    return refine(ANNUITY_PERFORMANCE, bronze, run)


def _column(name: str, values: Sequence[Any]) -> Any:
    if COLUMNS[name].is_number:
        return [float("nan") if value is None or isinstance(value, str) else float(value) for value in values]
    return pd.array(list(values), dtype="string")
