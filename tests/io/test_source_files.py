import hashlib
import os
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from work_data_hub.domain.period import Period
from work_data_hub.domain.source import Fallback, FileSelection, SheetChoice, Source, VersionStrategy
from work_data_hub.errors import AmbiguousWorkbook, UnreadableWorkbook, UnsafePath, UsageError, WorkbookNotFound
from work_data_hub.io.source_files import Found, direct_file, find_workbooks

pytestmark = pytest.mark.unit

SOURCE = Source(
    domain="annuity_performance",
    base_path="{YYYYMM}/in",
    file_patterns=("*规模*收入数据*.xlsx", "*规模收入数据*.xlsx"),
    exclude_patterns=("~$*", "*.eml", "*回复*"),
    sheets=(SheetChoice(names=("规模明细",)),),
)
NAME = "10月规模收入数据.xlsx"


def drop(root: Path, *names: str, changed: int = 1_700_000_000) -> None:
    """Files below the month's folder, each a minute younger than the one before."""
    for at, name in enumerate(names):
        path = root / "202410/in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
        os.utime(path, (changed + 60 * at, changed + 60 * at))


def find(root: Path, source: Source = SOURCE, **how: Any) -> Found:
    return find_workbooks(source, data_root=root, period=Period.parse("202410"), **how)


def test_the_only_file_is_found_with_label_version_and_hash(tmp_path: Path) -> None:
    drop(tmp_path, NAME)

    (file,) = find(tmp_path).files

    assert (file.label, file.version) == (f"202410/in/{NAME}", "base")
    assert file.sha256 == hashlib.sha256(NAME.encode()).hexdigest()


@pytest.mark.parametrize("base_path", ["{YYYYMM}/in", "{YYYY}{MM}/in", "{YYYY}{MM}/./in"])
def test_placeholders_are_all_filled(tmp_path: Path, base_path: str) -> None:
    drop(tmp_path, NAME)

    assert find(tmp_path, replace(SOURCE, base_path=base_path)).files[0].path.name == NAME


def test_the_highest_number_wins_not_the_highest_text(tmp_path: Path) -> None:
    drop(tmp_path, f"V9/{NAME}", f"V10/{NAME}", f"v11/{NAME}", f"V12_bak/{NAME}", f"V1.1/{NAME}")

    found = find(tmp_path)

    assert found.files[0].version == "V10"
    assert found.reason == "V10: the highest number of 2; the only matching file"
    assert [(r.name, r.why) for r in found.rejected] == [("V9", "V10 was chosen: the highest number of 2")]


@pytest.mark.parametrize("hidden", [f"~${NAME}", "规模收入数据回复.xlsx", "别的.xlsx", "规模收入数据.xlsx.eml"])
def test_a_version_without_a_file_of_ours_does_not_count(tmp_path: Path, hidden: str) -> None:
    drop(tmp_path, f"V1/{NAME}", f"V2/{hidden}")

    found = find(tmp_path)

    assert found.files[0].version == "V1"
    assert found.rejected[0].why == "holds no matching file"


def test_a_version_can_be_asked_for(tmp_path: Path) -> None:
    drop(tmp_path, f"V1/{NAME}", f"V2/{NAME}", NAME)

    assert find(tmp_path, version="V1").files[0].version == "V1"
    assert find(tmp_path, version="base").files[0].label == f"202410/in/{NAME}"
    with pytest.raises(WorkbookNotFound, match="there are V1, V2, base"):
        find(tmp_path, version="V3")


def test_manual_asks_for_a_version(tmp_path: Path) -> None:
    drop(tmp_path, f"V1/{NAME}", f"V2/{NAME}")
    manual = replace(SOURCE, version_strategy=VersionStrategy.MANUAL)

    with pytest.raises(AmbiguousWorkbook, match="choose with --version V1"):
        find(tmp_path, manual)
    assert find(tmp_path, replace(manual, version="V1")).files[0].version == "V1"


def test_latest_modified_goes_by_the_folder(tmp_path: Path) -> None:
    drop(tmp_path, f"V1/{NAME}", f"V2/{NAME}")
    latest = replace(SOURCE, version_strategy=VersionStrategy.LATEST_MODIFIED)
    os.utime(tmp_path / "202410/in/V1", (2000, 2000))
    os.utime(tmp_path / "202410/in/V2", (1000, 1000))

    assert find(tmp_path, latest).files[0].version == "V1"
    os.utime(tmp_path / "202410/in/V2", (1999.5, 1999.5))
    with pytest.raises(AmbiguousWorkbook, match="V1, V2"):
        find(tmp_path, latest)


def test_two_folders_of_one_number_need_the_fallback(tmp_path: Path) -> None:
    drop(tmp_path, f"V2/{NAME}", f"V02/{NAME}")
    os.utime(tmp_path / "202410/in/V2", (1000, 1000))

    with pytest.raises(AmbiguousWorkbook, match="same number"):
        find(tmp_path)
    assert find(tmp_path, replace(SOURCE, fallback=Fallback.USE_LATEST_MODIFIED)).files[0].version == "V02"


def test_two_files_are_listed_with_ways_to_choose(tmp_path: Path) -> None:
    drop(tmp_path, "规模收入数据.xlsx", "规模收入数据_fork.xlsx")

    with pytest.raises(AmbiguousWorkbook) as caught:
        find(tmp_path)

    assert "规模收入数据_fork.xlsx" in str(caught.value)
    assert "--file-selection newest|oldest|first or --file PATH" in str(caught.value)


