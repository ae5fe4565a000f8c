"""Reference rows from CSV and YAML files below the configuration folder, as text with their lines."""

import csv
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pandas as pd
import yaml

from work_data_hub.domain.reference_sync import FileSource, SyncJob
from work_data_hub.domain.sync_rows import SourceRows, refuse_missing_columns
from work_data_hub.errors import ConfigError, HeadingsDuplicated, NoDataRows, SourceError
from work_data_hub.io.yaml_files import read_yaml

_ROOT_KEYS = ("version", "rows")


def read_reference_file(config_dir: Path, job: SyncJob, source: FileSource) -> SourceRows:
    """Return the mapped columns of every row, as text, blanks null.

    CSV is UTF-8 with a heading; a row whose line begins with # is a comment, a first cell "#1" in quotes
    is not. YAML is `version: 1` and a list
    `rows` of blocks. Raises ConfigError when the file is not there, SourceError when it cannot be used.
    """
    path = config_dir / source.path
    if not path.is_file():
        raise ConfigError(
            "the file is missing",
            file=str(path),
            field=f"jobs.{job.name}.source.path",
            input_data=source.path,
            hint="restore it, or correct the path in reference_sync.yml",
        )
    records = _csv_records(path) if path.suffix.lower() == ".csv" else _yaml_records(path)
    lines, rows = zip(*records, strict=True) if records else ((), ())
    if not rows:
        raise NoDataRows("there are no rows", file=str(path), hint="a table is not emptied by an empty file")
    refuse_missing_columns(job, there=dict.fromkeys(name for row in rows for name in row), label=str(path))
    frame = pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype="string") for name in job.columns})
    return SourceRows(label=str(path), frame=frame, lines=tuple(lines))


def _csv_records(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            return list(_csv_rows(path, text.read()))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(
            f"cannot be read: {error}", file=str(path), hint="save it as CSV in UTF-8 with matching quotes"
        ) from error


class _Lines:
    """The lines of a CSV text, comments blank; only a line that begins a row can be one."""

    def __init__(self, text: str) -> None:
        self._lines, self._begins_row = StringIO(text, newline=""), True

    def begin_row(self) -> None:
        """Say that the next line is no part of the row before it."""
        self._begins_row = True

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        is_comment = self._begins_row and line.startswith("#")
        self._begins_row = False
        return "\n" if is_comment else line


def _csv_rows(path: Path, text: str) -> Iterator[tuple[int, dict[str, str | None]]]:
    lines = _Lines(text)
    reader = csv.reader(lines, strict=True)
    headings: list[str] = []
    for cells in reader:
        lines.begin_row()
        if not any(cell.strip() for cell in cells):
            continue
        if not headings:
            headings = _headings(path, cells)
            continue
        if len(cells) != len(headings):
            raise SourceError(
                f"a row of {len(cells)} cells under {len(headings)} headings",
                file=str(path),
                row_number=reader.line_num,
                hint="put cells that hold a comma in quotes",
            )
        yield reader.line_num, {name: cell or None for name, cell in zip(headings, cells, strict=True)}


def _headings(path: Path, cells: list[str]) -> list[str]:
    headings = [cell.strip() for cell in cells]
    twice = [name for name, times in Counter(headings).items() if times > 1]
    if twice:
        raise HeadingsDuplicated(f"{', '.join(twice)} stands twice", file=str(path), hint="rename one of the two")
    return headings


def _yaml_records(path: Path) -> list[tuple[int, dict[str, str | None]]]:
    """The rows as they are written, codes such as 007 included; the line is that of a row's first key."""
    root = read_yaml(path)
    if sorted(root) != sorted(_ROOT_KEYS) or root["version"] != 1 or not isinstance(root["rows"], list | None):
        raise SourceError(
            "is not a file of reference rows",
            file=str(path),
            rule="version: 1 and rows: a list of blocks",
            hint="see config/reference_sync.yml for an example",
        )
    tree = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    blocks = [value for key, value in tree.value if key.value == "rows"] if isinstance(tree, yaml.MappingNode) else []
    return [_yaml_row(path, row) for block in blocks for row in block.value or ()]


def _yaml_row(path: Path, row: yaml.Node) -> tuple[int, dict[str, str | None]]:
    line = row.start_mark.line + 1
    cells: dict[str, str | None] = {}
    if not isinstance(row, yaml.MappingNode):
        raise SourceError("not a block of columns and values", file=str(path), row_number=line, hint="column: value")
    for name, value in row.value:
        if not isinstance(value, yaml.ScalarNode):
            raise SourceError("not a single value", file=str(path), row_number=line, field=name.value, hint="one value")
        cells[name.value] = None if value.tag == "tag:yaml.org,2002:null" else value.value or None
    return line, cells
