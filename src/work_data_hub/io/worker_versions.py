"""Whether a cluster's workers run what runs here: only then are their answers those of this machine."""

from collections.abc import Iterator, Mapping
from typing import Any

from distributed import Client

from work_data_hub.errors import ClusterError
from work_data_hub.io.code_version import code_version

# What decides values and dtypes, and what travels between client and workers.
COMPARED = ("pandas", "numpy", "pyarrow", "fastexcel", "distributed", "cloudpickle")


def refuse_others(client: Client) -> None:
    """Raise ClusterError naming a worker whose Python, libraries or code of ours differ, and in what."""
    versions = client.get_versions(check=False, packages=list(COMPARED))
    codes = client.run(code_version, on_error="return")
    for worker, theirs in versions["workers"].items():
        differing = [*_differing(theirs, versions["client"]), *_differing_code(codes.get(worker))]
        if differing:
            raise ClusterError(
                f"the worker {worker} runs another version: {', '.join(differing)}",
                field="WDH_DASK_SCHEDULER",
                rule="client and workers run the same code on the same libraries",
                hint="start the worker from the same installation",
            )


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    pairs = {"python": (theirs["host"]["python"], ours["host"]["python"])}
    pairs |= {name: (theirs["packages"].get(name), ours["packages"].get(name)) for name in COMPARED}
    for name, (there, here) in pairs.items():
        if there != here:
            yield f"{name} {there or '(missing)'}, here {here}"


def _differing_code(there: object) -> Iterator[str]:
    """A worker that cannot say its code version answers with what went wrong."""
    if there != code_version():
        shown = there if isinstance(there, str) else "(not installed)"
        yield f"work_data_hub {shown}, here {code_version()}"
