"""`wdh pipelines list`, `show`, `runs` and `dlq`: what the commands do."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.pipelines_desk import id_of, named, open_desk, settled
from work_data_hub.cli.text_table import page_width, short_text, table_lines
from work_data_hub.orchestration.batch_shown import Shown

_TITLES = ("name", "status", "mode", "type", "target", "batch", "enabled", "cron")
_RUN_TITLES = ("started", "status", "seconds", "read", "written", "dlq", "trigger", "error")
_LETTER_TITLES = ("id", "set aside", "replay asked", "key", "sqlstate", "error")
_UNSAID = ("id", "name", "status", "created_at", "updated_at", "source_query", "tasks")


def run_list(*, api: str, report: str, debug: bool) -> int:
    """Print all pipelines; 0."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        pipelines = desk.pipelines()
    if report == "json":
        print_document("list", pipelines=pipelines)
    elif pipelines:
        print("\n".join(table_lines([_TITLES, *map(_pipeline_cells, pipelines)], width=page_width())))
    else:
        print("there are no pipelines yet\nnext: wdh pipelines apply config/pipelines")
    return 0


def run_show(name: str, *, api: str, report: str, debug: bool) -> int:
    """Print one pipeline with its checkpoint and its newest run; 0."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        pipeline = named(desk, name)
        state = settled(desk.state(id_of(pipeline)))
        runs = settled(desk.runs(id_of(pipeline), limit=1))
    if report == "json":
        print_document("show", pipeline=pipeline, state=state, run=runs[0] if runs else None)
    else:
        print("\n".join(_page(pipeline, state, runs)))
    return 0


def run_runs(name: str, *, limit: int, api: str, report: str, debug: bool) -> int:
    """Print the newest runs of a pipeline; 0."""
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        runs = settled(desk.runs(id_of(named(desk, name)), limit=limit))
    if report == "json":
        print_document("runs", name=name, runs=runs)
    else:
        print("\n".join(_run_lines(runs)) if runs else f"{name} has not run yet")
    return 0


def run_dlq(name: str, *, replay: bool, limit: int, api: str, report: str, debug: bool) -> int:
    """Print the rows that wait set aside, and what became of them when they were written again; 0.

    An API only takes the request: a runner writes them.
    """
    refuse_form(report)
    with open_desk(open_door(debug=debug, api=api), api=api) as desk:
        id = id_of(named(desk, name))
        replayed = settled(desk.replay(id, None)) if replay else None
        letters = settled(desk.dead_letters(id, limit=limit))
    if report == "json":
        print_document("dlq", name=name, replayed=replayed, dead_letters=letters)
        return 0
    if replayed is not None:
        print("\n".join(_replay_lines(replayed, path=f"{api.rstrip('/')}/api/v1/pipelines/{id}/events")))
    print("\n".join(_letter_lines(letters)) if letters else f"{name} has no dead letters")
    return 0


def print_document(command: str, **facts: Any) -> None:
    """Print the one JSON document of a command that did what it was asked for."""
    document = {"command": f"pipelines {command}", **facts, "error": None}
    print(json.dumps(document, ensure_ascii=False, indent=2))


def moment(text: str | None) -> str:
    """A moment as people read it, in UTC and without fractions."""
    return text[:19].replace("T", " ") if text else ""


def counts(run: Shown) -> str:
    """What a run counted, on one line; rows that nobody expects only where there are any."""
    always = {"read": run["rows_read"], "written": run["rows_written"]}
    words = ("inserted", "updated", "unchanged", "rescanned", "deleted", "dlq", "stale")
    some = {word: run[f"rows_{word}"] for word in words if run[f"rows_{word}"]}
    return " · ".join(f"{word} {number:,}" for word, number in (always | some).items())


def _pipeline_cells(pipeline: Shown) -> list[str]:
    last = pipeline["tasks"][-1]["target_table"] if pipeline["tasks"] else None
    target = last or pipeline["target_table"]
    enabled = "yes" if pipeline["enabled"] else "no"
    words = [pipeline[word] for word in ("name", "status", "mode", "type")]
    return [*words, target, f"{pipeline['batch_size']:,}", enabled, pipeline["cron"] or ""]


def _page(pipeline: Shown, state: Shown, runs: list[Shown]) -> Iterator[str]:
    yield f"{pipeline['name']} · {pipeline['status']} · {pipeline['id']}"
    said = [[word, str(value)] for word, value in pipeline.items() if word not in _UNSAID and value is not None]
    yield from table_lines([*said, ["changed", moment(pipeline["updated_at"])]])
    for task in pipeline["tasks"]:
        target = f" → {task['target_table']}" if task["target_table"] else ""
        yield f"  task {task['order_index']} {task['task_type']}{target}"
        yield from _indented(task["body"])
    if not pipeline["tasks"]:
        yield "  source_query"
        yield from _indented(pipeline["source_query"] or "")
    if state["last_processed_value"] is not None:
        yield f"  checkpoint  {state['last_processed_value']} · {state['last_processed_id']}"
    yield from (f"  newest run  {run['status']} {moment(run['started_at'])} · {counts(run)}" for run in runs)
    yield from (f"  error  {run['error_message']}" for run in runs if run["error_message"])


def _indented(text: str) -> list[str]:
    return [f"    {line}" for line in text.strip().splitlines()]


def _run_lines(runs: list[Shown]) -> list[str]:
    return table_lines([_RUN_TITLES, *map(_run_cells, runs)], width=page_width())


def _run_cells(run: Shown) -> list[str]:
    numbers = [f"{run[word]:,}" for word in ("rows_read", "rows_written", "rows_dlq")]
    why = run["error_message"] or "; ".join(run["warnings"])
    return [moment(run["started_at"]), run["status"], seconds(run), *numbers, run["trigger"] or "", why]


def seconds(run: Shown) -> str:
    """How long a run took, or nothing while it lasts."""
    if run["finished_at"] is None:
        return ""
    began, ended = (datetime.fromisoformat(run[word]) for word in ("started_at", "finished_at"))
    return f"{(ended - began).total_seconds():.1f}"


def _replay_lines(replayed: Shown, *, path: str) -> Iterator[str]:
    yield "  " + " · ".join(f"{word} {number:,}" for word, number in replayed.items())
    if replayed.get("requested"):
        yield "  a runner writes them as soon as nothing of the pipeline runs; `dlq` lists those that still wait then,"
        yield f"  and the newest event says what became of them: {path}"


def _letter_lines(letters: list[Shown]) -> list[str]:
    return table_lines([_LETTER_TITLES, *map(_letter_cells, letters)], width=page_width())


def _letter_cells(letter: Shown) -> list[str]:
    asked = moment(letter["replay_requested_at"])
    key, sqlstate = short_text(letter["key"]), letter["sqlstate"] or ""
    return [str(letter["id"]), moment(letter["created_at"]), asked, key, sqlstate, letter["error"]]
