"""What people see: Chinese in its true width, errors apart from results, quiet when asked."""

from decimal import Decimal

import pytest

from work_data_hub.cli.render import render_report
from work_data_hub.domain.report import DomainReport, ReferenceEffect, RunReport, TableEffect
from work_data_hub.errors import DataError

pytestmark = pytest.mark.unit


def report(error: DataError | None = None) -> RunReport:
    domain = DomainReport(
        domain="annuity_performance",
        period="202410",
        status="planned",
        rows_read=10,
        tables=(TableEffect(table="business.规模明细", inserted=10),),
        references=(ReferenceEffect(table="mapping.年金计划", inserted=2),),
        sums={"期末资产规模": Decimal("1234.5000")},
        quality={"unknown 机构名称": {"rows": 3, "values": {"火星": 3}}},
        error=error,
    )
    return RunReport(mode="plan", run_id="r", seconds=1.0, database=None, domains=(domain,))


def test_a_plan_says_that_nothing_was_written_and_what_comes_next(capsys: pytest.CaptureFixture[str]) -> None:
    render_report(report(), execute="wdh etl --period 202410 --execute")

    shown = capsys.readouterr().out
    assert shown.startswith("PLAN — nothing was written")
    assert "火星 3" in shown
    assert shown.rstrip().endswith("--period 202410 --execute")
    assert "\x1b" not in shown


def test_an_error_goes_to_stderr_and_offers_no_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    render_report(report(error=DataError("too many", hint="mend them")))

    shown = capsys.readouterr()
    assert shown.err == "[DATA_ERROR] too many | hint: mend them\n"
    assert "next:" not in shown.out


def test_quiet_is_one_line_a_domain(capsys: pytest.CaptureFixture[str]) -> None:
    render_report(report(), quiet=True)

    assert capsys.readouterr().out == "annuity_performance 2024-10: planned\n"


def test_the_first_failing_domain_gives_the_exit_code() -> None:
    failed = DomainReport(domain="b", period="202410", status="failed", error=DataError("x"))
    both = RunReport(mode="execute", run_id="r", seconds=0, database=None, domains=(*report().domains, failed))

    assert (both.exit_code, both.status) == (4, "partial")
