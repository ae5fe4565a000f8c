"""Calls that a library may never come back from: waited for, and left to themselves after that."""

from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TypeVar

Given = TypeVar("Given")


def begun(call: Callable[[], Given]) -> "Future[Given]":
    """What the call will give, from a thread of its own that never keeps the process from ending."""
    coming: Future[Given] = Future()
    Thread(target=copy_context().run, args=(_settle, coming, call), name="left call", daemon=True).start()
    return coming


def within(seconds: float, call: Callable[[], Given]) -> Given:
    """What the call gives or raises; TimeoutError where it has not come back after so many seconds."""
    return begun(call).result(timeout=seconds)


def _settle(coming: "Future[Given]", call: Callable[[], Given]) -> None:
    try:
        coming.set_result(call())
    except BaseException as error:
        coming.set_exception(error)
