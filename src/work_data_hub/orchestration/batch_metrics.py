"""What batch pipelines tell Prometheus: gauges of how things stand, and counters of what was run."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily

from work_data_hub.domain.batch.failures import Failure
from work_data_hub.domain.batch.run import Counts
from work_data_hub.domain.batch.status import RunStatus
from work_data_hub.io.batch_history import MetricsSnapshot
from work_data_hub.io.batch_totals import RunTotal

CONTENT_TYPE = CONTENT_TYPE_LATEST
_ENDS = (RunStatus.SUCCESS, RunStatus.FAILED, RunStatus.PAUSED)
_BATCH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RUNS = "etl_runs", "Runs that ended, by how."
_READ = "etl_rows_read", "Rows read from sources."
_WRITTEN = "etl_rows_written", "Rows that targets took, changed by them or not."
_UNCHANGED = "etl_rows_unchanged", "Rows that the target had already."
_DLQ = "etl_rows_dlq", "Rows set aside as dead letters."


class StandingMetrics:
    """How all pipelines and runners stand, as gauges in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._lag = self._gauge(
            "etl_watermark_lag_seconds",
            "Seconds since the begin of the newest incremental run that read its source to the end.",
            "pipeline",
        )
        self._checkpoint = self._gauge(
            "etl_checkpoint_age_seconds",
            "Age of the newest row that an incremental pipeline has read; it grows while the source is quiet.",
            "pipeline",
        )
        self._age = self._gauge("etl_worker_heartbeat_age_seconds", "Seconds since the last sign of life.", "worker")
        self._open_dlq = self._gauge("etl_dlq_open", "Dead letters that were not replayed.", "pipeline")
        self._pipelines = self._gauge("etl_pipelines", "Pipelines by status.", "status")
        self._oldest = Gauge(
            "etl_oldest_request_seconds", "Seconds the longest waiting one waits.", registry=self.registry
        )
        self._depth = Gauge("etl_queue_depth", "Pipelines that wait for a runner.", registry=self.registry)
        self._follows_itself = False

    def observe(self, snapshot: MetricsSnapshot) -> None:
        """How everything stands in the database; what was said before is forgotten."""
        self._depth.set(snapshot.queue_depth)
        self._oldest.set(snapshot.oldest_request_seconds)
        _replace(self._pipelines, snapshot.pipelines)
        _replace(self._open_dlq, snapshot.dlq_open)
        _replace(self._lag, snapshot.lag_seconds)
        _replace(self._checkpoint, snapshot.checkpoint_age_seconds)
        if not self._follows_itself:
            _replace(self._age, snapshot.heartbeat_age_seconds)

    def _gauge(self, name: str, text: str, label: str) -> Gauge:
        return Gauge(name, text, (label,), registry=self.registry)


class HistoryMetrics(StandingMetrics):
    """The same for who runs nothing: runs and rows are those of the database, by pipeline, whoever ran them."""

    def __init__(self) -> None:
        super().__init__()
        self._totals: Sequence[RunTotal] = ()
        self.registry.register(self)

    def count(self, totals: Sequence[RunTotal]) -> None:
        """What all runs came to that have ended."""
        self._totals = totals

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The counters, as the registry asks for them."""
        runs = CounterMetricFamily(*_RUNS, labels=("pipeline", "status"))
        rows = {
            name: CounterMetricFamily(name, text, labels=("pipeline",))
            for name, text in (_READ, _WRITTEN, _UNCHANGED, _DLQ)
        }
        sums: dict[str, Counts] = {}
        for total in self._totals:
            runs.add_metric((total.pipeline, total.status.value), total.runs)
            sums[total.pipeline] = sums.get(total.pipeline, Counts()) + total.counts
        for pipeline, counts in sums.items():
            numbers = (counts.read, counts.written, counts.unchanged, counts.dlq)
            for family, number in zip(rows.values(), numbers, strict=True):
                family.add_metric((pipeline,), number)
        yield from (runs, *rows.values())


class BatchMetrics(StandingMetrics):
    """The metrics of a runner; safe to use from several threads. What it counts begins at 0 with its process."""

    def __init__(self) -> None:
        super().__init__()
        self._runs = Counter(*_RUNS, ("status",), registry=self.registry)
        self._read, self._written, self._unchanged, self._dlq = map(self._counter, (_READ, _WRITTEN, _UNCHANGED, _DLQ))
        self._fenced = self._counter(("etl_fenced", "Batches given up because another runner held the pipeline."))
        self._claims = self._counter(("etl_claims", "Runs that were claimed."))
        self._retries = Counter(
            "etl_retries", "Batches tried again, by class of failure.", ("class",), registry=self.registry
        )
        self._seconds = Histogram(
            "etl_batch_seconds", "Seconds from reading to COMMIT.", registry=self.registry, buckets=_BATCH_SECONDS
        )
        self._begin_at_zero()

    def claimed(self) -> None:
        """A run was claimed."""
        self._claims.inc()

    def batch_written(self, counts: Counts, seconds: float) -> None:
        """A batch was committed; `seconds` is what it took."""
        self._read.inc(counts.read)
        self._written.inc(counts.written)
        self._unchanged.inc(counts.unchanged)
        self._dlq.inc(counts.dlq)
        self._seconds.observe(seconds)

    def retried(self, failure: Failure) -> None:
        """A batch, or the reading of it, is tried again."""
        self._retries.labels(failure.value).inc()

    def fenced(self) -> None:
        """A batch was given up: the pipeline belongs to another runner."""
        self._fenced.inc()

    def run_ended(self, status: RunStatus) -> None:
        """A run was closed."""
        self._runs.labels(status.value).inc()

    def follow_heartbeat(self, worker_id: str, age_seconds: Callable[[], float]) -> None:
        """Show the heartbeat of this runner alone, asking for its age at each look."""
        self._follows_itself = True
        self._age.clear()
        self._age.labels(worker_id).set_function(age_seconds)

    def _begin_at_zero(self) -> None:
        # A rate can be taken of what was there before it happened for the first time.
        for status in _ENDS:
            self._runs.labels(status.value)
        for failure in Failure:
            self._retries.labels(failure.value)

    def _counter(self, told: tuple[str, str]) -> Counter:
        return Counter(*told, registry=self.registry)


def render(registry: CollectorRegistry) -> bytes:
    """The metrics as Prometheus reads them; served as `CONTENT_TYPE`."""
    return generate_latest(registry)


def _replace(gauge: Gauge, values: Mapping[str, float]) -> None:
    gauge.clear()
    for label, value in values.items():
        gauge.labels(label).set(value)
