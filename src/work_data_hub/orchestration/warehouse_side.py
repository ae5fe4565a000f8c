"""What needs a database driver, loaded only where there is a database."""

from importlib import import_module
from typing import Any


def warehouse_side() -> Any:
    """The module `load_session`."""
    return import_module("work_data_hub.orchestration.load_session")


def hook_side() -> Any:
    """The module `hooks`."""
    return import_module("work_data_hub.orchestration.hooks")
