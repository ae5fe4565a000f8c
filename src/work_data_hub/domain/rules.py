"""The rules a row is held to: code, sentence and advice, one place for reports, docs and `wdh rule`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One reason to reject a cell, as its owner reads it."""

    code: str
    title: str
    requirement: str
    hint: str
    why: str = ""


RULES: dict[str, Rule] = {
    rule.code: rule
    for rule in (
        Rule(
            code="WDH-V101",
            title="日期无法识别 · date not recognised",
            requirement="202410, 2024-10, 2024/10, 2024.10, 2024年10月, 24年10月, with or without a day, an Excel date",
            hint="write the month as 202410",
            why=(
                "A month decides which rows a load replaces, so it is never guessed from its neighbours "
                "or from the folder. Every form that people and spreadsheets write is understood, in both "
                "widths; a year alone, a month in words and a day that the month does not have are not."
            ),
        ),
        Rule(
            code="WDH-V102",
            title="日期为空 · date is blank",
            requirement="every row names its month",
            hint="fill in the month of the folder",
            why=(
                "A row without its month could belong to any. It is rejected rather than given the month "
                "of the folder, because blank months are most often rows of a subtotal or of another "
                "sheet."
            ),
        ),
        Rule(
            code="WDH-V201",
            title="金额无法识别 · number not recognised",
            requirement="a number; commas, 万, 亿, %, brackets for negatives and full-width digits are understood",
            hint="type the amount as a number",
            why=(
                "Amounts are read exactly, from their text where the cell holds text. 1,2 could be 12 or "
                "1.2, and 见附件 is no amount: what cannot be read without a guess is rejected, never taken "
                "for zero. Blank cells and placeholders such as - or 无 are no amount and no error."
            ),
        ),
        Rule(
            code="WDH-V202",
            title="数值超出范围 · number out of range",
            requirement="a rate lies between -1 (-100 %) and 10 (1000 %)",
            hint="write 5.36 % as 0.0536 or as 5.36%",
            why=(
                "A rate of 5.36 that was meant as 5.36 % would be a hundred times too large and still "
                "look like a number. Values outside the range of the column are therefore shown to their "
                "owner instead of being divided by a guess."
            ),
        ),
        Rule(
            code="WDH-V203",
            title="数值过大 · number too large",
            requirement="the number fits the column of the warehouse",
            hint="check the unit: amounts are in 元",
            why=(
                "The warehouse keeps a fixed number of digits for each column; more would be cut off or "
                "refused by the database in the middle of the load. Most often the amount is in another "
                "unit than the column's."
            ),
        ),
        Rule(
            code="WDH-V204",
            title="金额低于下限 · amount below its limit",
            requirement="the amount is not below the lowest that its column allows, mostly 0",
            hint="check the sign of the amount",
            why=(
                "Some amounts cannot be negative: a fund has no value below zero. A negative one is a slip of "
                "the sheet, and the rest of the row cannot be trusted either. Columns that may be negative "
                "have no limit."
            ),
        ),
        Rule(
            code="WDH-V205",
            title="不是整数 · not a whole number",
            requirement="a whole number",
            hint="type a whole number",
            why=(
                "The column counts things, and half a thing is most often an amount in the wrong column. "
                "It is not rounded, because nobody could tell afterwards what stood there."
            ),
        ),
        Rule(
            code="WDH-V301",
            title="文本过长 · text too long",
            requirement="the text fits the column of the warehouse",
            hint="shorten the text",
            why=(
                "The column of the warehouse has a length, and a text is never cut to fit it. Long texts "
                "are most often a remark in the wrong column."
            ),
        ),
        Rule(
            code="WDH-V302",
            title="含有空字符 · NUL character",
            requirement="text without NUL characters",
            hint="type the cell again",
            why=(
                "PostgreSQL cannot store the NUL character, and nobody can see it in Excel. It comes from "
                "exports of other systems; typing the cell anew removes it."
            ),
        ),
        Rule(
            code="WDH-V303",
            title="必填项为空 · required value is blank",
            requirement="the value is given, or a default applies",
            hint="fill in the cell",
            why=(
                "The value is needed to tell what the row is about, no default applies to it, and a row "
                "without it would be counted nowhere. Defaults that exist (a plan code by plan type) were "
                "tried before."
            ),
        ),
        Rule(
            code="WDH-V304",
            title="主键重复 · key stands twice",
            requirement="each row of the month has another key; the columns of the key are named by the declaration",
            hint="keep one of the rows with this key, or correct the key",
            why=(
                "Rows of this table are told apart by their key. Where it stands twice, the first row is taken "
                "and every further one is shown, because only its owner knows which of them is right."
            ),
        ),
        Rule(
            code="WDH-V401",
            title="Excel 错误值 · Excel error",
            requirement="a value, not #N/A, #REF! or another Excel error",
            hint="repair the formula or type the value",
            why=(
                "A formula of the workbook has failed, so the cell shows what went wrong instead of a "
                "value. Reading it as blank would turn an error of the sheet into a missing amount."
            ),
        ),
        Rule(
            code="WDH-V402",
            title="公式未计算 · formula never calculated",
            requirement="a formula has a stored result",
            hint="open the workbook in Excel, let it calculate and save it",
            why=(
                "The file was written by a program that stored the formula and not its result; no reader "
                "can know the value before Excel has calculated it."
            ),
        ),
        Rule(
            code="WDH-V403",
            title="逻辑值 · TRUE or FALSE in a number",
            requirement="a number, not TRUE or FALSE",
            hint="type the amount as a number",
            why=(
                "TRUE and FALSE count as 1 and 0 for some programs. In a column of amounts they are a "
                "slip, so the row is rejected and shown."
            ),
        ),
    )
}
