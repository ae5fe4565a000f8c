"""config/headings.yml: what it may say, and how it is changed without losing a comment."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.hub import PROJECT
from tests.sheets import MAIN, texts, write_parts, write_rows, write_xml

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.source import SheetChoice
from work_data_hub.errors import ConfigError, HeadingsDuplicated, NoDataRows
from work_data_hub.io.accepted_headings import (
    HEADINGS_FILE,
    accepted_headings,
    heading_words,
    ignored_headings,
    load_headings,
)
from work_data_hub.io.heading_edits import accept_heading, heed_heading, ignore_heading, remove_heading
from work_data_hub.io.heading_samples import sample_sheet
from work_data_hub.io.headings import known_headings
from work_data_hub.io.readers import read_sheet

pytestmark = pytest.mark.unit

DOMAIN = DOMAINS["annuity_performance"]
BY_HAND = """\
# Ours.
version: 1

accepted:
  # From the north.
  annuity_performance:
    计划代码:
      - 计划号码  # since spring
      # the old system
      - "计划 编号"

    供款: [缴费金额, "缴款"]   # both

# Below.
synonyms: {}
"""
BLOCK = '  annuity_performance:\n    供款:\n      - "缴存"\n'
COLUMNS = "version: 1\naccepted: {annuity_performance: %s}"
IGNORED = "version: 1\nignored: %s"
ACCEPT = (
    "import sys; from pathlib import Path; from work_data_hub.domain.catalog import DOMAINS; "
    "from work_data_hub.io.heading_edits import accept_heading, ignore_heading; "
    "folder, heading = Path(sys.argv[1]), sys.argv[2]; domain = DOMAINS['annuity_performance']; sys.stdin.readline(); "
    "accept_heading(folder, domain=domain, column='供款', heading='缴存' + heading); "
    "ignore_heading(folder, domain=domain, heading='批次' + heading)"
)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A copy of the shipped configuration."""
    return Path(shutil.copytree(PROJECT / "config", tmp_path / "config"))


def written(folder: Path, text: str) -> Path:
    (folder / HEADINGS_FILE).write_bytes(text.encode())
    return folder


def said(folder: Path) -> str:
    return (folder / HEADINGS_FILE).read_bytes().decode()


def accept(config: Path, column: str, heading: str, **options: str) -> bool:
    return accept_heading(config, domain=DOMAIN, column=column, heading=heading, **options)


def remove(config: Path, column: str, heading: str) -> bool:
    return remove_heading(config, domain=DOMAIN, column=column, heading=heading)


def ignore(config: Path, heading: str, **options: str) -> bool:
    return ignore_heading(config, domain=DOMAIN, heading=heading, **options)


def heed(config: Path, heading: str) -> bool:
    return heed_heading(config, domain=DOMAIN, heading=heading)


def test_the_shipped_file_accepts_nothing_and_knows_words(config: Path) -> None:
    words = heading_words(config, DOMAIN)

    assert {domain.name: accepted_headings(config, domain) for domain in DOMAINS.values()} == {
        name: {} for name in DOMAINS
    }
    assert load_headings(config).ignored == {}
    assert words.synonyms["编号"] == "代码"
    assert "北京" in words.vocabularies["机构名称"]


def test_without_a_file_nothing_is_accepted(tmp_path: Path) -> None:
    assert accepted_headings(tmp_path, DOMAIN) == {}


def test_headings_written_by_hand_are_read(tmp_path: Path) -> None:
    assert accepted_headings(written(tmp_path, BY_HAND), DOMAIN) == {
        "计划代码": ("计划号码", "计划 编号"),
        "供款": ("缴费金额", "缴款"),
    }


def test_accepting_adds_one_line_and_keeps_the_rest(tmp_path: Path) -> None:
    written(tmp_path, BY_HAND)

    assert accept(tmp_path, "计划代码", " Plan\nNo. ", note="2024-11-21 zhang")

    added = '      - "Plan No."  # 2024-11-21 zhang\n'
    assert said(tmp_path) == BY_HAND.replace('      - "计划 编号"\n', '      - "计划 编号"\n' + added)
    assert accepted_headings(tmp_path, DOMAIN)["计划代码"] == ("计划号码", "计划 编号", "Plan No.")


