"""`wdh pipelines apply`: what the command does."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.pipelines_desk import Desk, id_of, open_desk, settled
from work_data_hub.cli.pipelines_look_run import print_document
from work_data_hub.cli.text_table import table_lines
from work_data_hub.domain.batch.pipeline import Pipeline
from work_data_hub.domain.batch.refusals import busy, refusal_of
from work_data_hub.domain.batch.status import AT_REST, Status
from work_data_hub.errors import UsageError
from work_data_hub.io.pipelines_config import read_pipelines
from work_data_hub.orchestration.batch_shown import Shown, shown_definition

_LONGEST_VALUE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """What becomes of one declared pipeline: `found` is how it stands, None where it is new."""

    wanted: Shown
    found: Shown | None

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
    declared = read_pipelines(path)
    if not declared:
        raise UsageError(
            f"no pipeline is declared in {path.name}",
            input_data=str(path),
            hint="name a .yml file, or a folder of them",
        )
    with open_desk(open_door(debug=debug), api=api) as desk:
        steps = [_step(desk, pipeline) for pipeline in declared]
        for step in steps:
            _refuse(desk, step)
        if not dry_run:
            for step in steps:
                _take(desk, step)
    if report == "json":
        shown = [{"name": step.wanted["name"], "action": step.action, "fields": sorted(step.changes)} for step in steps]
        print_document("apply", mode="plan" if dry_run else "execute", pipelines=shown)
    else:
        print("\n".join(_lines(steps, dry_run=dry_run)))
    return 0


def _step(desk: Desk, pipeline: Pipeline) -> _Step:
    found = desk.pipelines(name=pipeline.name)
    return _Step(wanted=shown_definition(pipeline), found=found[0] if found else None)


def _refuse(desk: Desk, step: _Step) -> None:
    """Raise before anything is written where this step would be refused."""
    if step.found is not None and step.changes and Status(step.found["status"]) not in AT_REST:
        settled(busy(f"update pipeline {step.wanted['name']}", Status(step.found["status"])))
    if step.changes and (refusal := refusal_of(desk.problems(step.wanted))):
        settled(refusal)


def _take(desk: Desk, step: _Step) -> None:
    if step.found is None:
        settled(desk.create(step.wanted))
    elif step.changes:
        settled(desk.change(id_of(step.found), step.changes))


def _lines(steps: list[_Step], *, dry_run: bool) -> Iterator[str]:
    yield "PLAN — nothing was written" if dry_run else "EXECUTE"
    yield from table_lines([[step.action, step.wanted["name"], _what(step)] for step in steps])
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
