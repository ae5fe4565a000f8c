"""Trying again what may pass the next time, and holding what a step raises."""

from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TypeAlias, TypeVar

from work_data_hub.errors import ConfigError

T = TypeVar("T")
ErrorTypes: TypeAlias = tuple[type[Exception], ...]

# The standard library's own; a database driver's are handed in by who knows the driver.
RETRIABLE: ErrorTypes = (ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryConfig:
    """How often and how patiently to try again: by default three times, after 1, 2 and 4 seconds."""

    max_retries: int = 3
    first_delay_seconds: float = 1.0
    growth: float = 2.0

    def __post_init__(self) -> None:
        for name in ("max_retries", "first_delay_seconds", "growth"):
            if getattr(self, name) < 0:
                raise ConfigError("a retry setting is negative", field=name, hint="give 0 or more")

    @property
    def delays_seconds(self) -> tuple[float, ...]:
        """The wait before each new try, in order."""
        return tuple(self.first_delay_seconds * self.growth**tried for tried in range(self.max_retries))


def execute_with_retry(
    operation: Callable[[], T],
    config: RetryConfig,
    *,
    sleep: Callable[[float], None],
    retriable: ErrorTypes = RETRIABLE,
    on_retry: Callable[[Exception], None] = lambda error: None,
) -> T:
    """Return what `operation` returns, trying again after an error of the `retriable` types only.

    Any other error, and the last one when all tries are spent, is raised as it was. `on_retry`
    hears of each error that is followed by another try.
    """
    for delay_seconds in config.delays_seconds:
        try:
            return operation()
        except retriable as error:
            on_retry(error)
            sleep(delay_seconds)
    return operation()


class Attempt:
    """A `with` block that keeps what is raised inside in `error`; errors of the `passing` types go on up.

    The pipeline decides what a failure means only after the block; interrupts are never held.
    """

    __slots__ = ("_passing", "error")

    def __init__(self, *, passing: ErrorTypes = ()) -> None:
        self.error: Exception | None = None
        self._passing = passing

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, self._passing):
            return False
        self.error = error
        return True
