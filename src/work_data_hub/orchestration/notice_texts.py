"""What is said of a failed run and of a failed check, from Dagster's own record of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    DagsterEventType,
    DagsterExecutionInterruptedError,
    DagsterInstance,
    DagsterRun,
    EventLogEntry,
    RunsFilter,
)
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.tags import PARENT_RUN_ID_TAG, WILL_RETRY_TAG
from dagster_shared.error import SerializableErrorInfo

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.notices import Notice, NoticeKind
from work_data_hub.errors import NOTHING_UNFINISHED, WorkDataHubError
from work_data_hub.log import redact_text
from work_data_hub.orchestration.crashed_runs import crash_of
from work_data_hub.orchestration.file_jobs import JOB_SUFFIX
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.run_marks import asked_of
from work_data_hub.orchestration.run_verdicts import judged
from work_data_hub.settings import get_settings

# Dagster puts the class of an error before its sentence.
_OUR_CLASS = re.compile(r"^work_data_hub\.errors\.\w+: ")
# A domain's graph has steps of its own in a run of assets; a second one of a name gets a number.
_GRAPH = re.compile(r"(?P<domain>\w+?)_graph(_\d+)?")
# What Dagster says of a run that a signal ended between two steps.
_INTERRUPTED = "Execution was interrupted"
_MOST_LETTERS = 2_000
# One is the evaluation itself; more, where a month was judged again before its notice was due.
_LATEST_VERDICTS = 50
_MONTH_TAGS = ("dagster/partition", "dagster/asset_partition_range_start")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """One of the things that failed in a run; of a domain, month and mode where it is a load."""

    name: str
    what: str
    month: str = ""
    mode: str = ""

    @property
    def subject(self) -> str:
        return f"{self.name} {self.month}".strip()


def failed_run(instance: DagsterInstance, entry: EventLogEntry) -> Notice | None:
    """What to say of a failed run: every domain that failed in it, each with its own sentence."""
    run = instance.get_run_by_id(entry.run_id)
    message = entry.dagster_event.message if entry.dagster_event else None
    steps = _failures(instance, run) if run else ()
    died = crash_of(instance, run) if run and not steps else ""
    stands = _standing(instance, run) if run and died else ""
    failures = steps or _of_whole_run(run, f"its process {died}; {stands}" if died else _ending(message))
    lines = [f"{one.name}: {one.what}" for one in steps] if len(steps) > 1 else [failures[0].what]
    names = ", ".join(dict.fromkeys(one.subject for one in failures))
    return Notice(
        kind=NoticeKind.RUN,
        subject=_line(f"WorkDataHub: {names or entry.run_id} failed"),
        what="\n".join(lines),
        what_next=_next_step(instance, run, is_crash=bool(died)),
        facts={
            "domain": _each(one.name for one in failures if one.name in DOMAINS),
            "month": _each(one.month for one in failures),
            "mode": _each(one.mode for one in failures),
            "run": entry.run_id,
        },
    )


def failed_check(instance: DagsterInstance, entry: EventLogEntry) -> Notice | None:
    """What to say of a check; nothing where it passed, or warns of its month what it had warned of before."""
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    if not isinstance(data, AssetCheckEvaluation) or data.passed or _is_repeated(instance, entry, data):
        return None
    asset, month = data.asset_key.to_user_string(), data.partition or ""
    facts = {name: str(value.value) for name, value in data.metadata.items()}
    return Notice(
        kind=NoticeKind.CHECK,
        subject=_line(f"WorkDataHub: {asset} {month}: {data.check_name}"),
        what=_shortened(data.description or "the check did not pass"),
        what_next="open the asset's checks in Dagster; the load stands where the check only warns",
        facts={"asset": asset, "month": month, "check": data.check_name, "severity": data.severity.value, **facts},
    )


def _is_repeated(instance: DagsterInstance, entry: EventLogEntry, data: AssetCheckEvaluation) -> bool:
    """Whether it is a warning in the words of the one before it, of the same check and month."""
    if data.severity is not AssetCheckSeverity.WARN:
        return False
    # No public call gives the history of a check; an evaluation is in it before its event can be read.
    judged_before = instance.event_log_storage.get_asset_check_execution_history(
        data.asset_check_key,
        limit=_LATEST_VERDICTS,
        status={AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED},
        partition_filter=PartitionKeyFilter(key=data.partition),
    )
    events = (record.event for record in judged_before)
    earlier = next((event for event in events if event and event.timestamp < entry.timestamp), None)
    said = earlier.dagster_event.event_specific_data if earlier and earlier.dagster_event else None
    return isinstance(said, AssetCheckEvaluation) and _words(said) == _words(data)


def _words(data: AssetCheckEvaluation) -> tuple[bool, AssetCheckSeverity, str | None]:
    return data.passed, data.severity, data.description


def _ending(message: str | None) -> str:
    """What ended a run outside of its steps; Dagster's words on a signal say nothing of the warehouse."""
    return NOTHING_UNFINISHED if _INTERRUPTED in (message or "") else message or "it failed"