@pytest.mark.parametrize(("selection", "chosen"), [("newest", "a"), ("oldest", "b"), ("first", "a")])
def test_selection_chooses_one_and_names_the_other(tmp_path: Path, selection: str, chosen: str) -> None:
    drop(tmp_path, "b规模收入数据.xlsx", "a规模收入数据.xlsx")

    found = find(tmp_path, selection=selection)

    assert found.files[0].path.name[0] == chosen
    assert [r.why for r in found.rejected] == [f"not the {selection}"]
    assert found.reason.endswith(f"{selection} of 2 matching files")


def test_a_tie_of_times_is_not_decided(tmp_path: Path) -> None:
    drop(tmp_path, "b规模收入数据.xlsx")
    drop(tmp_path, "a规模收入数据.xlsx")

    with pytest.raises(AmbiguousWorkbook, match="does not tell them apart"):
        find(tmp_path, replace(SOURCE, file_selection=FileSelection.NEWEST))


def test_an_unknown_selection_is_a_usage_error(tmp_path: Path) -> None:
    drop(tmp_path, "b规模收入数据.xlsx", "a规模收入数据.xlsx")

    with pytest.raises(UsageError, match="newest, oldest, first"):
        find(tmp_path, selection="latest")


def test_max_files_takes_several(tmp_path: Path) -> None:
    drop(tmp_path, "b规模收入数据.xlsx", "a规模收入数据.xlsx")

    assert [file.path.name[0] for file in find(tmp_path, max_files=2).files] == ["a", "b"]


def test_names_match_whatever_their_unicode_form(tmp_path: Path) -> None:
    decomposed = unicodedata.normalize("NFD", "é规模收入数据.xlsx")
    drop(tmp_path, decomposed)

    assert find(tmp_path, replace(SOURCE, file_patterns=("é规模*.xlsx",))).files[0].path.name == decomposed


def test_two_stars_look_into_any_depth(tmp_path: Path) -> None:
    drop(tmp_path, "每月业务收集-11月/甲/受托业绩.xlsx")
    deep = replace(SOURCE, file_patterns=("**/*受托业绩*.xlsx",))

    assert find(tmp_path, deep).files[0].label == "202410/in/每月业务收集-11月/甲/受托业绩.xlsx"
    with pytest.raises(WorkbookNotFound):
        find(tmp_path, replace(SOURCE, file_patterns=("*受托业绩*.xlsx",)))


@pytest.mark.parametrize(("pattern", "matches"), [("[a-c]?.xlsx", True), ("[!b]?.xlsx", False), ("b.*.xlsx", False)])
def test_patterns_are_globs(tmp_path: Path, pattern: str, matches: bool) -> None:
    drop(tmp_path, "b1.xlsx", "c.txt")
    source = replace(SOURCE, file_patterns=(pattern,))

    if matches:
        assert find(tmp_path, source).files[0].path.name == "b1.xlsx"
    else:
        with pytest.raises(WorkbookNotFound, match=r"b1\.xlsx, c\.txt"):
            find(tmp_path, source)


def test_a_missing_month_says_which_months_there_are(tmp_path: Path) -> None:
    (tmp_path / "202409").mkdir()

    with pytest.raises(WorkbookNotFound, match="holds 202409"):
        find(tmp_path)


def test_a_missing_data_root_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(WorkbookNotFound, match="WDH_DATA_ROOT"):
        find(tmp_path / "none")


def test_a_link_out_of_the_data_root_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "root"
    outside = tmp_path / "secret.xlsx"
    outside.write_bytes(b"x")
    (root / "202410/in").mkdir(parents=True)
    (root / "202410/in" / NAME).symlink_to(outside)

    with pytest.raises(UnsafePath, match="leads out of the data root"):
        find(root)


def test_a_folder_linked_from_elsewhere_is_refused(tmp_path: Path) -> None:
    drop(tmp_path / "elsewhere", NAME)
    drop(tmp_path / "root", NAME)
    (tmp_path / "root/202410/in/V1").symlink_to(tmp_path / "elsewhere/202410/in")

    with pytest.raises(UnsafePath):
        find(tmp_path / "root")
    with pytest.raises(UnsafePath):
        find(tmp_path / "root", replace(SOURCE, base_path="202410/in/V1"))


def test_a_link_inside_the_data_root_is_the_file_itself(tmp_path: Path) -> None:
    drop(tmp_path, NAME)
    (tmp_path / "202410/in/规模收入数据2.xlsx").symlink_to(tmp_path / "202410/in" / NAME)

    assert [file.path.name for file in find(tmp_path).files] == [NAME]


def test_a_pipe_is_refused_without_waiting_on_it(tmp_path: Path) -> None:
    (tmp_path / "202410/in").mkdir(parents=True)
    os.mkfifo(tmp_path / "202410/in" / NAME)

    with pytest.raises(UnsafePath, match="not a regular file"):
        find(tmp_path)


def test_names_that_differ_only_in_case_are_reported(tmp_path: Path) -> None:
    drop(tmp_path, "A规模收入数据.xlsx", "a规模收入数据.xlsx")

    with pytest.raises(AmbiguousWorkbook, match="differs only in case"):
        find(tmp_path, selection="newest")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every file")
def test_a_file_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    drop(tmp_path, NAME)
    (tmp_path / "202410/in" / NAME).chmod(0)

    with pytest.raises(UnreadableWorkbook, match="Permission denied"):
        find(tmp_path)


def test_a_named_file_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "anything.xlsx"
    path.write_bytes(b"x")

    found = direct_file(path, source=SOURCE)

    assert (found.files[0].label, found.files[0].version) == (str(path), "file")


@pytest.mark.parametrize(
    ("name", "error"), [("none.xlsx", WorkbookNotFound), (".", UnsafePath), ("~$a.xlsx", UnsafePath)]
)
def test_a_named_file_must_be_a_regular_one(tmp_path: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        direct_file(tmp_path / name, source=SOURCE)
