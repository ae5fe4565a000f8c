"""`wdh pipelines`: the options; what the commands do stands in the `pipelines_*_run` modules."""

from pathlib import Path
from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred
from work_data_hub.orchestration.stop_signals import StopSignals

app = typer.Typer(
    help="Batch pipelines: SQL queries become tables and search indexes; declared, requested, run and watched.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The pipeline's name.")]
Api = Annotated[
    str, typer.Option("--api", metavar="URL", help="Ask the API there, with WDH_API_TOKEN, not the database.")
]
Report = Annotated[str, typer.Option(help="text, or json: one document on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Every log line, and tracebacks.")]
Limit = Annotated[int, typer.Option(min=1, max=500, help="Most lines.")]

_LOOK = "work_data_hub.cli.pipelines_look_run:"
_REQUEST = "work_data_hub.cli.pipelines_request_run:"


@app.command("list")
def list_(api: Api = "", report: Report = "text", debug: Debug = False) -> int:
    """All pipelines, and where each stands."""
    return _exit_code(deferred(f"{_LOOK}run_list")(api=api, report=report, debug=debug))


@app.command()
def show(name: Name, api: Api = "", report: Report = "text", debug: Debug = False) -> int:
    """One pipeline: its declaration, its checkpoint, its newest run."""
    return _exit_code(deferred(f"{_LOOK}run_show")(name, api=api, report=report, debug=debug))


@app.command()
def runs(name: Name, limit: Limit = 20, api: Api = "", report: Report = "text", debug: Debug = False) -> int:
    """The pipeline's runs, newest first."""
    return _exit_code(deferred(f"{_LOOK}run_runs")(name, limit=limit, api=api, report=report, debug=debug))


@app.command()
def run(
    name: Name,
    wait: Annotated[bool, typer.Option("--wait", help="Until the run has ended; exit code 1 when it failed.")] = False,
    key: Annotated[str, typer.Option("--key", metavar="K", help="The same key again asks for nothing.")] = "",
    api: Api = "",
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Request a run; a runner (`wdh pipelines runner`) does the work.

    What runs or waits to already goes on as it is. A paused run is resumed, a wish to pause taken back.
    """
    return _exit_code(deferred(f"{_REQUEST}run_run")(name, wait=wait, key=key, api=api, report=report, debug=debug))


@app.command()
def pause(name: Name, api: Api = "", report: Report = "text", debug: Debug = False) -> int:
    """Request a pause: at once where nothing runs, else after the batch at hand."""
    return _exit_code(deferred(f"{_REQUEST}run_pause")(name, api=api, report=report, debug=debug))


@app.command()
def reset(name: Name, api: Api = "", report: Report = "text", debug: Debug = False) -> int:
    """Forget the checkpoint, so that the next run reads all rows again; only while nothing runs."""
    return _exit_code(deferred(f"{_REQUEST}run_reset")(name, api=api, report=report, debug=debug))


@app.command()
def watch(
    name: Name,
    every: Annotated[float, typer.Option(min=0.05, metavar="SECONDS", help="Between two looks.")] = 1.0,
    times: Annotated[int, typer.Option(min=0, metavar="N", help="How many looks; 0: until Ctrl-C.")] = 0,
    api: Api = "",
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Print where the pipeline stands, again and again; with --report json one document after the last look."""
    return _exit_code(
        deferred(f"{_REQUEST}run_watch")(name, every=every, times=times, api=api, report=report, debug=debug)
    )


@app.command()
def dlq(
    name: Name,
    replay: Annotated[bool, typer.Option("--replay", help="Write them again; with --api ask a runner to.")] = False,
    limit: Limit = 20,
    api: Api = "",
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Rows that the target did not take, oldest first; --replay once what was wrong is mended."""
    return _exit_code(
        deferred(f"{_LOOK}run_dlq")(name, replay=replay, limit=limit, api=api, report=report, debug=debug)
    )


@app.command()
def apply(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A YAML file, or a folder of them.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    api: Api = "",
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Create the pipelines that a file declares, and change those that differ from it.

    What it declares is checked as a whole before anything is written; others than the declared ones stay.
    """
    return _exit_code(
        deferred("work_data_hub.cli.pipelines_apply_run:run_apply")(
            path, dry_run=dry_run, api=api, report=report, debug=debug
        )
    )


@app.command()
def serve(
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's need WDH_API_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 takes a free one.")] = 8000,
    debug: Debug = False,
) -> int:
    """Serve the REST API until Ctrl-C or a signal to end; its description is at /openapi.json and /docs."""
    with StopSignals() as signals:
        return _exit_code(
            deferred("work_data_hub.cli.pipelines_serve_run:run_serve")(
                signals=signals, host=host, port=port, debug=debug
            )
        )


@app.command()
def runner(
    once: Annotated[bool, typer.Option("--once", help="Run what is requested now, then end; 1 if any failed.")] = False,
    worker_id: Annotated[
        str, typer.Option("--worker-id", metavar="ID", help="How it is called; a random part is added.")
    ] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="For /healthz and /metrics; ETL_RUNNER_PORT unless given.")
    ] = None,
    debug: Debug = False,
) -> int:
    """Run what is requested, until a signal to end; several runners may run at once.

    Ctrl-C or SIGTERM ends it after the batches at hand, with 0; what it ran goes on elsewhere. A second one ends
    it at once.
    """
    with StopSignals() as signals:
        return _exit_code(
            deferred("work_data_hub.cli.pipelines_runner_run:run_runner")(
                signals=signals, once=once, worker_id=worker_id, port=port, debug=debug
            )
        )


@app.command("demo-data")
def demo_data(
    scale: Annotated[int, typer.Option(min=0, metavar="N", help="This many invented films beside the ten.")] = 0,
    report: Report = "text",
    debug: Debug = False,
) -> int:
    """Fill content.film_work and ugc.ratings, which the declared pipelines read; the same again changes nothing."""
    return _exit_code(
        deferred("work_data_hub.cli.pipelines_demo_run:run_demo_data")(scale=scale, report=report, debug=debug)
    )


def _exit_code(code: int) -> int:
    return code