def test_a_column_and_a_domain_that_are_new_get_their_keys(config: Path) -> None:
    before = said(config)

    assert accept(config, "计划代码", "计划号码")
    assert accept(config, "流失_含待遇支付", "流失合计")

    lines = (
        "accepted:\n  annuity_performance:\n"
        '    计划代码:\n      - "计划号码"\n'
        '    流失_含待遇支付:\n      - "流失合计"\n'
    )
    assert said(config) == before.replace("accepted: {}\n", lines)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("version: 1\n", f"version: 1\naccepted:\n{BLOCK}"),
        ("version: 1\naccepted:  # none\n", f"version: 1\naccepted:  # none\n{BLOCK}"),
        (
            "version: 1\naccepted: {annuity_performance: {计划代码: [计划号码]}}",
            'version: 1\naccepted: {annuity_performance: {计划代码: [计划号码], 供款: ["缴存"]}}',
        ),
        (
            "version: 1\naccepted:\n  annuity_performance: {}\n",
            f"version: 1\naccepted:\n{BLOCK}",
        ),
        (
            "version: 1\naccepted:\n  annuity_performance:\n    供款: [缴费]  # one\n",
            'version: 1\naccepted:\n  annuity_performance:\n    供款: [缴费, "缴存"]  # one\n',
        ),
        (
            "version: 1\r\naccepted:\r\n  annuity_performance:\r\n    供款:\r\n    - 缴费",
            'version: 1\r\naccepted:\r\n  annuity_performance:\r\n    供款:\r\n    - 缴费\r\n    - "缴存"\r\n',
        ),
    ],
    ids=["no key", "null", "flow", "empty block", "flow list", "windows"],
)
def test_any_layout_takes_a_heading(tmp_path: Path, before: str, after: str) -> None:
    written(tmp_path, before)

    assert accept(tmp_path, "供款", "缴存")

    assert said(tmp_path) == after


def test_accepting_twice_changes_nothing(config: Path) -> None:
    accept(config, "计划代码", "计划号码")
    before = said(config)

    assert not accept(config, "计划代码", "计划　号码")
    assert not accept(config, "计划代码", "计划号")
    assert said(config) == before


@pytest.mark.parametrize(
    ("column", "heading", "gone"),
    [
        ("计划代码", "计划号码", "      - 计划号码  # since spring\n"),
        ("计划代码", "计划编号", '      - "计划 编号"\n'),
        ("供款", "缴款", ', "缴款"'),
    ],
)
def test_removing_takes_only_the_heading(tmp_path: Path, column: str, heading: str, gone: str) -> None:
    written(tmp_path, BY_HAND)

    assert remove(tmp_path, column, heading)
    assert not remove(tmp_path, column, heading)

    assert said(tmp_path) == BY_HAND.replace(gone, "").replace("[缴费金额]", '["缴费金额"]')


def test_the_last_heading_takes_its_keys_along(config: Path) -> None:
    before = said(config)
    accept(config, "计划代码", "计划号码")
    accept(config, "供款", "缴存")

    assert remove(config, "供款", "缴存")
    assert "供款:\n" not in said(config)
    assert remove(config, "计划代码", "计划号码")

    assert said(config) == before


def test_a_missing_file_is_made(tmp_path: Path) -> None:
    assert accept(tmp_path, "计划代码", "计划号码")
    assert accepted_headings(tmp_path, DOMAIN) == {"计划代码": ("计划号码",)}


@pytest.mark.parametrize(
    ("column", "heading", "words"),
    [
        ("计划代吗", "计划号码", "did you mean '计划代码'"),
        ("流失(含待遇支付)", "流失合计", "did you mean '流失_含待遇支付'"),
        ("机构代码", "机构号", "computed, not read"),
        ("计划代码", "供款", "the heading means 供款 already"),
        ("计划代码", "备 注", "ignores this heading"),
        ("计划代码", " \u3000", "cannot be blank"),
        ("计划代码", "\u202e", "blank or invisible (U+202E)"),
        ("计划代码", "\u200b\u200f \u2066\u3164\x07", "blank or invisible (U+200B"),
        ("供款", "缴费（万元）", "the heading is in 万元, the column 供款 in 元"),
    ],
)
def test_a_heading_that_cannot_be_meant_is_refused(config: Path, column: str, heading: str, words: str) -> None:
    before = said(config)

    with pytest.raises(ConfigError, match="hint:") as refused:
        accept(config, column, heading)

    assert words in str(refused.value)
    assert said(config) == before


