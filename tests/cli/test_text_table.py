"""Tables as lines: Chinese in its true width, words to the left, numbers to the right."""

import pytest
from rich.cells import cell_len

from work_data_hub.cli.text_table import number_lines, short_text, table_lines, wrapped

pytestmark = pytest.mark.unit


def test_numbers_line_up_by_display_width() -> None:
    lines = number_lines([["table", "inserted"], ["business.规模明细", "1"], ["a", "33,000"]])

    assert len({cell_len(line) for line in lines}) == 1
    assert lines[1] == "  business.规模明细         1"


def test_tables_count_chinese_twice_and_wrap_the_last_column() -> None:
    assert table_lines([("机构", "一 二"), ("a", "三")]) == ["  机构  一 二", "  a     三"]
    assert table_lines([("a", "一二 " * 7)], width=20)[1:] == ["     一二 一二"]
    assert wrapped("机构代码 is looked up", 12) == ["机构代码 is", "looked up"]
    assert wrapped("机构代码", 4) == ["机构", "代码"]


def test_no_line_of_words_ends_in_blanks() -> None:
    assert table_lines([("a", "b", ""), ("长的", "", "")]) == ["  a     b", "  长的"]


def test_a_value_is_shown_on_one_line_and_cut() -> None:
    assert [short_text(value) for value in (None, " ", "a\nb")] == ["(空白)", "(空白)", "a b"]
    assert short_text("x" * 41) == "x" * 40 + "…"
