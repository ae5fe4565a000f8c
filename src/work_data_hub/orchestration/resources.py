"""What Dagster's ops are given: a desk that opens runs in the place the settings describe."""

from collections.abc import Iterator

from dagster import InitResourceContext, resource

from work_data_hub.orchestration.file_run import FileRun
from work_data_hub.orchestration.places import workplace
from work_data_hub.orchestration.requests import FileRequest
from work_data_hub.settings import get_settings


class SettingsDesk:
    """Opens runs on the files, configuration and warehouse of the settings."""

    def __init__(self) -> None:
        self._runs: list[FileRun] = []

    def open(self, request: FileRequest) -> FileRun:
        """A run of its own, holding nothing yet."""
        run = FileRun(request, workplace(get_settings(), execute=request.execute))
        self._runs.append(run)
        return run

    def close(self) -> None:
        """Give back what the runs hold."""
        for run in self._runs:
            run.close()


@resource(description="Opens runs on the files, configuration and warehouse of the settings.")
def settings_desk(_: InitResourceContext) -> Iterator[SettingsDesk]:
    """A desk for the length of a Dagster run."""
    desk = SettingsDesk()
    try:
        yield desk
    finally:
        desk.close()
