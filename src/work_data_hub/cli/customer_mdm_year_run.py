"""`wdh customer-mdm init-year`, `cutover` and `validate`: shown, asked about, done; a year judged check by check."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.customer_mdm_report import Asked, answered, first_line, give, print_json, report_lines
from work_data_hub.cli.text_table import page_width, table_lines
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.customers.year_checks import YearCheck, YearVerdict
from work_data_hub.errors import DataError, UsageError
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.orchestration.customer_year import cut_over, init_year, validate_year
from work_data_hub.orchestration.requests import Workplace

INIT_YEAR, CUTOVER, VALIDATE = "customer-mdm init-year", "customer-mdm cutover", "customer-mdm validate"


@dataclass(frozen=True, slots=True, kw_only=True)
class YearAsked:
    """A year that is to be opened or put right: only shown (`dry_run`), asked about, or done at once (`yes`)."""

    year: int
    dry_run: bool
    yes: bool
    lock_wait_seconds: float


def run_init_year(*, year: int, dry_run: bool, yes: bool, lock_wait_seconds: float, report: str, debug: bool) -> int:
    """Bring the opening of a year up to date; returns the exit code."""
    asked = Asked(command=INIT_YEAR, report=report, period=str(year), writes=not dry_run, debug=debug)
    return _year_run(asked, YearAsked(year=year, dry_run=dry_run, yes=yes, lock_wait_seconds=lock_wait_seconds))


def run_cutover(*, year: int, dry_run: bool, yes: bool, lock_wait_seconds: float, report: str, debug: bool) -> int:
    """Open a year before its first month; returns the exit code."""
    asked = Asked(command=CUTOVER, report=report, period=str(year), writes=not dry_run, debug=debug)
    return _year_run(asked, YearAsked(year=year, dry_run=dry_run, yes=yes, lock_wait_seconds=lock_wait_seconds))


def _year_run(asked: Asked, wish: YearAsked) -> int:
    change = cut_over if asked.command == CUTOVER else init_year

    def work(place: Workplace) -> int:
        def run(*, dry_run: bool) -> CustomerReport:
            rules = load_customer_rules(place.config_dir)
            wait = wish.lock_wait_seconds
            return change(wish.year, place, rules=rules, dry_run=dry_run, lock_wait_seconds=wait)

        done = run(dry_run=True) if wish.dry_run else _decided(run, asked, wish, place=place)
        after = f"{asked.command} --year {wish.year}" if wish.dry_run else f"{VALIDATE} --year {wish.year}"
        give(done, asked, place=place, after=f"wdh {after}")
        return 0

    return answered(asked, work)


def _decided(run: Callable[..., CustomerReport], asked: Asked, wish: YearAsked, *, place: Workplace) -> CustomerReport:
    """Do it, once somebody has seen what changes and has said yes; where nothing would change, nobody is asked."""
    if wish.yes:
        return run(dry_run=False)
    planned = replace(run(dry_run=True), command=asked.command)
    if not any(table.changes for table in planned.tables):
        return replace(planned, status="unchanged")
    shown = sys.stderr if asked.as_json else sys.stdout
    print("\n".join([first_line(place, executed=False), *report_lines(planned)]), file=shown, flush=True)
    confirm()
    return run(dry_run=False)


def confirm() -> None:
    """Ask on the terminal whether to go on; raises UsageError unless the answer is yes, or where nobody is there."""
    if not sys.stdin.isatty():
        raise UsageError(
            "nobody is there to say yes; nothing was written", hint="--yes goes on without asking, --dry-run only shows"
        )
    print("type yes to go on: ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline().strip()
    if answer.casefold() != "yes":
        raise UsageError("not confirmed; nothing was written", input_data=answer, hint="run it again and type yes")


def run_validate(*, year: int | None, report: str, debug: bool) -> int:
    """Judge a year; returns the exit code, 4 when a check fails."""
    asked = Asked(command=VALIDATE, report=report, period=str(year) if year else None, debug=debug)

    def work(place: Workplace) -> int:
        verdict = validate_year(year, place, rules=load_customer_rules(place.config_dir))
        if asked.as_json:
            print_json(verdict.as_json() | {"command": VALIDATE})
        else:
            print("\n".join(verdict_lines(verdict, width=page_width())))
        return _told(verdict)

    return answered(asked, work)


def _told(verdict: YearVerdict) -> int:
    if verdict.error is None:
        return 0
    hint = "wdh customer-mdm sync, then snapshot, make derived rows anew; the shares stand in config/customer_mdm.yaml"
    complain(DataError(verdict.error, operation=VALIDATE, hint=hint))
    return Told(DataError.exit_code)


def verdict_lines(verdict: YearVerdict, *, width: int | None = None) -> Iterator[str]:
    """The verdict as people read it: a line a check, and examples of what is wrong."""
    result = "sound" if verdict.passed else f"{len(verdict.failed)} of {len(verdict.checks)} checks failed"
    yield f"{VALIDATE} {verdict.year}, contracts in force on {verdict.day}: {result}"
    titles = ["", "check", "seen", "expected"]
    yield from table_lines([titles, *map(_cells, verdict.checks)], width=width)
    for check in verdict.checks:
        yield from (f"  {check.name}: {example}" for example in check.examples)


def _cells(check: YearCheck) -> list[str]:
    return ["ok" if check.passed else "FAILED", check.name, check.seen, check.expected]