def _standing(instance: DagsterInstance, run: DagsterRun) -> str:
    """What the ledger says of a run whose process died."""
    try:
        verdict = judged(instance, run.run_id, workplace(get_settings(), execute=False))
    except WorkDataHubError as error:
        return f"what stands of it is not known, since the ledger cannot be asked: {error}"
    return verdict.text if verdict else "what stands of it the run's own page says, once the ledger can tell"


def _next_step(instance: DagsterInstance, run: DagsterRun | None, *, is_crash: bool) -> str:
    again = instance.get_runs(RunsFilter(tags={PARENT_RUN_ID_TAG: run.run_id}), limit=1) if run else []
    if again:
        return f"Dagster runs it again already, as {again[0].run_id}: see how that ends"
    if run and run.tags.get(WILL_RETRY_TAG) == "true":
        return "Dagster runs it again by itself: see how that ends"
    if is_crash:
        return "run it again, unless all is in; the warehouse holds a load whole or not at all"
    return "do what the hint says, then run it again; the warehouse holds a load whole or not at all"


def _failures(instance: DagsterInstance, run: DagsterRun) -> tuple[_Failure, ...]:
    """Each failed step: tags of a run with several domains are those of whichever began last."""
    logs = instance.all_logs(run.run_id, of_type=DagsterEventType.STEP_FAILURE)
    events = [entry.dagster_event for entry in logs if entry.dagster_event]
    return tuple(_failure(run, str(one.step_key), _sentence(one.step_failure_data.error)) for one in events)


def _failure(run: DagsterRun, step: str, sentence: str) -> _Failure:
    graph = step.rpartition(".")[0]
    in_graph = _GRAPH.fullmatch(graph)
    domain = in_graph["domain"] if in_graph else run.job_name.removesuffix(JOB_SUFFIX)
    what = _line(_shortened(sentence or "it failed"))
    if domain not in DOMAINS:
        return _Failure(name=step if run.job_name.startswith("__") else f"{run.job_name} › {step}", what=what)
    asked = asked_of(run, graph=graph)
    writes = asked.get("execute")
    return _Failure(
        name=domain,
        what=what,
        month=_month(run) or str(asked.get("period") or ""),
        mode="execute" if (bool(graph) if writes is None else writes) else "plan",
    )


def _of_whole_run(run: DagsterRun | None, message: str) -> tuple[_Failure, ...]:
    """A run that ended outside of its steps, such as a killed one."""
    what = _line(_shortened(message))
    if run is None:
        return (_Failure(name="", what=what),)
    domain = run.job_name.removesuffix(JOB_SUFFIX)
    selected = {key.path[0] for key in run.asset_selection or ()}
    domains = [name for name in DOMAINS if name == domain or name in selected]
    month = _month(run) or (str(asked_of(run).get("period") or "") if domains == [domain] else "")
    names = domains or [run.run_id if run.job_name.startswith("__") else run.job_name]
    return tuple(_Failure(name=name, what=what, month=month if name in DOMAINS else "") for name in names)


def _month(run: DagsterRun) -> str:
    """YYYYMM of the run's partition; blank without one."""
    return next((run.tags[tag].replace("-", "") for tag in _MONTH_TAGS if tag in run.tags), "")


def _sentence(error: SerializableErrorInfo | None) -> str:
    """Our own sentence, where the step failed with one, else that of the first cause."""
    texts: list[str] = []
    while error is not None:
        if error.cls_name == DagsterExecutionInterruptedError.__name__:
            return NOTHING_UNFINISHED
        texts.append(str(error.message).strip())
        error = error.cause
    ours = [text for text in texts if _OUR_CLASS.match(text)]
    return _OUR_CLASS.sub("", ours[0]) if ours else "".join(texts[-1:])


def _each(values: Iterator[str]) -> str:
    return ", ".join(dict.fromkeys(value for value in values if value))


def _line(text: str) -> str:
    return " ".join(text.split())


def _shortened(text: str) -> str:
    """Without secrets, and in letters that every protocol takes."""
    return redact_text(text).encode(errors="replace").decode()[:_MOST_LETTERS]
