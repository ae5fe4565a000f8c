"""`wdh demo`: the options."""

from pathlib import Path
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = "Show the whole main job on sample data: plan, load, load again, load the correction, mend a bad row."


def demo(
    rows: Annotated[int, typer.Option(min=100, help="Rows of the sample month.")] = 3000,
    folder: Annotated[str, typer.Option(help="Where the sample month goes.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Leave the embedded server running.")] = False,
) -> int:
    """Run the demo."""
    code: int = deferred("work_data_hub.cli.demo_run:run_demo")(
        rows=rows, folder=Path(folder) if folder else None, keep=keep
    )
    return code
