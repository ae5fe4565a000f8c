"""The form of a rejects workbook: its own headings and sheets, and the run's facts as lines of a hidden sheet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.quarantine import REASONS
from work_data_hub.domain.returned import OriginalFile, RunFacts
from work_data_hub.domain.settled import REOPENED_STATUS
from work_data_hub.errors import ConfigError, UnreadableWorkbook

FORMAT = 1
GUIDE, FACTS = "说明 · guide", "wdh.facts"
STATUS = "状态 · status"
OPEN, WAIVED, REOPENED = "待改 · open", "放弃 · waived", REOPENED_STATUS
STATUSES = (OPEN, WAIVED, REOPENED)
SHA256, FILE, SHEET, PLACE_ROW, MARKED = "_sha256", "_file", "_sheet", "_row", "_marked"
HEADINGS: Mapping[str, str] = {
    "_status": STATUS,
    "_reasons": REASONS,
    SHA256: "来源指纹 · sha256",
    FILE: "来源文件 · file",
    SHEET: "来源工作表 · sheet",
    PLACE_ROW: "来源行 · row",
}
"""The headings after the source's own columns, by the name under which they are read; all but the first two hidden."""
PLACE = (SHA256, FILE, SHEET, PLACE_ROW)
MARKED_HEADING = "标红 · marked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetForm:
    """One sheet of rejected rows: its title, the hidden sheet of the cells as they were, and its declared columns.

    `headings` gives each declared column's heading, `letters` its column letter in the original; `others`
    are the headings of columns that nobody loads.
    """

    title: str
    cells_title: str
    headings: Mapping[str, str]
    letters: Mapping[str, str]
    others: Sequence[str] = ()


def fact_lines(facts: RunFacts, sheets: Sequence[SheetForm]) -> list[tuple[str, str]]:
    """The facts as pairs of a word and JSON, in order: one `run`, then each `file`, then each `sheet`."""
    run = {
        "format": FORMAT,
        "run_id": facts.run_id,
        "domain": facts.domain,
        "period": facts.period.yyyymm,
        "sheet": facts.sheet,
        "mode": facts.mode.value,
        "scope": list(facts.scope),
        "skip_facts": facts.skip_facts,
        "standing_load_id": facts.standing_load_id,
    }
    parts = [("run", run), *(("file", asdict(f)) for f in facts.files), *(("sheet", asdict(s)) for s in sheets)]
    return [(word, json.dumps(value, ensure_ascii=False)) for word, value in parts]


def read_facts(lines: Sequence[tuple[str, str]], *, label: str) -> tuple[RunFacts, tuple[SheetForm, ...]]:
    """Return what `fact_lines` wrote; raise UnreadableWorkbook where that is not what stands there."""
    try:
        parts = [(word, json.loads(value)) for word, value in lines]
        (run,) = (value for word, value in parts if word == "run")
        if run["format"] != FORMAT:
            raise ValueError(f"its format is {run['format']}, this version reads {FORMAT}")
        files = tuple(OriginalFile(**value) for word, value in parts if word == "file")
        sheets = tuple(SheetForm(**value) for word, value in parts if word == "sheet")
        return _facts(run, files), sheets
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise UnreadableWorkbook(
            f"its hidden facts are damaged ({error})",
            file=label,
            sheet=FACTS,
            hint="take the rejects workbook as wdh wrote it, and correct that one",
        ) from error


def _facts(run: Mapping[str, Any], files: tuple[OriginalFile, ...]) -> RunFacts:
    if not files:
        raise ValueError("no original file is named")
    return RunFacts(
        run_id=run["run_id"],
        domain=run["domain"],
        period=Period.parse(run["period"]),
        files=files,
        sheet=run["sheet"],
        mode=LoadMode(run["mode"]),
        scope=tuple(run["scope"]),
        skip_facts=bool(run["skip_facts"]),
        standing_load_id=run["standing_load_id"],
    )
