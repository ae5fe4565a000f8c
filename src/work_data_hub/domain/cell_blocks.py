"""A sheet's cells as values, read whole or in blocks of rows: both give the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from work_data_hub.domain.bronze import Bronze, row_blocks
from work_data_hub.domain.columns import Column
from work_data_hub.domain.findings import Counted, Rejected, counted, rejected
from work_data_hub.domain.kinds import RULE_ORDER, Findings, Unread, parse_column
from work_data_hub.domain.spreading import Mapper

Values = Mapping[str, pd.Series]


@dataclass(frozen=True, slots=True, kw_only=True)
class CellBlock:
    """Rows of a sheet and the columns to read in them; all that a worker needs to know."""

    columns: tuple[Column, ...]
    rows: Bronze


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBlock:
    """The values of each column by its name, and what was found in it; positions count from the block's first row."""

    values: dict[str, pd.Series]
    findings: dict[str, Findings]


def parse_cells(
    columns: Sequence[Column], bronze: Bronze, *, mapper: Mapper
) -> tuple[Values, list[Rejected | Counted]]:
    """The values of each column, and the cells that could not be read, column by column.

    Every column stands in the bronze frame, whose index the values keep.
    """
    rows = mapper.block_rows
    if rows is None or bronze.rows_read <= rows:
        whole = parse_block(CellBlock(columns=tuple(columns), rows=bronze))
        return whole.values, list(_told(whole.findings, bronze))
    bare = replace(bronze, frame=bronze.frame[[column.name for column in columns]], broken=bronze.broken.iloc[:0])
    blocks = [CellBlock(columns=tuple(columns), rows=block) for block in row_blocks(bare, rows)]
    parsed = list(mapper(parse_block, blocks, what="refine"))
    values = {column.name: _end_to_end([block.values[column.name] for block in parsed], bronze) for column in columns}
    placed = list(zip(range(0, bronze.rows_read, rows), parsed, strict=True))
    findings = {
        column.name: _merged([(start, block.findings[column.name]) for start, block in placed]) for column in columns
    }
    return values, list(_told(findings, bronze))


def parse_block(block: CellBlock) -> ParsedBlock:
    """Read every cell of the block by its column's kind."""
    parsed = {column.name: parse_column(column, block.rows) for column in block.columns}
    return ParsedBlock(
        values={name: values for name, (values, _) in parsed.items()},
        findings={name: findings for name, (_, findings) in parsed.items()},
    )


def _end_to_end(parts: list[pd.Series], bronze: Bronze) -> pd.Series:
    return pd.concat(parts, ignore_index=True).set_axis(bronze.frame.index)


def _merged(blocks: Sequence[tuple[int, Findings]]) -> Findings:
    """One column's findings in blocks that start at these rows, as the whole column would have given them."""
    unread: list[np.ndarray] = []
    by_rule: dict[str, list[pd.DataFrame]] = {}
    for start, findings in blocks:
        for found in findings:
            if isinstance(found, Unread):
                unread.append(found.positions + start)
            else:
                cells = found.cells.assign(position=found.cells["position"] + start)
                by_rule.setdefault(str(cells["rule"].iat[0]), []).append(cells)
    if unread:
        return [Unread(positions=np.concatenate(unread))]
    return [_one(by_rule[rule], rule) for rule in sorted(by_rule, key=RULE_ORDER.index)]


def _one(parts: Sequence[pd.DataFrame], rule: str) -> Rejected:
    # Made again of all values, since the values decide the dtype that pandas gives them.
    values = pd.concat([part["value"].astype("string") for part in parts])
    positions = np.concatenate([part["position"].to_numpy() for part in parts])
    return rejected(positions, column=str(parts[0]["column"].iat[0]), values=values, rule=rule)


def _told(findings: Mapping[str, Findings], bronze: Bronze) -> Iterator[Rejected | Counted]:
    for name, found in findings.items():
        for one in found:
            if isinstance(one, Unread):
                yield counted(f"unreadable {name}", bronze.frame[name].iloc[one.positions])
            else:
                yield one
