"""A code server over our definitions, as a unit starts it: it runs what is launched, each in a process of its own."""

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._grpc.client import DagsterGrpcClient

from tests.free_ports import free_port
from tests.hub import Hub
from tests.patience import until
from work_data_hub.orchestration.dagster_parts import Part, part_command
from work_data_hub.orchestration.definitions import defs


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeServer:
    """The server, and how it is reached."""

    process: psutil.Process
    port: int

    @property
    def workers(self) -> list[psutil.Process]:
        """The processes of the runs; Python keeps one more beside them."""
        return [one for one in self.process.children() if "spawn_main" in " ".join(one.cmdline())]

    def launch(self, instance: DagsterInstance, job: str, config: Mapping[str, object]) -> DagsterRun:
        """A run that the server has begun, or is about to."""
        location = GrpcServerCodeLocationOrigin(host="localhost", port=self.port, location_name="ours")
        run = instance.create_run_for_job(
            defs.get_job_def(job),
            run_config=config,
            status=DagsterRunStatus.STARTING,
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job),
            job_code_origin=None,
        )
        client = DagsterGrpcClient(host="localhost", port=self.port)
        DefaultRunLauncher.launch_run_from_grpc_client(instance, run, client)
        return run

    def kill(self) -> None:
        """End it and all its workers at once, as the end of a container does."""
        family = [self.process, *self.process.children(recursive=True)]
        for one in family:
            one.suspend()
        for one in family:
            one.kill()
        psutil.wait_procs(family)


@contextmanager
def code_server(hub: Hub, folder: Path, **settings: str) -> Iterator[CodeServer]:
    """One that has the settings, run in the folder; killed at the end with what it started."""
    port = free_port()
    command = part_command(Part.CODE, host="127.0.0.1", port=port, workspace=folder)
    environment = hub.environment(DAGSTER_HOME=str(hub.home / "dagster"), **settings)
    with subprocess.Popen(command, env=environment, cwd=hub.home, stdout=subprocess.DEVNULL) as process:
        family = psutil.Process(process.pid)
        try:
            until(lambda: _answers(port), every=0.2)
            yield CodeServer(process=family, port=port)
        finally:
            left = family.children(recursive=True) if process.poll() is None else []
            process.kill()
            for one in left:
                one.kill()


def _answers(port: int) -> bool:
    try:
        return bool(DagsterGrpcClient(host="localhost", port=port).ping("here"))
    except DagsterUserCodeUnreachableError:
        return False
