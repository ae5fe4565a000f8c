"""The months that hold workbooks, seen from outside and by content."""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from work_data_hub.domain.arrivals import Place
from work_data_hub.domain.period import Period
from work_data_hub.domain.source import Source
from work_data_hub.errors import UnreadableWorkbook, WorkbookNotFound, WorkDataHubError
from work_data_hub.io.source_files import Found, find_workbooks, month_path

_MONTH = re.compile(r"[12]\d{3}(0[1-9]|1[0-2])")
# Only ever compared with the stamp before of the same month.
_STAMP_LETTERS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthsSeen:
    """The workbooks that a run of each domain's month would take, their stamps, and why others cannot be chosen.

    A stamp says how a month's files look from outside: it changes with names, sizes and times of change. `unusable`
    has the letters of those refusals of which a month's people should hear: there is something, and it cannot be taken.
    `unseen` are the months that the system did not let us look at, whether there is something or not.
    """

    found: dict[Place, Found] = field(default_factory=dict)
    stamps: dict[Place, str] = field(default_factory=dict)
    refused: dict[Place, WorkDataHubError] = field(default_factory=dict)
    unseen: dict[Place, WorkDataHubError] = field(default_factory=dict)

    @property
    def unusable(self) -> dict[Place, str]:
        """By month, in letters that change with the reason."""
        there = {at: why for at, why in self.refused.items() if not isinstance(why, WorkbookNotFound)}
        return {at: _digest([str(why)])[:_STAMP_LETTERS] for at, why in there.items()}


def is_empty(data_root: Path) -> bool:
    """Whether the data root holds nothing at all; raises WorkbookNotFound where it cannot be listed."""
    try:
        return not any(data_root.iterdir())
    except OSError as error:
        raise WorkbookNotFound(
            f"the data root cannot be seen: {error.strerror or error}",
            file=str(data_root),
            hint="mount the share again, or set WDH_DATA_ROOT to the folder that holds the months",
        ) from error


def months_outside(data_root: Path, periods: Collection[Period]) -> list[str]:
    """The folders of the data root that are named by a month which is none of these, in order."""
    known = {period.yyyymm for period in periods}
    return sorted(one.name for one in data_root.iterdir() if _MONTH.fullmatch(one.name) and one.name not in known)


def months_with_workbooks(sources: Mapping[str, Source], *, data_root: Path, periods: Iterable[Period]) -> MonthsSeen:
    """Look at each domain's months.

    Months without a folder are left out; a folder without a workbook, or with several, or with one that goes while
    it is looked at, is refused.
    """
    seen = MonthsSeen()
    for period in periods:
        for name, source in sources.items():
            _look_at(Place(name, period), source, data_root=data_root, seen=seen)
    return seen


def _look_at(at: Place, source: Source, *, data_root: Path, seen: MonthsSeen) -> None:
    try:
        if not (data_root / month_path(source, at.period)).is_dir():
            return
        found = find_workbooks(source, data_root=data_root, period=at.period)
        seen.stamps[at] = _stamp_of(found)
    except WorkDataHubError as error:
        seen.refused[at] = error
    except OSError as error:
        seen.unseen[at] = UnreadableWorkbook(
            f"cannot be looked at now: {error.strerror or error}",
            file=str(error.filename or month_path(source, at.period)),
            hint="it is looked at again by itself",
        )
    else:
        seen.found[at] = found


def _stamp_of(found: Found) -> str:
    looks = [(file.label, (stat := file.path.stat()).st_size, stat.st_mtime_ns) for file in found.files]
    return _digest(map(str, sorted(looks)))[:_STAMP_LETTERS]


def content_of(found: Found) -> str:
    """What a month's files hold, whatever they are called. Raises UnreadableWorkbook."""
    return _digest(sorted(file.sha256 for file in found.files))


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
