"""`wdh dagster`: what the commands do."""

import os
import subprocess
import sys

from work_data_hub.cli.doors import open_door
from work_data_hub.orchestration.dagster_instance import dagster_environment, dagster_home


def run_dev(*, port: int, host: str) -> int:
    """Run `dagster dev` over our definitions until it ends; returns its exit code."""
    settings = open_door()
    environment = os.environ | dagster_environment(settings)
    module = "work_data_hub.orchestration.definitions"
    command = [sys.executable, "-m", "dagster", "dev", "-m", module, "-p", str(port), "-h", host]
    print(f"Dagster on http://{host}:{port} · Ctrl-C stops it", file=sys.stderr)
    with subprocess.Popen(command, env=environment) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.wait()
            return 0


def print_home() -> None:
    """Print the absolute folder."""
    print(dagster_home(open_door()))
