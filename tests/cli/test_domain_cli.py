"""`wdh domain`: what people see, and what they are told when it does not work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.hub import PROJECT, Answer, Hub
from tests.sheets import write_rows

pytestmark = pytest.mark.unit

HEADINGS = ("月度", "合同编号", "机构", "客户名称", "费用")


@pytest.fixture
def offline(tmp_path: Path) -> Hub:
    """The command line without a database."""
    (tmp_path / "home").mkdir()
    return Hub(home=tmp_path / "home", data=tmp_path / "data", url="")


def new(offline: Hub, *rows: tuple[object, ...], more: tuple[str, ...] = ()) -> Answer:
    path = offline.home / "sample.xlsx"
    write_rows(path, [HEADINGS, *rows], sheet="机构费用")
    return offline.wdh("domain", "new", "branch_fees", "--from", str(path), *more)


def test_the_list_says_what_all_domains_means(offline: Hub) -> None:
    lines = offline.wdh("domain", "list").stdout.splitlines()

    assert lines[0].split() == ["domain", "title", "table", "loaded"]
    assert lines[1].startswith("annual_award")
    assert next(line for line in lines if line.startswith("sandbox")).endswith("only when named")


def test_a_domain_is_shown_in_words(offline: Hub) -> None:
    shown = offline.wdh("domain", "show", "annuity_performance").stdout

    assert "replaces the month that 月度 names, whole" in shown
    assert "机构代码 is looked up by 机构名称 (branches)" in shown
    assert "WDH-V202" in shown
    assert "mapping.年金计划" in shown


def test_an_unknown_domain_names_the_declared_ones(offline: Hub) -> None:
    answer = offline.wdh("domain", "show", "annuity")

    assert answer.code == 2
    assert "annuity_performance" in answer.stderr


def test_a_plan_shows_the_draft_and_how_to_write_it(offline: Hub) -> None:
    answer = new(offline, (202410, "0001", "北京", "平安科技有限公司", 1.5), (None, "0002", "北京", None, 2.5))

    assert answer.stdout.startswith("PLAN — nothing was written")
    assert "2 read, 1 would be rejected" in answer.stdout
    assert "A3" in answer.stdout
    assert "WDH-V102" in answer.stdout
    assert answer.stdout.rstrip().endswith("--execute")
    assert not (PROJECT / "src/work_data_hub/domain/catalog/branch_fees.py").exists()


def test_a_plan_names_columns_without_a_heading(offline: Hub) -> None:
    answer = new(offline, (202410, "0001", "北京", "甲", 1.5, "丢失"), (202410, "0002", "北京", "乙", 2.5, "丢失"))

    assert answer.code == 0
    assert "column F has no heading and 2 filled cells; it was not read" in answer.stdout


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--table", "public.费用"), "not a schema for facts"),
        (("--table", "business.规模明细"), "there already"),
        (("--month", "日期"), "no column has the heading"),
        (("--sheet", "收入"), "there is no sheet"),
        (("--folder", "../x"), "domains.branch_fees.base_path"),
    ],
)
def test_what_cannot_be_is_refused_by_the_plan(offline: Hub, more: tuple[str, ...], words: str) -> None:
    answer = new(offline, (202410, "0001", "北京", None, 1.5), more=more)

    assert answer.code in (2, 3)
    assert words in answer.stderr


def test_a_draft_that_would_load_nothing_is_refused(offline: Hub) -> None:
    answer = new(offline, (202410, "0001", "北京", None, 123_456_789_012_345))

    assert answer.code == 4
    assert "accepts no row of the sample" in answer.stderr


def test_the_folder_of_a_sample_below_the_data_root_is_kept(offline: Hub) -> None:
    folder = offline.data / "202410" / "收集数据" / "费用" / "V2"
    folder.mkdir(parents=True)
    path = write_rows(folder / "机构费用.xlsx", [HEADINGS, (202410, "0001", "北京", None, 1.5)], sheet="机构费用")

    assert "{YYYYMM}/收集数据/费用\n" in offline.wdh("domain", "new", "branch_fees", "--from", str(path)).stdout


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from work_data_hub.cli.app import run; run(['domain', 'new', '--help']);"
        "print([name for name in ('pandas', 'rich', 'work_data_hub.domain.catalog') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], env=os.environ, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"
