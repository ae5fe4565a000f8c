"""A sample is read as a load reads it; a domain's four files are written all or none."""

from dataclasses import replace
from pathlib import Path

import pytest
from openpyxl import Workbook
from tests.sheets import write_rows

from work_data_hub.errors import ConfigError, HeadingsDuplicated, HeadingsMissing, UsageError, WorkDataHubError
from work_data_hub.io.config_files import load_sources
from work_data_hub.io.domain_files import DomainFiles, places_for, sources_text, with_block, write_all
from work_data_hub.io.domain_samples import read_sample

pytestmark = pytest.mark.unit

SOURCES = """# head
schema_version: "1.2"

domains:  # where they lie
  first:
    base_path: "{YYYYMM}/x"  # kept
    file_patterns: ["*.xlsx"]
    sheet_names: [0]
"""
LINES = ['base_path: "{YYYYMM}/y"', 'file_patterns: ["*a*.xlsx"]', 'sheet_names: ["甲"]']


def files(folder: Path) -> DomainFiles:
    """Places in a folder that holds a configuration."""
    (folder / "data_sources.yml").write_text(SOURCES, encoding="utf-8")
    return DomainFiles(
        declaration=folder / "fees.py",
        migration=folder / "0002_fees.py",
        test=folder / "test_fees.py",
        sources=folder / "data_sources.yml",
        revision="0002",
        down_revision="0001",
    )


def texts(places: DomainFiles) -> dict[Path, str]:
    return {
        places.declaration: "declaration",
        places.migration: "migration",
        places.test: "test",
        places.sources: sources_text(places, name="fees", lines=LINES),
    }


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_the_block_goes_behind_the_others_and_comments_stay(tmp_path: Path) -> None:
    places = files(tmp_path)
    write_all(places, texts(places))

    assert places.sources.read_text(encoding="utf-8").startswith(SOURCES)
    assert list(load_sources(tmp_path)) == ["first", "fees"]
    assert load_sources(tmp_path)["fees"].sheet_labels == ("甲",)
    assert set(contents(tmp_path)) == {"fees.py", "0002_fees.py", "test_fees.py", "data_sources.yml"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "domains:\n  a:\n    x: 1\n\n# about y\ny: 2\n",
            "domains:\n  a:\n    x: 1\n\n  new:\n    k: v\n\n# about y\ny: 2\n",
        ),
        ("domains:\n    a:\n        x: 1", "domains:\n    a:\n        x: 1\n\n    new:\n        k: v\n"),
        ("domains:\r\n  a:\r\n    x: 1\r\n", "domains:\r\n  a:\r\n    x: 1\r\n\r\n  new:\r\n    k: v\r\n"),
    ],
)
def test_the_layout_of_the_file_is_kept(before: str, after: str) -> None:
    assert with_block(before, name="new", lines=["k: v"]) == after


@pytest.mark.parametrize("text", ["domains: {a: {x: 1}}\n", "other: 1\n", "domains:\n"])
def test_domains_that_are_no_blocks_are_left_to_their_owner(text: str) -> None:
    with pytest.raises(ConfigError, match="not blocks of lines"):
        with_block(text, name="new", lines=["k: v"])


def test_a_block_that_no_load_could_use_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        sources_text(files(tmp_path), name="fees", lines=['base_path: "../x"', *LINES[1:]])

    assert refused.value.file == str(tmp_path / "data_sources.yml")
    assert refused.value.field == "domains.fees.base_path"


@pytest.mark.parametrize("name", ["fees.py", "0002_fees.py", "test_fees.py"])
def test_a_file_that_is_there_leaves_everything_as_it_was(tmp_path: Path, name: str) -> None:
    places = files(tmp_path)
    given = texts(places)
    (tmp_path / name).write_text("mine", encoding="utf-8")
    before = contents(tmp_path)

    with pytest.raises(UsageError, match="there already"):
        write_all(places, given)

    assert contents(tmp_path) == before


def test_a_folder_that_is_not_there_leaves_everything_as_it_was(tmp_path: Path) -> None:
    places = files(tmp_path)
    given = texts(places) | {tmp_path / "no" / "fees.py": "declaration"}
    before = contents(tmp_path)
    broken = replace(places, declaration=tmp_path / "no" / "fees.py")

    with pytest.raises(ConfigError, match="cannot be written"):
        write_all(broken, given)

    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", ["annual_award", "first"])
def test_a_name_that_is_taken_has_no_places(tmp_path: Path, name: str) -> None:
    files(tmp_path)

    with pytest.raises(UsageError, match="already"):
        places_for(name, config_dir=tmp_path)


def test_cells_come_as_text_with_their_letters(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "a.xlsx", [("月度", "费 用\n（元）"), (202410, 1.5), ("202410", None), ("合计", 1.5), (None, None)]
    )

    read = read_sample(path)

    assert [(column.heading, column.letter) for column in read.columns] == [("月度", "A"), ("费 用 （元）", "B")]
    assert [column.cells.tolist()[0] for column in read.columns] == ["202410", "1.5"]
    assert len(read.columns[0].cells) == 2  # the total is no data


@pytest.mark.parametrize(
    ("rows", "refusal"),
    [
        ([("机构费用表",), ("月度", "机构", "费用"), (202410, "北京", 1)], HeadingsMissing),
        ([("月度", "月 度"), (202410, 202410)], HeadingsDuplicated),
    ],
)
def test_headings_that_cannot_be_meant_are_refused(
    tmp_path: Path, rows: list[tuple[object, ...]], refusal: type[WorkDataHubError]
) -> None:
    with pytest.raises(refusal):
        read_sample(write_rows(tmp_path / "a.xlsx", rows))


def test_of_several_sheets_one_is_named(tmp_path: Path) -> None:
    workbook = Workbook()
    workbook.create_sheet("二").append(["月度"])
    workbook["二"].append([202410])
    workbook.save(tmp_path / "a.xlsx")

    with pytest.raises(UsageError, match="2 sheets: Sheet, 二"):
        read_sample(tmp_path / "a.xlsx")
    assert (
        read_sample(tmp_path / "a.xlsx", sheet="二").sheet == read_sample(tmp_path / "a.xlsx", sheet="1").sheet == "二"
    )
