"""The hooks of one run: which wait for what it loaded, and how each ended."""

from typing import Any

from work_data_hub.domain.period import Period
from work_data_hub.domain.report import HookRun
from work_data_hub.orchestration.requests import FileRequest, Workplace
from work_data_hub.orchestration.warehouse_side import hook_side


class HookDesk:
    """Runs what follows a load; nothing for a plan, for reference rows alone, and where hooks are not wanted."""

    def __init__(self, request: FileRequest, place: Workplace) -> None:
        self._domain, self._place = request.domain, place
        self._is_open = request.execute and request.runs_hooks and not request.skip_facts
        self._due: tuple[Any, ...] | None = None
        self.runs: tuple[HookRun, ...] = ()

    def follow(self, period: Period, *, only: str | None = None) -> None:
        """Run the hooks that the month's newest load waits for, or the one of them that is named."""
        for hook in self._waiting(period):
            if only in (None, hook.name):
                self.runs += (hook_side().run_hook(hook, self._domain, period, place=self._place),)

    def _waiting(self, period: Period) -> tuple[Any, ...]:
        if self._due is None:
            self._due = hook_side().due_hooks(self._domain, period, place=self._place) if self._is_open else ()
        return self._due
