from pathlib import Path

import pandas as pd
import pytest

from work_data_hub.domain.identity.cascade import identify
from work_data_hub.domain.identity.identified import Identified, IdentityColumns
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.identity.matchers import MATCHERS, Clues, Matcher
from work_data_hub.domain.identity.temporary import is_temporary, temporary_id
from work_data_hub.domain.identity.written_ids import unusable_ids
from work_data_hub.errors import ConfigError

pytestmark = pytest.mark.unit

MAPPINGS = Path(__file__).parents[2] / "config" / "mappings"
SALT = "a salt for tests"
BOOK = IdentityBook.from_entries(
    plans={"FP0001": "614810477"},
    names={"内江筑石混泥土有限公司": "606285385", "保留账户管理": "__EMPTY__"},
    salt=SALT,
)
COLUMNS = IdentityColumns(target="company_id", plan="计划代码", customer="客户名称", existing="公司代码")
NAME_ONLY = IdentityColumns(target="company_id", plan=None, customer="客户名称", existing=None)


def rows(**cells: list[str | None]) -> pd.DataFrame:
    height = max(map(len, cells.values()))
    blank: dict[str, list[str | None]] = dict.fromkeys(("计划代码", "客户名称", "公司代码"), [None] * height)
    return pd.DataFrame(blank | cells, dtype="string")


def found(**cells: list[str | None]) -> Identified:
    return identify(rows(**cells), book=BOOK, columns=COLUMNS)


def test_the_plan_is_asked_first_then_the_name_then_the_existing_id() -> None:
    frame = found(
        计划代码=["FP0001", "P1", "P1", "P1"],
        客户名称=["内江筑石混泥土有限公司", "内江筑石混泥土有限公司", "中国平安", "中国石油"],
        公司代码=["1", "1", "1", None],
    ).frame

    temporary = temporary_id("中国石油", salt=SALT)
    assert frame["company_id"].tolist() == ["614810477", "606285385", "1", temporary]
    assert frame["_identity_source"].tolist() == ["plan_override", "name_override", "existing_id", "temporary_id"]
    assert frame["_identity_confidence"].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_an_override_by_name_meets_every_spelling_of_the_name() -> None:
    frame = found(客户名称=["内江筑石混泥土有限公司-已转出", "「内江 筑石混泥土有限公司」"]).frame

    assert frame["company_id"].tolist() == ["606285385", "606285385"]


def test_an_excluded_name_gets_no_id_whatever_stands_in_the_row() -> None:
    frame = found(客户名称=["保留账户管理"], 公司代码=["123"]).frame

    assert frame["company_id"].isna().all()
    assert frame["_identity_source"].tolist() == ["excluded"]


@pytest.mark.parametrize("blank", [None, "", " ", "0", "０", "空白", "(空白)", "无", "N/A", "-", "企业年金计划", "？"])
def test_a_blank_name_gets_no_id(blank: str | None) -> None:
    identified = found(客户名称=[blank, "中国平安"])

    assert identified.frame["company_id"].isna().tolist() == [True, False]
    assert identified.frame["_identity_source"].iloc[0] == "unresolved"
    assert identified.frame["_identity_confidence"].isna().tolist() == [True, False]


@pytest.mark.parametrize("written", ["N", "na", "N/A", "None", "NULL", "NaN", "", " ", "-", "0", "IN" + "A" * 16])
def test_what_only_stands_for_an_id_is_ignored(written: str) -> None:
    assert found(客户名称=["中国平安"], 公司代码=[written]).hits["temporary_id"] == 1


def test_existing_ids_are_stripped_and_in_capitals() -> None:
    assert found(客户名称=[None], 公司代码=[" c10001 "]).frame["company_id"].tolist() == ["C10001"]


@pytest.mark.parametrize("written", ["６１４８１０４７７", "614810477.0", " 614810477 "])
def test_an_id_is_read_whatever_its_width_and_form(written: str) -> None:
    assert found(客户名称=["甲公司"], 公司代码=[written]).frame["company_id"].tolist() == ["614810477"]


def test_hits_count_rows_of_every_source() -> None:
    hits = found(计划代码=["FP0001", "FP0001", None, None], 客户名称=["甲", "乙", "甲", None]).hits

    assert {source: count for source, count in hits.items() if count} == {
        "plan_override": 2,
        "temporary_id": 1,
        "unresolved": 1,
    }
    assert set(hits) == {matcher.name for matcher in MATCHERS} | {"excluded", "unresolved"}


