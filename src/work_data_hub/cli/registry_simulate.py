"""`wdh registry simulate`: the options; what it does stands in `registry_simulate_run`."""

from pathlib import Path
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

HELP = """Serve the registry's contract from invented companies, those of the sample months among them.

For trying, showing and testing: no real registry and no real company is involved. Prints how to point wdh at it;
Ctrl-C stops it.

While it runs, POST /simulator/faults {"kind": "503", "times": 3} spoils calls, DELETE /simulator/faults recovers,
and GET /simulator/log counts the calls by address and name.
"""


def simulate(
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen on; the default is reached from here only.")
    ] = "127.0.0.1",
    token: Annotated[str, typer.Option(help="The token that calls must carry; a sample token unless given.")] = "",
    seed: Annotated[int, typer.Option(help="The sample months' seed; the same one gives the same companies.")] = 7,
    companies: Annotated[int, typer.Option(min=1, max=100_000, help="How many companies it knows.")] = 5_000,
    fault: Annotated[
        list[str] | None,
        typer.Option("--fault", help="Fail from the start, KIND[:SHARE[:SEED]], such as 503:0.3 or hang; repeatable."),
    ] = None,
    known_later: Annotated[
        list[str] | None,
        typer.Option("--known-later", help="A company that nobody finds until recovery; repeatable."),
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Write the URL here once it answers; taken away at the end.")
    ] = None,
) -> int:
    """Serve until Ctrl-C."""
    code: int = deferred("work_data_hub.cli.registry_simulate_run:run_simulate")(
        port=port,
        host=host,
        token=token,
        seed=seed,
        companies=companies,
        faults=tuple(fault or ()),
        known_later=tuple(known_later or ()),
        ready_file=ready_file,
    )
    return code
