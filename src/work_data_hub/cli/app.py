"""The root command and the one place where an error becomes a sentence and an exit code."""

import json
import os
import sys
import traceback

import typer
from typer._click.exceptions import ClickException  # typer's public names cover only some usage errors

from work_data_hub import __version__
from work_data_hub.cli import (
    customer_mdm,
    database,
    demo,
    domain,
    etl,
    identity,
    pipelines,
    reference,
    registry,
    rejects,
    requeue,
    sample,
    schema,
)
from work_data_hub.cli import dagster as dagster_commands
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.errors import NOTHING_UNFINISHED, Interrupted, Unexpected, WorkDataHubError

CUSTOMER_MDM = "customer-mdm"

app = typer.Typer(
    name="wdh",
    help="Monthly pension workbooks into a PostgreSQL warehouse one can trust. Plans by default; --execute writes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("etl", help=etl.HELP)(etl.etl)
app.command("requeue", help=requeue.HELP)(requeue.requeue)
app.command("rejects", help=rejects.HELP)(rejects.rejects)
app.command("demo", help=demo.HELP)(demo.demo)
app.command("sample", help=sample.HELP)(sample.sample)
app.command("rule", help=schema.RULE_HELP)(schema.rule)
app.add_typer(database.app, name="db")
app.add_typer(schema.app, name="schema")
app.add_typer(domain.app, name="domain")
app.add_typer(reference.app, name="reference")
app.add_typer(identity.app, name="identity")
app.add_typer(registry.app, name="registry")
app.add_typer(customer_mdm.app, name=CUSTOMER_MDM)
app.add_typer(pipelines.app, name="pipelines")
app.add_typer(dagster_commands.app, name="dagster")

INTERRUPTED = Interrupted.exit_code


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"wdh {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    """Options of every command."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with the documented exit code."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Run one command; every error ends here as one sentence on stderr and its exit code.

    Asked for a JSON report, it prints one also for errors that come before any report.
    """
    try:
        result = app(arguments, standalone_mode=False, prog_name="wdh")
        sys.stdout.flush()
    except (WorkDataHubError, ClickException) as wrong:
        return _told(wrong, arguments)
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(arguments)
    except (BrokenPipeError, SystemExit) as end:
        return _reader_left(end)
    except Exception as bug:
        return _unexpected(bug, arguments)
    return _ended(result, arguments)


def _ended(result: object, arguments: list[str]) -> int:
    # Ctrl-C comes as a result: the framework has caught it by then.
    if result == INTERRUPTED and not isinstance(result, Told):
        return _interrupted(arguments)
    return result if isinstance(result, int) else 0


def _told(wrong: WorkDataHubError | ClickException, arguments: list[str]) -> int:
    if isinstance(wrong, ClickException):
        wrong.show()
        _tell_machines(arguments, code=wrong.exit_code, message=wrong.format_message())
    else:
        complain(wrong)
        _tell_machines(arguments, code=wrong.exit_code, message=str(wrong))
    return wrong.exit_code


def _interrupted(arguments: list[str]) -> int:
    return _told(Interrupted(NOTHING_UNFINISHED), arguments)


def _reader_left(end: BrokenPipeError | SystemExit) -> int:
    """Whoever read our output has left: the work is done, and what it came to stands in the ledger."""
    pipe = end if isinstance(end, BrokenPipeError) else end.__context__
    if not isinstance(pipe, BrokenPipeError):
        raise end
    # The interpreter must not try to flush into nothing when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _unexpected(bug: Exception, arguments: list[str]) -> int:
    if "--debug" in arguments:
        traceback.print_exception(bug)
    return _told(Unexpected.of(bug), arguments)


def _tell_machines(arguments: list[str], *, code: int, message: str) -> None:
    words = " ".join(arguments).replace("=", " ")
    if "--report json" not in words:
        return
    if arguments[0] == CUSTOMER_MDM:
        told = CustomerReport(command=" ".join(arguments[:2]), period=None, status="failed", error=message).as_json()
    else:
        mode = "execute" if "--execute" in arguments else "plan"
        told = {"mode": mode, "status": "failed", "domains": [], "error": {"code": code, "message": message}}
    print(json.dumps(told, ensure_ascii=False))


def etl_main() -> None:
    """`etl …` is `wdh etl …`."""
    main(["etl", *sys.argv[1:]])


def customer_mdm_main() -> None:
    """`customer-mdm …` is `wdh customer-mdm …`."""
    main([CUSTOMER_MDM, *sys.argv[1:]])