def test_names_behind_temporary_ids_come_out_sorted_and_once() -> None:
    identified = found(客户名称=["乙公司", "甲公司-已转出", "甲公司", "乙公司", None])

    assert identified.unresolved_names == tuple(sorted(["乙公司", "甲公司"]))


def test_the_answer_is_aligned_with_the_rows() -> None:
    given_rows = rows(客户名称=["甲公司", None, "甲公司"]).set_axis([7, 7, 1])

    frame = identify(given_rows, book=BOOK, columns=NAME_ONLY).frame

    assert frame.index.tolist() == [7, 7, 1]
    assert frame["_identity_source"].tolist() == ["temporary_id", "unresolved", "temporary_id"]
    assert frame.dtypes.astype(str).tolist() == ["string", "string", "float64"]


def test_no_rows_give_an_empty_answer() -> None:
    identified = identify(rows(客户名称=["甲"]).head(0), book=BOOK, columns=NAME_ONLY)

    assert (len(identified.frame), identified.unresolved_names, sum(identified.hits.values())) == (0, (), 0)


def test_a_further_matcher_is_asked_in_its_place() -> None:
    def by_ledger(keys: pd.DataFrame, _clues: Clues) -> pd.DataFrame:
        ids = keys["name"].map({"中国平安": "600000001"}).astype("string")
        entry = pd.array([7] * len(ids), dtype="Int64")
        return pd.DataFrame({"company_id": ids, "confidence": 0.9, "entry_id": entry, "clue": "row"})

    matchers = (*MATCHERS[:2], Matcher(name="ledger", find=by_ledger, says="a ledger"), *MATCHERS[2:])
    identified = identify(rows(客户名称=["中国平安", "甲"]), book=BOOK, columns=NAME_ONLY, matchers=matchers)

    assert identified.frame["_identity_source"].tolist() == ["ledger", "temporary_id"]
    assert identified.frame["_identity_confidence"].tolist() == [0.9, 0.0]
    assert identified.entries_used().to_dict("list") == {"entry_id": [7], "rows": [1]}


def test_a_temporary_id_depends_on_name_and_salt_only() -> None:
    assert temporary_id("中国平安", salt="default_dev_salt_change_in_prod") == "INQ7R63KMJIXWW7VGM"
    assert temporary_id("中国平安", salt=SALT) != temporary_id("中国平安", salt="another")


def test_temporary_ids_of_many_names_differ() -> None:
    ids = {temporary_id(f"公司{number}", salt=SALT) for number in range(10_000)}

    assert len(ids) == 10_000
    assert all(map(is_temporary, ids))


@pytest.mark.parametrize(("name", "salt"), [("", SALT), ("中国平安", "")])
def test_a_temporary_id_needs_a_name_and_a_salt(name: str, salt: str) -> None:
    with pytest.raises(ValueError, match="needs a name and a salt"):
        temporary_id(name, salt=salt)


@pytest.mark.parametrize("company_id", ["", "614810477", "IN", "INDIA", "IN" + "1" * 16, "IN" + "A" * 17])
def test_other_ids_are_not_temporary(company_id: str) -> None:
    assert not is_temporary(company_id)


def test_two_overrides_of_one_name_must_agree() -> None:
    with pytest.raises(ConfigError) as refused:
        IdentityBook.from_entries(plans={}, names={"甲公司": "1", "甲公司-已转出": "2"}, salt=SALT)

    assert refused.value.field == "甲公司-已转出"


def test_the_salt_never_shows() -> None:
    assert SALT not in repr(BOOK)


def test_what_cannot_be_an_id_is_none_and_an_inner_space_is_no_other_customer() -> None:
    written = ["待查", "61481 0477", "IN0123456789ABCDEF", "614810477/2", "c-1", None]
    frame = found(客户名称=["甲公司"] * 6, 公司代码=written).frame

    assert frame["company_id"].tolist()[1] == "614810477"
    assert frame["company_id"].tolist()[4] == "C-1"
    assert frame["_identity_source"].tolist()[0] == "temporary_id"
    assert frame["_identity_source"].tolist()[2:4] == ["temporary_id", "temporary_id"]
    assert unusable_ids(pd.Series(written, dtype="string")).tolist() == [True, False, True, True, False, False]
