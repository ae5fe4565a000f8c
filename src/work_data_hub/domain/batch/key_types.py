"""Which types of keys an incremental strategy can read by."""

from collections.abc import Mapping

from work_data_hub.domain.batch.pipeline import Mode, Pipeline, Problem, Strategy

_TRANSACTION = "xid"


def is_moment(key_type: str) -> bool:
    """Whether a key of this type can be compared with a moment."""
    return key_type == "date" or key_type.startswith("timestamp")


def type_problems(pipeline: Pipeline, types: Mapping[str, str]) -> tuple[Problem, ...]:
    """What the strategy cannot read by, given the types of the query's columns, of which the key is one."""
    if pipeline.mode is not Mode.INCREMENTAL:
        return ()
    key = str(pipeline.incremental_key)
    if pipeline.strategy is Strategy.XMIN and types[key] != _TRANSACTION:
        message = (
            f"strategy xmin needs a key of type {_TRANSACTION}, and {key} is {types[key]}; "
            "give the row's xmin a name in the query: select t.xmin as row_version, … from … as t"
        )
        return (Problem(field="incremental_key", message=message),)
    if pipeline.strategy is Strategy.OVERLAP and not is_moment(types[key]):
        message = (
            f"strategy overlap goes back some seconds, and {key} is {types[key]}; "
            "choose strategy safe, or xmin for a table of its own"
        )
        return (Problem(field="strategy", message=message),)
    return ()
