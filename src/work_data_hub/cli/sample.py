"""`wdh sample`: write an invented month of workbooks."""

from pathlib import Path
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Write a seeded, realistic month of workbooks, with faults on request.

Example: wdh sample --period 202410 --rows 33000 --out data --fault text_in_amount
"""


def sample(
    period: Annotated[str, typer.Option(help="The month to invent, YYYYMM.")] = "202410",
    rows: Annotated[int, typer.Option(help="Rows of 规模明细; the other sheets follow from it.")] = 33_000,
    out: Annotated[
        Path, typer.Option(envvar="WDH_DATA_ROOT", help="Folder that gets the month's folder YYYYMM.")
    ] = Path("data"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same cells, companies and plans.")] = 7,
    fault: Annotated[
        list[str] | None, typer.Option("--fault", help="A fault to plant in the last version; repeatable.")
    ] = None,
    fault_domain: Annotated[str, typer.Option(help="The domain whose sheet gets the faults.")] = "annuity_performance",
    only: Annotated[list[str] | None, typer.Option("--only", help="Write this domain only; repeatable.")] = None,
    versions: Annotated[str, typer.Option(help="Version folders of the detail workbook.")] = "V1,V2",
    company_ids: Annotated[bool, typer.Option("--company-ids", help="Add the column 公司代码 to 规模明细.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write into a month folder that is there already.")] = False,
    list_faults: Annotated[bool, typer.Option("--list-faults", help="Name every fault and stop.")] = False,
) -> None:
    """Write the month, or name the faults it can have."""
    if list_faults:
        deferred("work_data_hub.cli.sample_run:print_faults")()
        return
    deferred("work_data_hub.cli.sample_run:run")(
        period=period,
        rows=rows,
        out=out,
        seed=seed,
        faults=tuple(fault or ()),
        fault_domain=fault_domain,
        only=tuple(only or ()),
        versions=tuple(versions.split(",")),
        company_ids=company_ids,
        force=force,
    )
