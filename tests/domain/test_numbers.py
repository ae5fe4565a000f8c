from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from work_data_hub.domain.numbers import parse_number

pytestmark = pytest.mark.unit

FULL_WIDTH = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)} | {" ": "\u3000"})


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("586481926.480001", "586481926.480001"),
        ("12345678901234567890123456789012.345678901", "12345678901234567890123456789012.345678901"),
        ("1,234,567.89", "1234567.89"),
        ("1,2345,6789.5", "123456789.5"),
        ("１，２３４．５０", "1234.50"),
        ("－１００", "-100"),
        ("−100", "-100"),  # the typographic minus
        ("100-", "-100"),
        ("+100", "100"),
        ("(100)", "-100"),
        ("（1,000.5）", "-1000.5"),
        ("¥(100)", "-100"),
        ("(100)元", "-100"),
        ("￥ 1,234", "1234"),
        ("-$5", "-5"),
        ("€-5", "-5"),
        ("5 ₽", "5"),
        ("100元", "100"),
        ("1.5万", "15000"),
        ("1.5 万元", "15000"),
        ("0.00000001亿", "1"),
        ("-2亿元", "-200000000"),
        ("12.5%", "0.125"),
        ("１２％", "0.12"),
        ("1e5", "100000"),
        ("-1.25E-3", "-0.00125"),
        ("\u00a0100\u3000", "100"),
        ("\u202a100\u202c", "100"),  # marks of direction copied along
    ],
)
def test_written_numbers_are_read_exactly(written: str, read: str) -> None:
    assert parse_number(written) == Decimal(read)


@pytest.mark.parametrize(
    "written",
    [
        *("", "  ", "\u3000", "-", "--", "—", "——", "/", "N/A", "NA", "n/a", "Null", "NONE", "NaN", "nan"),
        *("无", "暂无", "空白", "(空白)", "（空白）", " － ", "ｎ／ａ"),
    ],
)
def test_placeholders_are_no_number(written: str) -> None:
    assert parse_number(written) is None


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("1.2.3", "one decimal point"),
        ("1,2", "groups"),
        ("0,123", "groups"),
        ("1,23,456", "groups"),
        ("12,345,6789", "groups"),
        ("1.234,56", "groups"),
        ("1，2", "groups"),
        ("1、234", "a number such as"),
        ("abc", "letters"),
        ("12abc", "letters"),
        ("一百", "letters"),
        ("TRUE", "letters"),
        ("٣", "a number such as"),  # digits of another script
        ("10²", "letters"),
        ("1-2", "no range"),
        ("1/2", "no range"),
        ("1 234", "no space"),
        ("1  234", "no space"),
        ("100\n200", "no space"),
        ("1\x002", "NUL"),
        ("inf", "finite"),
        ("-Infinity", "finite"),
        ("1e999", "letters"),
        ("--5", "a number such as"),
        ("-(5)", "a number such as"),
        ("(5", "a number such as"),
        ("5)", "a number such as"),
        ("+-5", "a number such as"),
        ("¥5€", "a number such as"),
        ("5万%", "a number such as"),
        ("万", "a number such as"),
        (".", "a number such as"),
        ("#N/A", "letters"),
        ("=1+1", "no range"),
    ],
)
def test_anything_else_is_refused_with_its_rule(written: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        parse_number(written)


NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**15), max_value=10**15)


@settings(deadline=None)
@given(NUMBERS)
def test_every_written_form_reads_back_exactly(number: Decimal) -> None:
    plain, size = f"{number:f}", f"{abs(number):,f}"
    forms = [plain, f"{number:,f}", f"{number:e}", f"¥{plain}", f"{plain}元", f" {plain} "]
    if number < 0:
        forms += [f"({size})", f"（{size}）", f"{size}-"]

    for form in forms:
        assert parse_number(form) == number
        assert parse_number(form.translate(FULL_WIDTH)) == number


@settings(deadline=None)
@given(NUMBERS, st.sampled_from([("万", 4), ("万元", 4), ("亿", 8), ("亿元", 8), ("%", -2)]))
def test_units_move_the_point_and_nothing_else(number: Decimal, unit: tuple[str, int]) -> None:
    word, power = unit

    read = parse_number(f"{number:f}{word}")

    assert read is not None
    assert read.scaleb(-power) == number


@settings(deadline=None)
@given(st.text())
def test_any_text_is_a_number_a_blank_or_refused(text: str) -> None:
    try:
        read = parse_number(text)
    except ValueError:
        return
    assert read is None or read.is_finite()
