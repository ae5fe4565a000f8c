import unicodedata

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.identity.names import (
    RULES,
    STATUS_MARKERS,
    explain_name,
    normalise_name,
    normalise_names,
)

pytestmark = pytest.mark.unit

FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"})
PIECES = ["中国平安", "公司", "有限公司", "（北京）", "(普通合伙)", "(团托)", "-A1", "－２", "-养老", "及下属子企业"]
PIECES += ["（", ")", "-", "—", "。", "「", '"', " ", "\u3000", "ａ", "ß", "0", "无", "保留账户管理", *STATUS_MARKERS]
NAMES = st.text() | st.lists(st.sampled_from(PIECES), max_size=10).map("".join)

GOLDEN = [
    ("中国平安", "中国平安"),
    ("中国平安-已转出", "中国平安"),
    ("中国平安—终止", "中国平安"),
    ("中国平安(已转出)", "中国平安"),
    ("中国平安（已转出", "中国平安"),  # the bracket was never closed
    ("中国平安-已转移终止", "中国平安"),
    ("中国平安-保留账户", "中国平安"),
    ("中国平安转出", "中国平安转出"),
    ("(原)中国平安", "中国平安"),
    ("（已转出）中国平安", "中国平安"),
    ("（已转出、终止）-中国平安", "中国平安"),
    ("原-中国平安", "中国平安"),
    ("已转出—中国平安", "中国平安"),
    ("原野集团", "原野集团"),
    ("集合科技", "集合科技"),
    ("本部物业公司", "本部物业公司"),
    ("保留区建设公司", "保留区建设公司"),
    ("（平安）科技", "（平安）科技"),
    ("（中原）地产", "（中原）地产"),
    ("（平安）", "（平安）"),
    ("公司（集团）", "公司"),
    ("公司（北京（集团））", "公司"),
    ("公司(北京-已转出)", "公司"),
    ("公司（集团）（深圳）", "公司"),
    ("ＡＢＣ（深圳）", "ABC"),
    ("abc(深圳)有限公司", "ABC（深圳）有限公司"),
    ("公司（普通合伙）", "公司（普通合伙）"),
    ("公司(有限合伙)", "公司（有限合伙）"),
    ("公司（有限合伙）-已转出", "公司（有限合伙）"),
    ("中国平安（北京）有限公司", "中国平安（北京）有限公司"),
    ("公司企业年金计划", "公司企业年金计划"),
    ("公司-企业年金计划", "公司"),
    ("企业年金计划", ""),
    ("（集合）", ""),
    ("公司－123", "公司"),
    ("公司-A12b", "公司"),
    ("公司-养老", "公司"),
    ("公司-福利", "公司"),
    ("公司(团托)", "公司"),
    ("公司及下属子企业", "公司"),
    ("公司及下属子企业-A1-已转出（团托）。", "公司"),
    ("中国 平安\u3000股份\t有限\n公司", "中国平安股份有限公司"),
    ("\ufeff中国\u200b平安\u00a0", "中国平安"),
    ("「中国平安」", "中国平安"),
    ('"中国平安"', "中国平安"),
    ("有限公司.", "有限公司"),
    ("公司（）-", "公司"),
    ("保留账户管理", "保留账户管理"),  # a name of its own, though it starts with a marker
    (" 保留账户管理 ", "保留账户管理"),
    ("保留账户管理-已转出", "保留账户管理"),
    ("0", "0"),
    ("０", "0"),
    ("", ""),
    (" \u3000", ""),
    ("空白", ""),
    ("（空白）", ""),
    ("无", ""),
    ("null", ""),
    ("N/A", ""),
    ("——", ""),
    ("？？", ""),
    (None, ""),
]


@pytest.mark.parametrize(("written", "form"), GOLDEN)
def test_names_come_to_one_form(written: str | None, form: str) -> None:
    assert normalise_name(written) == form


@settings(deadline=None)
@given(NAMES)
def test_the_form_of_a_form_is_itself(name: str) -> None:
    form = normalise_name(name)

    assert normalise_name(form) == form


@settings(deadline=None)
@given(NAMES)
def test_a_form_has_no_white_space_and_no_control_characters(name: str) -> None:
    form = normalise_name(name)

    assert not any(letter.isspace() or unicodedata.category(letter) == "Cc" for letter in form)


@settings(deadline=None)
@given(NAMES)
def test_width_and_space_around_make_no_difference(name: str) -> None:
    form = normalise_name(name)

    assert normalise_name(name.translate(FULL_WIDTH)) == form
    assert normalise_name(f" {name}\u3000") == form


def test_a_column_of_names_keeps_its_index_and_has_no_nulls() -> None:
    names = pd.Series(
        ["ＡＢＣ", pd.NA, "公司-已转出", "ＡＢＣ", "无"], index=[3, 3, 1, 0, 9], dtype="string", name="客户名称"
    )

    forms = normalise_names(names)

    assert forms.tolist() == ["ABC", "", "公司", "ABC", ""]
    assert (str(forms.dtype), forms.index.tolist(), forms.name) == ("string", [3, 3, 1, 0, 9], "客户名称")


@pytest.mark.parametrize("empty", [pd.Series([], dtype="string"), pd.Series([float("nan")] * 2)])
def test_a_column_without_names_is_blank(empty: "pd.Series[str]") -> None:
    assert normalise_names(empty).tolist() == [""] * len(empty)


def test_explaining_names_the_rules_in_order() -> None:
    assert explain_name("原-中国平安 (北京)") == ("width", "white space", "leading marker", "trailing bracket")
    assert explain_name("中国平安") == explain_name(None) == ()


def test_every_rule_has_its_own_name() -> None:
    assert len({name for name, _ in RULES}) == len(RULES)


@pytest.mark.parametrize(
    "hostile", ["（" * 32_767, "-1" * 16_383, "转移终止" * 8_000 + "x", "-" * 32_767, "（）" * 16_383]
)
def test_a_hostile_cell_is_normalised_all_the_same(hostile: str) -> None:
    assert len(normalise_name(hostile)) < len(hostile) + 1
