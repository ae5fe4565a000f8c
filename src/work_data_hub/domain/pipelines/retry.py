"""Try again what may pass by itself, and nothing else."""

from collections.abc import Callable
from typing import TypeVar

from work_data_hub.domain.pipelines.types import RetryConfig

Result = TypeVar("Result")

RETRIABLE: tuple[type[Exception], ...] = (ConnectionError, TimeoutError)


def execute_with_retry(
    action: Callable[[], Result],
    config: RetryConfig,
    *,
    retriable: tuple[type[Exception], ...] = RETRIABLE,
    sleep: Callable[[float], None] = lambda seconds: None,
) -> Result:
    """The action's result; an error of `retriable` is tried again after a growing pause, others go through.

    The last attempt's error is raised as it is.
    """
    for attempt in range(1, config.max_attempts):
        try:
            return action()
        except retriable:
            sleep(config.delay_seconds(attempt))
    return action()
