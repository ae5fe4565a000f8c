"""`wdh identity explain`: how a name or a stored row comes to its company, printed."""

import json
from collections.abc import Iterator

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import page_width, table_lines
from work_data_hub.domain.identity.explanation import Step, Told
from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.errors import UsageError
from work_data_hub.orchestration.identity_explain import ExplainRequest, RowPlace, explain
from work_data_hub.orchestration.places import workplace


def run_explain(*, name: str, plan: str, plan_type: str, existing: str, row: str, report: str) -> None:
    """Print the explanation of a name, or of every stored row that is named."""
    refuse_form(report)
    if not (name.strip() or plan.strip() or existing.strip() or row):
        raise UsageError("nothing to explain", field="NAME", hint="give a name, --plan or --row")
    request = ExplainRequest(
        name=name, plan=plan, plan_type=plan_type, existing=existing, row=RowPlace.parse(row) if row else None
    )
    told = explain(request, workplace(open_door(), execute=False))
    if report == "json":
        document = {"command": "identity explain", "rows": [one.as_json() for one in told], "error": None}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print("\n\n".join("\n".join(_lines(one)) for one in told))


def _lines(told: Told) -> Iterator[str]:
    if told.place:
        yield told.place
    changed = f"changed by {', '.join(told.rules)}" if told.rules else "unchanged"
    yield f"{told.written or '(no name)'} → {told.clue.name or '(no usable name)'}"
    yield f"  normaliser {NORMALISER_VERSION}: {changed}"
    yield from _clues(told)
    yield from table_lines([_cells(step) for step in told.steps], width=page_width())
    yield _result(told)
    for title, lines in (("stored", told.stored), ("differs because", told.since), ("not checked", told.not_checked)):
        if lines:
            yield f"{title}:"
            yield from (f"  {line}" for line in lines)


def _clues(told: Told) -> Iterator[str]:
    clue = told.clue
    plan = f"{clue.plan} ({'single' if clue.is_single else 'not a single'} plan)" if clue.plan else "none"
    yield f"  plan {plan} · id in the row {clue.existing or 'none'}"


def _cells(step: Step) -> list[str]:
    mark = "→" if step.decides else " "
    answer = "—" if step.company_id is None else step.company_id or "no company"
    sure = "" if step.confidence is None else f"{step.confidence:.2f}"
    return [mark, step.matcher, answer, sure, step.detail]


def _result(told: Told) -> str:
    if told.decisive is None:
        return "no company: no matcher has an answer"
    return f"{told.company_id or 'no company, on purpose'}, by {told.decisive.matcher}: {told.decisive.says}"
