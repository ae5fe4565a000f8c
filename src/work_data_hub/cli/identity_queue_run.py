"""`wdh identity queue`: what the command does."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import Told, complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import short_text, table_lines
from work_data_hub.domain.identity.queue_rules import WARN_ABOVE
from work_data_hub.errors import UsageError
from work_data_hub.io.lookup_queue import QueueDepth, QueueFailure
from work_data_hub.orchestration.identity_queue import (
    Drained,
    drain_queue,
    lease_seconds,
    look_at_queue,
    open_registry,
)
from work_data_hub.orchestration.places import describe_database, workplace
from work_data_hub.orchestration.queue_worker import DrainRequest
from work_data_hub.settings import Settings

_ALWAYS_SHOWN = ("asked", "resolved", "review", "unknown", "retried", "gave_up")
_WORDS = {
    "known": "known already",
    "unsure": "not sure enough",
    "gave_up": "gave up",
    "recovered": "left behind by other workers",
    "lost": "taken over by other workers",
}


def run_queue(
    *,
    drain: bool,
    batch_size: int,
    limit: int | None,
    seconds: float | None,
    retry_failed: bool,
    report: str,
    debug: bool,
) -> int:
    """Show the queue, or work it off; prints what came of it and returns the exit code."""
    refuse_form(report)
    settings = open_door(debug=debug)
    if drain:
        request = DrainRequest(batch_size=batch_size, limit=limit, seconds=seconds, retry_failed=retry_failed)
        return _drain(request, settings, as_json=report == "json")
    _refuse_without_drain(
        {"--limit": limit is not None, "--seconds": seconds is not None, "--retry-failed": retry_failed}
    )
    _show(settings, as_json=report == "json")
    return 0


def _refuse_without_drain(given: dict[str, bool]) -> None:
    for option, is_given in given.items():
        if is_given:
            raise UsageError(f"{option} goes with --drain", field=option, hint="add --drain, or leave it out")


def _show(settings: Settings, *, as_json: bool) -> None:
    place = workplace(settings, execute=False)
    depth, failures = look_at_queue(place)
    if as_json:
        _print_json(mode="show", depth=depth, failures=failures)
        return
    print("\n".join([*_depth_lines(depth), *_failure_lines(failures)]))
    if depth.ready or depth.stale:
        print("next: wdh identity queue --drain")


def _drain(request: DrainRequest, settings: Settings, *, as_json: bool) -> int:
    with open_registry(settings) as registry:
        place = workplace(settings, execute=True)
        done = drain_queue(request, place, registry=registry, lease_seconds=lease_seconds(settings))
    if as_json:
        _print_json(mode="drain", depth=done.depth, failures=done.failures, done=done)
    else:
        print(headline(describe_database(place.database_url), execute=True))
        print("\n".join(_drained_lines(done)))
    if done.error is None:
        return 0
    complain(done.error)
    return Told(done.error.exit_code)


def _drained_lines(done: Drained) -> Iterator[str]:
    shown = {word: number for word, number in done.counts.items() if number or word in _ALWAYS_SHOWN}
    counts = [f"{_WORDS.get(word, word)} {number:,}" for word, number in shown.items()]
    yield "  " + " · ".join([*counts, f"left {done.depth.pending:,}"])
    yield from _warnings(done.depth)
    if done.counts["retried"] or done.counts["gave_up"]:
        yield from _failure_lines(done.failures)
    if done.has_found:
        yield "next: wdh identity apply"
    elif done.depth.next_retry:
        yield f"next: wdh identity queue --drain, from {_moment(done.depth.next_retry)} on"
    elif not done.error and not any(done.counts.values()):
        yield "nothing is ready to be asked for"


def _depth_lines(depth: QueueDepth) -> Iterator[str]:
    waits = f" ({depth.ready:,} ready now)" if depth.pending else ""
    stale = f" ({depth.stale:,} left behind by a worker)" if depth.stale else ""
    given_up = f" ({depth.given_up:,} given up without an answer)" if depth.given_up else ""
    yield f"  pending {depth.pending:,}{waits} · processing {depth.processing:,}{stale}"
    yield f"  done {depth.done:,} · failed {depth.failed:,}{given_up}"
    if depth.oldest:
        yield f"  oldest since {_moment(depth.oldest)}"
    if depth.next_retry:
        yield f"  next retry {_moment(depth.next_retry)}"
    yield from _warnings(depth)


def _failure_lines(failures: tuple[QueueFailure, ...]) -> list[str]:
    if not failures:
        return []
    titles = ["name", "status", "failures", "when", "why"]
    cells = [
        [short_text(one.raw_name), one.status, str(one.attempts), _moment(one.failed_at), one.reason]
        for one in failures
    ]
    return ["  newest failures:", *table_lines([titles, *cells], indent=4)]


def _warnings(depth: QueueDepth) -> list[str]:
    if not depth.is_too_deep:
        return []
    return [
        f"  warning  {depth.pending:,} names wait, more than {WARN_ABOVE:,}: drain more often, or with more workers"
    ]


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}".rstrip()


def _print_json(
    *, mode: str, depth: QueueDepth, failures: tuple[QueueFailure, ...], done: Drained | None = None
) -> None:
    error = done.error if done else None
    document: dict[str, Any] = {
        "command": "identity queue",
        "mode": mode,
        "status": "failed" if error else "ok",
        "depth": depth.as_json(),
        "drained": dict(done.counts) | {"left": depth.pending} if done else None,
        "failures": [failure.as_json() for failure in failures],
        "warnings": [line.strip() for line in _warnings(depth)],
        "error": {"code": error.exit_code, "message": str(error)} if error else None,
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))
