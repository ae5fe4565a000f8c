"""Commands declare their options here and now, and load what runs them only when they run."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def deferred(target: str) -> Callable[..., Any]:
    """Return a function that imports `module:name` at its first call and passes everything on.

    Help texts stay fast because neither pandas, rich nor Dagster is loaded for them.
    """

    def call(*args: Any, **options: Any) -> Any:
        module, _, name = target.partition(":")
        return getattr(import_module(module), name)(*args, **options)

    return call
