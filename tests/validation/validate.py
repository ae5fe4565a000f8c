"""Scenarios 0 to 9 in order, on a stack of their own, each as expected against seen."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2

from tests.fake_elasticsearch import FakeElasticsearch
from tests.validation.checks import Check, broken, table
from tests.validation.desk import Desk
from tests.validation.processes import undisturbed
from tests.validation.scenarios import SCENARIOS, Scenario
from tests.validation.stack import Stack
from work_data_hub.errors import DataError, UsageError, WorkDataHubError
from work_data_hub.io.search_emulator import has_emulator
from work_data_hub.settings import Settings

# Short enough to see runners die and be followed, long enough for a machine that is busy with other things.
_PATIENCE = {
    "ETL_LEASE_SECONDS": "6",
    "ETL_HEARTBEAT_SECONDS": "0.5",
    "ETL_POLL_SECONDS": "0.5",
    "ETL_RETRY_BACKOFF_SECONDS": "2",
    "WDH_API_REQUESTS_PER_MINUTE": "1000000",
    "LOG_LEVEL": "WARNING",
}
_LOG_LINES = 20
_OF_OTHERS = ("WDH_", "PG", "DAGSTER_", "ETL_")


def validate(*, times: int = 1) -> int:
    """Run the scenarios so many times, each time on a new stack; 0, or 4 as soon as a time had one that failed."""
    if times < 1:
        raise UsageError("at least one time", field="--times", hint="--times 20")
    for number in range(1, times + 1):
        began = time.monotonic()
        with own_stack() as stack:
            failed = _all_failed(Desk(stack=stack))
        word = f"FAILED: {', '.join(failed)}" if failed else "all scenarios as expected"
        print(f"validate {number} of {times}: {word} · {time.monotonic() - began:.0f} s", flush=True)
        if failed:
            return DataError.exit_code
    return 0


@contextmanager
def own_stack() -> Iterator[Stack]:
    """A stack that nobody else has, not up yet: a temporary home, free ports, no setting of the shell or of `.env`."""
    home = Path(tempfile.mkdtemp(prefix="wdh-validate-"))
    # The server's user has to pass through.
    home.chmod(0o755)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, home, ignore_errors=True)
        fake = None if has_emulator() else undo.enter_context(FakeElasticsearch().serving())
        stack = Stack(
            home=home, given_search=fake, environment=_environment(), port=0, is_durable=False, stop_seconds=15
        )
        undo.callback(_take_down, stack)
        yield stack


def _take_down(stack: Stack) -> None:
    with undisturbed():
        stack.down()


def _environment() -> dict[str, str]:
    """What its programs see beside the shell's plain variables; an empty variable means not set, and beats files."""
    ours = {str(one.validation_alias) for one in Settings.model_fields.values()}
    foreign = {name for name in os.environ if name.startswith(_OF_OTHERS)}
    return dict.fromkeys(sorted(ours | foreign | {"WDH_DATABASE__URI"}), "") | _PATIENCE


def _all_failed(desk: Desk) -> list[str]:
    return [name for name, scenario in SCENARIOS.items() if not _holds(name, scenario, desk)]


def _holds(name: str, scenario: Scenario, desk: Desk) -> bool:
    began = time.monotonic()
    checks = list(_seen(scenario, desk))
    holds = all(check.holds for check in checks)
    print(f"{'✓' if holds else '✗'} {name} · {time.monotonic() - began:.1f} s")
    print("\n".join(table(checks)), flush=True)
    if not holds:
        for program in (desk.stack.api, desk.stack.runner):
            print("\n".join([f"  == {program.name}", *program.log_end(_LOG_LINES)]), flush=True)
    return holds


def _seen(scenario: Scenario, desk: Desk) -> Iterator[Check]:
    """Its checks; what breaks it off is one that failed, and the next scenario comes."""
    try:
        yield from scenario(desk)
    except (WorkDataHubError, psycopg2.Error, ValueError, LookupError) as error:
        yield broken(f"{type(error).__name__}: {error}")
