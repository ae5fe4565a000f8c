"""Runs whose process died while its code server lived: Dagster closes them itself, and does not know what stands."""

import re
from datetime import UTC, datetime, timedelta

from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.storage.tags import HIDDEN_TAG_PREFIX

from work_data_hub.orchestration.requests import Workplace
from work_data_hub.orchestration.run_verdicts import Verdict, judged, show_loads

# What the code server says of a worker that it finds dead.
_CRASH = re.compile(r"Run execution process for \S+ (?P<how>was terminated by [^.]*|unexpectedly exited [^.]*)")
_TOLD_TAG = f"{HIDDEN_TAG_PREFIX}wdh_told"
_LOOKED_BACK = timedelta(hours=1)


def crash_of(instance: DagsterInstance, run: DagsterRun) -> str:
    """How the run's process died, as its code server saw it; blank where it did not."""
    entries = instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT)
    found = [_CRASH.search(one.dagster_event.message or "") for one in entries if one.dagster_event]
    return next((one["how"] for one in reversed(found) if one), "")


def tell_crashes(instance: DagsterInstance, place: Workplace) -> tuple[Verdict, ...]:
    """Write on each run that crashed of late what stands of it, and show its month; once each.

    Left for later are those whose month a session still holds.
    """
    since = datetime.now(UTC) - _LOOKED_BACK
    failed = instance.get_runs(filters=RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=since))
    # A run that is launched again begins with a copy of all tags.
    new = [run for run in failed if run.tags.get(_TOLD_TAG) != run.run_id and crash_of(instance, run)]
    verdicts = (_told(instance, run, place) for run in new)
    return tuple(verdict for verdict in verdicts if verdict)


def _told(instance: DagsterInstance, run: DagsterRun, place: Workplace) -> Verdict | None:
    verdict = judged(instance, run.run_id, place)
    if verdict:
        show_loads(instance, run, verdict)
        instance.report_engine_event(verdict.text, run)
        instance.add_run_tags(run.run_id, {_TOLD_TAG: run.run_id})
    return verdict