def test_a_heading_accepted_elsewhere_is_refused(config: Path) -> None:
    accept(config, "计划名称", "计划简称")

    with pytest.raises(ConfigError, match="means 计划名称 already"):
        accept(config, "计划代码", "计划简称")


def test_a_declared_heading_cannot_be_removed(config: Path) -> None:
    with pytest.raises(ConfigError, match="declared, not accepted"):
        remove(config, "计划代码", "计划号")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("version: 2", "version"),
        ("version: 1\nacepted: {}", "did you mean 'accepted'"),
        ("version: 1\naccepted: {annuity: {}}", "accepted.annuity"),
        (COLUMNS % "{计划代: [计划号码]}", "did you mean '计划代码'"),
        (COLUMNS % "{计划代码: 计划号码}", "a list of texts"),
        (COLUMNS % "{计划代码: [2024]}", "in quotes"),
        (COLUMNS % "{计划代码: [供款]}", "the heading means 供款 already"),
        (COLUMNS % "{计划代码: [甲], 供款: [甲]}", "the heading means 计划代码 already"),
        (COLUMNS % "{计划代码: [备注]}", "ignores this heading"),
        (COLUMNS % '{计划代码: ["\\u202E"]}', "blank or invisible"),
        (IGNORED % "{annuity: [甲]}", "ignored.annuity"),
        (IGNORED % "{annuity_performance: 甲}", "a list of texts"),
        (IGNORED % '{annuity_performance: ["\\u200B"]}', "blank or invisible"),
        (IGNORED % "{annuity_performance: [供 款]}", "reads this heading as 供款"),
        (IGNORED % "{annuity_performance: [甲]}\naccepted: {annuity_performance: {供款: [甲]}}", "accepted for 供款"),
        ("version: 1\nsynonyms: {代码: [编号], 号码: [编号]}", "a word stands once"),
        ("version: 1\nvocabularies: {机构: [branches]}", "vocabularies.机构"),
        ("version: 1\nvocabularies: {机构名称: [nowhere]}", "config/mappings"),
    ],
)
def test_what_the_file_may_not_say_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match="hint:") as refused:
        load_headings(written(tmp_path, text))

    assert words in str(refused.value)
    assert HEADINGS_FILE in str(refused.value)


def test_a_layout_that_cannot_be_changed_safely_is_left_alone(tmp_path: Path) -> None:
    text = 'version: 1\naccepted: {annuity_performance: {供款: ["缴费",\n  "缴款",]}}\n'
    written(tmp_path, text)

    with pytest.raises(ConfigError, match="by hand"):
        accept(tmp_path, "供款", "缴存")

    assert said(tmp_path) == text
    assert {path.name for path in tmp_path.iterdir()} == {HEADINGS_FILE, f".{HEADINGS_FILE}.lock"}


def test_changes_at_the_same_time_are_all_there(config: Path) -> None:
    command = [sys.executable, "-c", ACCEPT, str(config)]
    started = [subprocess.Popen([*command, f"甲{at}"], stdin=subprocess.PIPE, text=True) for at in range(10)]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()

    assert [process.wait(60) for process in started] == [0] * 10

    assert set(accepted_headings(config, DOMAIN)["供款"]) == {f"缴存甲{at}" for at in range(10)}
    assert set(load_headings(config).ignored[DOMAIN.name]) == {f"批次甲{at}" for at in range(10)}


def test_a_heading_is_ignored_and_heeded_again(config: Path) -> None:
    before = said(config)

    assert ignore(config, " 批 次\n", note="2024-11-21 zhang")
    assert not ignore(config, "批次")
    added = 'ignored:\n  annuity_performance:\n    - "批 次"  # 2024-11-21 zhang\n'
    assert said(config) == before.replace("ignored: {}\n", added)
    assert ignored_headings(config, DOMAIN) == (*DOMAIN.ignored_headings, "批 次")

    assert heed(config, "批次")
    assert not heed(config, "批次")
    assert said(config) == before


