"""What becomes of a run's rejected rows: a workbook for their owners, and the run borne or refused."""

from importlib import import_module
from pathlib import Path

from work_data_hub.domain.returned import Quarantined
from work_data_hub.domain.run import Outcome
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import ConfigError
from work_data_hub.io.accepted_headings import accepted_headings
from work_data_hub.io.headings import known_headings
from work_data_hub.orchestration.quarantine import Quarantine
from work_data_hub.orchestration.requests import FileRequest, Workplace


def judge_rejects(quarantine: Quarantine, outcome: Outcome, *, domain: Domain, place: Workplace) -> None:
    """Keep the rejected rows in a workbook, and raise DataError when they are more than the run bears.

    A refused requeue writes no workbook: the one that was sent back holds what is to be corrected.
    Raises ConfigError where the folder cannot be written to.
    """
    if quarantine.returned is None:
        _keep(quarantine, outcome, domain=domain, place=place)
        quarantine.refuse(outcome)
    else:
        quarantine.refuse(outcome)
        _keep(quarantine, outcome, domain=domain, place=place)


def _keep(quarantine: Quarantine, outcome: Outcome, *, domain: Domain, place: Workplace) -> None:
    request = quarantine.request
    folder = request.rejects_folder or (place.home / "rejects" if request.execute else None)
    if folder is None or outcome.rejects.empty or quarantine.rows is None:
        return
    rows = Quarantined(
        facts=quarantine.facts(outcome),
        bronze=quarantine.rows,
        rejects=outcome.rejects,
        headings=known_headings(domain, accepted=accepted_headings(place.config_dir, domain)),
        given=quarantine.given,
    )
    name = f"{domain.name}_{outcome.period.yyyymm}_{request.run_id}"
    quarantine.rejects_path = str(_write(folder, name, rows=rows, request=request).resolve())


def _write(folder: Path, name: str, *, rows: Quarantined, request: FileRequest) -> Path:
    # The writer of workbooks is loaded only when there is something to write.
    write_rejects = import_module("work_data_hub.io.rejects_workbook").write_rejects
    try:
        path: Path = write_rejects(folder, name=name, rows=rows)
    except OSError as error:
        raise ConfigError(
            f"the rejects workbook cannot be written to {folder}: {error.strerror}",
            field="--rejects" if request.rejects_folder else "WDH_HOME",
            hint="name a folder that can be written to",
        ) from error
    return path
