"""The rules a row is held to: code, sentence and advice, one place for reports, docs and `wdh rule`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One reason to reject a cell, as its owner reads it."""

    code: str
    title: str
    requirement: str
    hint: str


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            code="WDH-V101",
            title="日期无法识别 · date not recognised",
            requirement="202410, 2024-10, 2024/10, 2024.10, 2024年10月, 24年10月, with or without a day, an Excel date",
            hint="write the month as 202410",
        ),
        Rule(
            code="WDH-V102",
            title="日期为空 · date is blank",
            requirement="every row names its month",
            hint="fill in the month of the folder",
        ),
        Rule(
            code="WDH-V201",
            title="金额无法识别 · number not recognised",
            requirement="a number; commas, 万, 亿, %, brackets for negatives and full-width digits are understood",
            hint="type the amount as a number",
        ),
        Rule(
            code="WDH-V202",
            title="数值超出范围 · number out of range",
            requirement="a rate lies between -1 (-100 %) and 10 (1000 %)",
            hint="write 5.36 % as 0.0536 or as 5.36%",
        ),
        Rule(
            code="WDH-V203",
            title="数值过大 · number too large",
            requirement="the number fits the column of the warehouse",
            hint="check the unit: amounts are in 元",
        ),
        Rule(
            code="WDH-V301",
            title="文本过长 · text too long",
            requirement="the text fits the column of the warehouse",
            hint="shorten the text",
        ),
        Rule(
            code="WDH-V302",
            title="含有空字符 · NUL character",
            requirement="text without NUL characters",
            hint="type the cell again",
        ),
        Rule(
            code="WDH-V303",
            title="必填项为空 · required value is blank",
            requirement="the value is given, or a default applies",
            hint="fill in the cell",
        ),
        Rule(
            code="WDH-V401",
            title="Excel 错误值 · Excel error",
            requirement="a value, not #N/A, #REF! or another Excel error",
            hint="repair the formula or type the value",
        ),
        Rule(
            code="WDH-V402",
            title="公式未计算 · formula never calculated",
            requirement="a formula has a stored result",
            hint="open the workbook in Excel, let it calculate and save it",
        ),
        Rule(
            code="WDH-V403",
            title="逻辑值 · TRUE or FALSE in a number",
            requirement="a number, not TRUE or FALSE",
            hint="type the amount as a number",
        ),
    )
}
