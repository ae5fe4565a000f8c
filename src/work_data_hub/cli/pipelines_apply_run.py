"""`wdh pipelines apply`: what the command does."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.pipelines_desk import Desk, id_of, open_desk, settled
from work_data_hub.cli.pipelines_look_run import print_document
from work_data_hub.cli.text_table import table_lines
from work_data_hub.domain.batch.refusals import busy, refusal_of
from work_data_hub.domain.batch.status import AT_REST, Status
from work_data_hub.errors import UsageError, WorkDataHubError
from work_data_hub.io.pipelines_config import Declared, read_declared
from work_data_hub.io.postgres import warehouse_errors
from work_data_hub.orchestration.batch_shown import Shown, shown_definition

_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What becomes of one declared pipeline: `found` is how it stands, None where it is new."""

    file: Path
    wanted: Shown
    found: Shown | None

    @property
    def name(self) -> str:
        return str(self.wanted["name"])

    @property
    def changes(self) -> Shown:
        return {
            field: value for field, value in self.wanted.items() if self.found is None or self.found[field] != value
        }

    @property
    def action(self) -> str:
        if self.found is None:
            return "create"
        return "change" if self.changes else "unchanged"


def run_apply(path: Path, *, dry_run: bool, api: str, report: str, debug: bool) -> int:
    """Create and change pipelines as the files declare, or only show that; 0.

    Raises ConfigError for what breaks a rule, LoadLocked for a change of what runs; nothing is written then.
    """
    refuse_form(report)
    if not path.exists():
        raise UsageError(
            "there is no such file or folder", file=str(path), hint="name a .yml file, or a folder of them"
        )
    declared = read_declared(path)
    if not declared:
        raise UsageError(
            f"no pipeline is declared in {path.name}",
            input_data=str(path),
            hint="name a .yml file, or a folder of them",
        )
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        steps = [_step(desk, one) for one in declared]
        for step in steps:
            with _naming(step):
                _refuse(desk, step)
        notes = {} if dry_run else _taken(desk, steps)
    if report == "json":
        shown = [{"name": step.name, "action": step.action, "fields": sorted(step.changes)} for step in steps]
        mode = "plan" if dry_run else "execute"
        print_document(
            "apply", mode=mode, pipelines=shown, notes=[{"name": name, "notes": notes[name]} for name in notes]
        )
    else:
        print("\n".join(_lines(steps, notes, dry_run=dry_run)))
    return 0


def _step(desk: Desk, declared: Declared) -> _Step:
    found = desk.pipelines(name=declared.pipeline.name)
    return _Step(file=declared.file, wanted=shown_definition(declared.pipeline), found=found[0] if found else None)


@contextmanager
def _naming(step: _Step) -> Iterator[None]:
    """Let what goes wrong in the block say which pipeline it is about, and which file declares it."""
    try:
        with warehouse_errors():
            yield
    except WorkDataHubError as error:
        error.file = error.file or str(step.file)
        if f"pipeline {step.name} " not in error.message:
            error.message = f"pipeline {step.name!r}: {error.message}"
        raise


def _refuse(desk: Desk, step: _Step) -> None:
    """Raise before anything is written where this step would be refused."""
    if step.found is not None and step.changes and Status(step.found["status"]) not in AT_REST:
        settled(busy(f"update pipeline {step.name}", Status(step.found["status"])))
    if step.changes and (refusal := refusal_of(desk.problems(step.wanted))):
        settled(refusal)


def _taken(desk: Desk, steps: Sequence[_Step]) -> dict[str, list[str]]:
    """Write every step; what is left to do, by pipeline, where anything is."""
    notes = {}
    for step in steps:
        with _naming(step):
            if step.found is None:
                notes[step.name] = settled(desk.create(step.wanted)).get("notes")
            elif step.changes:
                notes[step.name] = settled(desk.change(id_of(step.found), step.changes)).get("notes")
    return {name: list(found) for name, found in notes.items() if found}


def _lines(steps: Sequence[_Step], notes: Mapping[str, Sequence[str]], *, dry_run: bool) -> Iterator[str]:
    yield "PLAN — nothing was written" if dry_run else "EXECUTE"
    yield from table_lines([[step.action, step.name, _what(step)] for step in steps])
    for note in dict.fromkeys(note for found in notes.values() for note in found):
        yield f"note  {', '.join(name for name, found in notes.items() if note in found)}: {note}"
    if dry_run and any(step.changes for step in steps):
        yield "next: the same without --dry-run"
    elif not dry_run and any(step.found is None for step in steps):
        yield "next: wdh pipelines run NAME"


def _what(step: _Step) -> str:
    if step.found is None:
        return f"→ {step.wanted['target_table']}"
    return ", ".join(f"{field} {_short(step.found[field])} → {_short(value)}" for field, value in step.changes.items())


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
