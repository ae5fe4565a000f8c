"""Where a run's independent pieces are worked on: here, or on the cluster that the settings name."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from work_data_hub.domain.spreading import SERIAL, Mapper
from work_data_hub.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The cluster to spread over: its scheduler's address, the rows of a block, and how long it may let wait."""

    address: str
    block_rows: int
    wait_seconds: float


class Spread:
    """A run's mapper, made when it is first needed. `close` gives the cluster back."""

    def __init__(self, cluster: Cluster | None, *, run_id: str) -> None:
        self._cluster, self._run_id = cluster, run_id
        self._opened: Any = None

    @property
    def mapper(self) -> Mapper:
        """One after the other without a cluster; raises ClusterError where the cluster cannot be used."""
        if self._cluster is None:
            return SERIAL
        if self._opened is None:
            self._opened = _cluster_side().open_cluster(
                self._cluster.address,
                run_id=self._run_id,
                block_rows=self._cluster.block_rows,
                wait_seconds=self._cluster.wait_seconds,
            )
        mapper: Mapper = self._opened
        return mapper

    def close(self) -> None:
        """Give the cluster back where it was used."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _cluster_side() -> Any:
    """What talks to a cluster, loaded only when there is one: it is slow to load, and need not be installed."""
    try:
        return import_module("work_data_hub.io.dask_cluster")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed",
            field="WDH_DASK_SCHEDULER",
            hint="install it with `uv sync --extra spread`, or unset WDH_DASK_SCHEDULER",
        ) from error
