"""`wdh customer-mdm sync` and `snapshot`: run, and told table by table."""

from pathlib import Path

from work_data_hub.cli.customer_mdm_report import Asked, answered, give
from work_data_hub.domain.customers.report import CustomerReport
from work_data_hub.domain.period import Period
from work_data_hub.io.customer_chart import refuse_other_formats
from work_data_hub.io.customer_config import load_customer_rules
from work_data_hub.io.status_rules_config import load_status_rules
from work_data_hub.orchestration.customer_contracts import sync_contract_status
from work_data_hub.orchestration.customer_snapshots import draw_snapshots, make_snapshots
from work_data_hub.orchestration.requests import Workplace

SYNC, SNAPSHOT, VALIDATE = "customer-mdm sync", "customer-mdm snapshot", "customer-mdm validate"


def run_sync(*, period: str, dry_run: bool, rebuild: bool, lock_wait_seconds: float, report: str, debug: bool) -> int:
    """Bring the contracts up to date, or show what that would change; returns the exit code."""
    asked = Asked(command=SYNC, report=report, period=period or None, writes=not dry_run, debug=debug)

    def work(place: Workplace) -> int:
        done = sync_contract_status(
            _period(period),
            place,
            rules=load_customer_rules(place.config_dir),
            dry_run=dry_run,
            rebuild=rebuild,
            lock_wait_seconds=lock_wait_seconds,
        )
        again = f"wdh {SYNC}{_period_option(done)}{' --rebuild' if rebuild else ''}"
        then = f"wdh {SNAPSHOT}{' --rebuild' if rebuild else _period_option(done)}"
        give(done, asked, place=place, after=again if dry_run else then)
        return 0

    return answered(asked, work)


def run_snapshot(
    *,
    period: str,
    dry_run: bool,
    rebuild: bool,
    plot: Path | None,
    lock_wait_seconds: float,
    report: str,
    debug: bool,
) -> int:
    """Make the monthly snapshots, or show what would change, and draw them; returns the exit code."""
    asked = Asked(command=SNAPSHOT, report=report, period=period or None, writes=not dry_run, debug=debug)

    def work(place: Workplace) -> int:
        if plot:
            refuse_other_formats(plot)
        done = make_snapshots(
            _period(period),
            place,
            status_rules=load_status_rules(place.config_dir),
            dry_run=dry_run,
            rebuild=rebuild,
            lock_wait_seconds=lock_wait_seconds,
        )
        if plot:
            draw_snapshots(plot, place)
        again = f"wdh {SNAPSHOT}{' --rebuild' if rebuild else _period_option(done)}"
        then = f"wdh {VALIDATE}{'' if rebuild else _year_option(done)}"
        give(done, asked, place=place, after=again if dry_run else then, chart=plot)
        return 0

    return answered(asked, work)


def _period(written: str) -> Period | None:
    return Period.parse(written) if written else None


def _period_option(done: CustomerReport) -> str:
    """The month that was worked on, as a command takes it."""
    return f" --period {done.period.replace('-', '')}" if done.period else ""


def _year_option(done: CustomerReport) -> str:
    return f" --year {done.period[:4]}" if done.period else ""
