"""The four texts of a drafted domain: declaration, configuration block, migration, example test."""

import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.columns import Kind
from work_data_hub.domain.domain_draft import Draft
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.domain.python_text import comment, literal, written
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.tables import create_table_text

EXAMPLE_ROWS = 3
_IN_BRACKETS = re.compile(r"[【\[(（〔].*?[】\])）〕]")
_DATES = re.compile(r"\d+年(度)?(\d+月(份)?)?|\d+月(份)?|V\d+")
_WORDS = re.compile(r"[^\W\d]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Rows of the sample and what refining makes of them: cells, and values, by column."""

    rows: dict[str, list[Any]]
    values: dict[str, list[Any]]


def examples(draft: Draft, bronze: Bronze, outcome: Outcome, *, most: int = EXAMPLE_ROWS) -> Examples:
    """The first accepted rows of the sample; a company id that is made of a name is left out."""
    rejected = set(outcome.rejects["position"])
    at = [position for position in range(bronze.rows_read) if position not in rejected][:most]
    texts = bronze.texts.set_index(["position", "column"])["text"].to_dict()
    read = [column.name for column in draft.domain.read if column.name in bronze.frame]
    rows = {name: _plain(bronze.frame[name].iloc[at]) for name in read}
    values = {column.name: _plain(outcome.gold[column.name].head(most)) for column in draft.domain.stored}
    return Examples(
        rows={n: [texts.get((p, n), v) for p, v in zip(at, cells, strict=True)] for n, cells in rows.items()},
        values={name: found for name, found in values.items() if not any(_is_made_up(value) for value in found)},
    )


def declaration_text(draft: Draft) -> str:
    """The module that declares the domain."""
    wish = draft.wish
    calls = {column.call.function for column in draft.columns}
    steps = sorted({step.function for step in draft.steps})
    units = list(dict.fromkeys(c.unit for c in draft.domain.columns if c.kind is Kind.MONEY))[:3]
    amounts = f", amounts in {', '.join(units)}" if units else ""
    return "".join(
        [
            f'"""{wish.title}: detail rows of a month{amounts}."""\n\n',
            f"from work_data_hub.domain.spec import {', '.join(['Domain', 'ReplaceMonth', *sorted(calls)])}\n",
            f"from work_data_hub.domain.steps import {', '.join(steps)}\n" if steps else "",
            f"\n{wish.name.upper()} = Domain(\n",
            f"    name={literal(wish.name)},\n    title={literal(wish.title)},\n    table={literal(wish.table)},\n",
            "    columns=(\n",
            *(_declared(column.call, remark=column.remark) for column in draft.columns),
            "    ),\n    steps=(\n" if steps else "    ),\n    steps=(),\n",
            *(_declared(step) for step in draft.steps),
            "    ),\n" if steps else "",
            f"    load=ReplaceMonth(column={literal(draft.month)}),\n",
            _option("indexes", draft.indexes),
            _option("ignored_headings", draft.ignored),
            ")\n",
        ]
    )


def block_lines(draft: Draft, *, folder: str, file: str, sheet: str) -> list[str]:
    """The lines of the domain's block in the configuration, not indented."""
    return [
        f"base_path: {_quoted(folder)}",
        f"file_patterns: [{_quoted(file_pattern(file))}]",
        f"sheet_names: [{_quoted(sheet)}]",
    ]


def file_pattern(file: str) -> str:
    """A pattern that finds next month's file too: `【for分析】25年10月机构费用 1111.xlsx` → `*机构费用*.xlsx`."""
    stem, _, ending = file.rpartition(".")
    words = _WORDS.findall(_DATES.sub(" ", _IN_BRACKETS.sub(" ", stem)))
    longest = max((word.strip("_") for word in words), key=len, default="")
    return f"*{longest}*.{ending}" if longest else f"*.{ending}"


def migration_text(draft: Draft, *, revision: str, down_revision: str) -> str:
    """The migration that makes the table, self-contained."""
    table, *indexes = create_table_text(draft.domain).removesuffix(";").split(";\n")
    statements = [_executed(statement) for statement in (table, *(_broken(index) for index in indexes))]
    schema, name = draft.domain.schema_and_table
    return (
        f'"""{draft.wish.title}: {draft.wish.table}."""\n\nfrom alembic import op\n\n'
        f'revision = "{revision}"\ndown_revision = "{down_revision}"\nbranch_labels = None\ndepends_on = None\n\n\n'
        f"def upgrade() -> None:\n{''.join(statements)}\n\n"
        f'def downgrade() -> None:\n    op.execute(\'drop table "{schema}"."{name}"\')\n'
    )


def example_text(draft: Draft, given: Examples) -> str:
    """The example test: rows of the sample, and the values that refining makes of them."""
    name, constant, period = draft.wish.name, draft.wish.name.upper(), draft.period
    exact = any(isinstance(value, Decimal) for found in given.values.values() for value in found)
    remark = comment("check: these are rows of the sample; replace what must not stand in the repository")
    expected = written(list(given.values.items()), indent=4, behind=1)
    return f'''"""{draft.wish.title}: rows of the sample, and what becomes of them."""

from datetime import date
{"from decimal import Decimal" + chr(10) if exact else ""}from typing import Any

import pandas as pd
import pytest
from tests.domain.domain_rows import refined, rows

from work_data_hub.domain.catalog.{name} import {constant}
from work_data_hub.domain.run import Outcome

pytestmark = pytest.mark.unit

{remark}ROWS: dict[str, Any] = {written(given.rows, before=len("ROWS: dict[str, Any] = "))}


def outcome() -> Outcome:
    bronze = rows({constant}, **ROWS)
    return refined({constant}, bronze, period="{period.yyyymm}", today={written(period.last_day)})


def test_no_row_is_rejected() -> None:
    assert outcome().rejects["rule"].tolist() == []


@pytest.mark.parametrize(
    ("column", "values"),
    {expected},
)
def test_cells_become_values(column: str, values: list[Any]) -> None:
    assert [None if pd.isna(value) else value for value in outcome().gold[column]] == values
'''


def _declared(call: Any, *, remark: str = "") -> str:
    above = comment(f"check: {remark}", indent=8) if remark else ""
    return f"{above}        {written(call, indent=8, behind=1)},\n"


def _option(name: str, value: tuple[Any, ...]) -> str:
    if not value:
        return ""
    return f"    {name}={written(value, indent=4, before=len(name) + 1, behind=1)},\n"


def _executed(statement: str) -> str:
    lines = "".join(f"        {line}\n" for line in statement.splitlines())
    return f'    op.execute("""\n{lines}    """)\n'


def _broken(index: str) -> str:
    """An index's statement on two lines."""
    return index.replace('" on "', '"\n  on "', 1)


def _plain(cells: pd.Series) -> list[Any]:
    return [None if pd.isna(value) else value for value in cells.tolist()]


def _is_made_up(value: Any) -> bool:
    return isinstance(value, str) and is_temporary(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
