"""Which checkpoint a pipeline may have, and what it is worth once the pipeline is another."""

from collections.abc import Mapping
from typing import Any

from work_data_hub.domain.batch.pipeline import Mode, Pipeline, Strategy
from work_data_hub.domain.batch.refusals import Refusal, Why
from work_data_hub.domain.batch.run import Cursor as Place

# What decides which rows of the source there are to read.
_OF_THE_ROWS = ("source_query", "tasks", "type", "python_module")
_OTHER_ORDER = "rows come in another order now, or go to another target"
_DROPPED = "the checkpoint was dropped, and the next incremental run reads all rows"


def state_refusal(pipeline: Pipeline, state: Place) -> Refusal | None:
    """Why the pipeline may not have this checkpoint, whatever its query gives; an empty one it may always have."""
    if state == Place():
        return None
    if pipeline.mode is not Mode.INCREMENTAL:
        return Refusal(why=Why.RULE, message="mode full keeps no checkpoint: only an incremental pipeline has one")
    needs_id = pipeline.strategy is not Strategy.XMIN
    if state.value is None or (state.id is None and needs_id):
        return Refusal(why=Why.RULE, message="a checkpoint has both a value and an id, or neither")
    return None


def reads_other_rows(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether an incremental definition may take rows that the one before did not; both are JSON."""
    return now["mode"] == Mode.INCREMENTAL and any(before.get(name) != now[name] for name in _OF_THE_ROWS)


def checkpoint_kept(value: str | None) -> str:
    """The sentence for whoever changed such a definition, and for its next run: what is not read, and what to do."""
    return (
        f"the query was changed and the checkpoint kept: rows up to {value} that qualify only now are not read; "
        "to read all rows again, `wdh pipelines reset NAME`, or PUT …/state with nulls, then request a run"
    )


def notes_of_checkpoint(
    had: Place | None, has: Place | None, *, are_rows_others: bool, misfit: str | None = None
) -> tuple[str, ...]:
    """What became of a pipeline's checkpoint when it was changed, where that is worth a sentence.

    `misfit` says why it is none of the query that is read now, where that is so.
    """
    if had is None:
        return ()
    if has is None:
        return (f"{misfit or _OTHER_ORDER}: {_DROPPED}",)
    return (checkpoint_kept(has.value),) if are_rows_others else ()