def test_of_two_ignored_headings_one_stays(tmp_path: Path) -> None:
    written(tmp_path, BY_HAND)
    ignore(tmp_path, "批次")
    ignore(tmp_path, "摘要")

    assert heed(tmp_path, "批次")

    assert said(tmp_path) == BY_HAND + 'ignored:\n  annuity_performance:\n    - "摘要"\n'


def test_a_heading_that_the_declaration_ignores_is_ignored_already(config: Path) -> None:
    assert not ignore(config, "备 注")
    with pytest.raises(ConfigError, match="change ignored_headings"):
        heed(config, "备注")


@pytest.mark.parametrize(
    ("heading", "words"),
    [("供款", "reads this heading as 供款"), ("缴存", "accepted for 供款"), ("\u202e\u200b", "blank or invisible")],
)
def test_a_heading_that_is_read_cannot_be_ignored(config: Path, heading: str, words: str) -> None:
    accept(config, "供款", "缴存")
    before = said(config)

    with pytest.raises(ConfigError, match="hint:") as refused:
        ignore(config, heading)

    assert words in str(refused.value)
    assert said(config) == before


def test_an_ignored_heading_is_accepted_only_once_it_is_heeded(config: Path) -> None:
    ignore(config, "缴存")

    with pytest.raises(ConfigError, match="ignore-heading annuity_performance HEADING --remove"):
        accept(config, "供款", "缴存")

    heed(config, "缴存")
    assert accept(config, "供款", "缴存")


def test_signs_that_nobody_sees_make_no_other_heading(config: Path) -> None:
    assert accept(config, "供款", "缴\u200b存\u202e")
    assert not accept(config, "供款", "缴存")

    assert accepted_headings(config, DOMAIN)["供款"] == ("缴存",)


def test_an_accepted_heading_is_read_as_its_column(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.xlsx", [["月度", "计划号码"], ["202410", "P01"]])
    both = write_rows(tmp_path / "b.xlsx", [["月度", "计划号码", "计划号"], ["202410", "P01", "P01"]])
    known = known_headings(DOMAIN, accepted={"计划代码": ("计划号码",)})

    def codes(file: Path) -> list[str]:
        choice = SheetChoice(names=("规模明细",))
        bronze = read_sheet(file, sheet=choice, headings=known, required=["月度"], numbers=(), file_label="a.xlsx")
        return [str(code) for code in bronze.frame["计划代码"]]

    assert codes(path) == ["P01"]
    with pytest.raises(HeadingsDuplicated, match="计划号码"):
        codes(both)


def test_a_sample_is_the_headings_and_the_first_cells(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["计划\n代码", None, "金额"],
        *([f"P{at}", None, at + 0.5] for at in range(50)),
        ["无", None, None],
    ]
    path = write_rows(tmp_path / "a.xlsx", rows, at=(3, 2))

    sample = sample_sheet(path, sheet=SheetChoice(names=(0,)), label="a.xlsx", rows=40)
    code, amount = sample.columns({"计划代码": "计划代码"})

    assert (sample.sheet, sample.headings.number) == ("规模明细", 3)
    assert (code.heading, code.place, code.meaning, code.values[:2]) == ("计划 代码", 1, "计划代码", ("P0", "P1"))
    assert (amount.heading, amount.place, amount.meaning, amount.values[:2]) == ("金额", 3, None, ("0.5", "1.5"))
    assert len(code.values) == len(amount.values) == 40
    assert len(sample_sheet(path, sheet=SheetChoice(names=(0,)), label="a").columns({})[0].values) == 50


def test_a_sample_is_read_with_any_namespace_prefix(tmp_path: Path) -> None:
    rows = (texts(1, "月度", "供款") + texts(2, "202410", "1")).replace("<", "<x:").replace("<x:/", "</x:")
    sheet = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{rows}</x:sheetData></x:worksheet>'
    path = write_parts(tmp_path / "a.xlsx", {"xl/worksheets/sheet1.xml": sheet})

    columns = sample_sheet(path, sheet=SheetChoice(names=(0,)), label="a.xlsx").columns({})

    assert [(column.heading, column.values) for column in columns] == [("月度", ("202410",)), ("供款", ("1",))]


def test_an_empty_sheet_gives_no_sample(tmp_path: Path) -> None:
    with pytest.raises(NoDataRows):
        sample_sheet(write_xml(tmp_path / "a.xlsx", ""), sheet=SheetChoice(names=(0,)), label="a.xlsx")
