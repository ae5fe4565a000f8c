import hashlib
import unicodedata

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.domain.golden_names import OWN, SHEET

from work_data_hub.domain.identity.names import (
    ENTERPRISE_TYPES,
    NORMALISER_VERSION,
    RULES,
    STATUS_MARKERS,
    explain_name,
    normalise_name,
    normalise_names,
    rule_counts,
    shortened,
)

pytestmark = pytest.mark.unit

FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"})
PIECES = ["中国平安", "公司", "有限公司", "（北京）", "(普通合伙)", "(团托)", "-A1", "－２", "-养老", "及下属子企业"]
PIECES += ["（", ")", "-", "—", "。", "「", '"', " ", "\u3000", "ａ", "ß", "0", "无", "保留账户管理", *STATUS_MARKERS]
NAMES = st.text() | st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


@pytest.mark.parametrize(("written", "form"), [*SHEET, *OWN])
def test_names_come_to_one_form(written: str | None, form: str) -> None:
    assert normalise_name(written) == form


def test_every_golden_form_is_its_own_form_and_the_table_is_long_enough() -> None:
    forms = [form for _, form in (*SHEET, *OWN)]

    assert [normalise_name(form) for form in forms] == forms
    assert (len(OWN) >= 80, len({written for written, _ in (*SHEET, *OWN)}) == len(forms)) == (True, True)


def test_every_marker_goes_behind_and_in_front_but_not_without_a_separator() -> None:
    for marker in STATUS_MARKERS:
        written = (f"平安-{marker}", f"平安（{marker}）", f"{marker}-平安", f"（{marker}）平安")
        assert {normalise_name(name) for name in written} == {"平安"}
        assert normalise_name(f"平安{marker}") == f"平安{marker}"
        assert normalise_name(marker) == ""


def test_every_enterprise_type_stays_in_its_bracket() -> None:
    assert [normalise_name(f"平安({kind})") for kind in ENTERPRISE_TYPES] == [
        f"平安（{kind}）" for kind in ENTERPRISE_TYPES
    ]


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
def test_a_form_grows_only_by_capitals_and_composed_letters(name: str) -> None:
    assert len(normalise_name(name)) <= 3 * len(name)
    if name.isascii():
        assert len(normalise_name(name)) <= len(name)


@settings(deadline=None)
@given(st.lists(st.none() | NAMES, max_size=20))
def test_a_column_is_normalised_as_its_names_are_one_by_one(names: list[str | None]) -> None:
    assert normalise_names(pd.Series(names, dtype="string")).tolist() == [normalise_name(name) for name in names]


@settings(deadline=None)
@given(NAMES)
def test_rules_changed_a_name_when_its_form_is_another(name: str) -> None:
    assert bool(explain_name(name)) == (normalise_name(name) != name)


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


def test_every_rule_has_its_own_name_and_says_what_it_does() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.says.endswith(".") and len(rule.says) > 20 for rule in RULES)


def test_every_rule_changes_a_golden_name() -> None:
    changed = {rule for written, _ in (*SHEET, *OWN) for rule in explain_name(written)}

    assert changed == {rule.name for rule in RULES}


def test_the_version_goes_with_the_forms() -> None:
    """Whoever changes a form changes this digest, and then raises the version: stored keys are of the old one."""
    forms = "\n".join(form for _, form in [*SHEET, *OWN])

    assert (NORMALISER_VERSION, hashlib.sha256(forms.encode()).hexdigest()[:12]) == (2, "62887442f082")


def test_rules_count_the_rows_that_they_change() -> None:
    names = pd.Series(["公司-A1", "公司-A1", "公司(集团)", "平安", None, "无"], dtype="string")

    counts = rule_counts(names)

    assert list(counts) == [rule.name for rule in RULES]
    assert {rule: rows for rule, rows in counts.items() if rows} == {
        "width": 1,
        "placeholder": 1,
        "account suffix": 2,
        "trailing bracket": 1,
    }


def test_a_name_is_shortened_when_words_go_not_when_only_its_typing_changes() -> None:
    names = pd.Series(
        ["公司-A1", " 平 安 ", "ａｂｃ", "「平安」。", None, "无"], index=[5, 5, 1, 2, 3, 4], dtype="string"
    )

    assert shortened(names).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize(
    "hostile", ["（" * 32_767, "-1" * 16_383, "转移终止" * 8_000 + "x", "-" * 32_767, "（）" * 16_383, "-1。" * 10_922]
)
def test_a_hostile_cell_is_normalised_all_the_same(hostile: str) -> None:
    assert len(normalise_name(hostile)) < len(hostile) + 1
