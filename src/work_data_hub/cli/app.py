"""The root command and the one place where an error becomes a sentence and an exit code."""

import os
import sys
import traceback

import typer
from typer._click.exceptions import ClickException  # typer's public names cover only some usage errors

from work_data_hub import __version__
from work_data_hub.cli import dagster as dagster_commands
from work_data_hub.cli import database, demo, etl, sample, schema
from work_data_hub.errors import WorkDataHubError

app = typer.Typer(
    name="wdh",
    help="Monthly pension workbooks into a PostgreSQL warehouse one can trust. Plans by default; --execute writes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("etl", help=etl.HELP)(etl.etl)
app.command("demo", help=demo.HELP)(demo.demo)
app.command("sample", help=sample.HELP)(sample.sample)
app.command("rule", help=schema.RULE_HELP)(schema.rule)
app.add_typer(database.app, name="db")
app.add_typer(schema.app, name="schema")
app.add_typer(dagster_commands.app, name="dagster")

INTERRUPTED = 130


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
    """Run one command; every error ends here as one sentence on stderr and its exit code."""
    try:
        result = app(arguments, standalone_mode=False, prog_name="wdh")
    except (WorkDataHubError, ClickException) as wrong:
        return _told(wrong)
    except typer.Exit as leave:
        return leave.exit_code
    except (KeyboardInterrupt, typer.Abort):
        print("interrupted; nothing of an unfinished load was written", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left; the interpreter must not try to flush into nothing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as bug:
        return _unexpected(bug, debug="--debug" in arguments)
    return result if isinstance(result, int) else 0


def _told(wrong: WorkDataHubError | ClickException) -> int:
    if isinstance(wrong, ClickException):
        wrong.show()
    else:
        print(wrong, file=sys.stderr)
    return wrong.exit_code


def _unexpected(bug: Exception, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(bug)
    sentence = f"[UNEXPECTED] {type(bug).__name__} | hint: run it again with --debug and report what it shows"
    print(sentence, file=sys.stderr)
    return 1


def etl_main() -> None:
    """`etl …` is `wdh etl …`."""
    main(["etl", *sys.argv[1:]])


def customer_mdm_main() -> None:
    """`customer-mdm …` is `wdh customer-mdm …`."""
    main(["customer-mdm", *sys.argv[1:]])
