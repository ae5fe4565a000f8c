"""A rejects workbook that came back becomes a request: the same files, loaded as the first run would have."""

from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from work_data_hub.domain.loads import LastLoad
from work_data_hub.domain.plans import LoadMode
from work_data_hub.domain.returned import OriginalFile, Returned
from work_data_hub.domain.settled import settled
from work_data_hub.domain.source import Source
from work_data_hub.errors import DataError, UnreadableWorkbook, UsageError, WarehouseError, WorkbookNotFound
from work_data_hub.io.source_files import Found, FoundFile, direct_file
from work_data_hub.orchestration.requests import FileRequest, Workplace


def reworked(request: FileRequest, returned: Returned) -> FileRequest:
    """The request to run the original files again with what was sent back; how they load is the first run's.

    Raises UsageError where the workbook is another domain's or month's than the request.
    """
    facts = returned.facts
    for what, asked, told in (
        ("domain", request.domain, facts.domain),
        ("month", request.period and request.period.yyyymm, facts.period.yyyymm),
    ):
        if asked and asked != told:
            raise UsageError(
                f"the workbook holds rejected rows of the {what} {told}, not {asked}",
                file=returned.path,
                hint=f"run it for {told}",
            )
    return replace(
        request,
        domain=facts.domain,
        period=facts.period,
        file=None,
        sheet=facts.sheet,
        mode=facts.mode,
        scope=facts.scope,
        skip_facts=facts.skip_facts,
        rework=returned,
    )


def original_files(returned: Returned, *, source: Source, data_root: Path) -> Found:
    """The very files that the rows came from, below the data root or where they were.

    Raises WorkbookNotFound or UnreadableWorkbook for one that is gone or changed, naming it.
    """
    files = tuple(_original(file, source=source, data_root=data_root) for file in returned.facts.files)
    return Found(source=source, files=files, reason=f"the original of the returned {Path(returned.path).name}")


def repeated_load(returned: Returned, loads: tuple[LastLoad, ...]) -> LastLoad | None:
    """The standing load of these very files, which a requeue repeats; None where their first run was refused.

    `loads` are the month's, newest first. Raises DataError where it was loaded from another file since.
    """
    facts, newest = returned.facts, loads[0] if loads else None
    ours = next((load for load in loads if sorted(load.fingerprint.files) == facts.hashes), None)
    replaces = facts.mode is LoadMode.DELETE_INSERT
    known = {load.load_id for load in (loads[:1] if replaces else loads)}
    if newest is None or facts.standing_load_id in known or (ours and (ours is newest or not replaces)):
        return ours
    raise DataError(
        f"{facts.domain} {facts.period} has been loaded from another file since, by load {newest.load_id}",
        domain=facts.domain,
        operation="requeue",
        file=returned.path,
        rule="corrections go into the file that the month was loaded from, or was about to be",
        hint="correct the rejected rows of that load, or load the first file again: "
        f"wdh etl --domains {facts.domain} --period {facts.period.yyyymm}, with its --version or --file",
    )


def _original(file: OriginalFile, *, source: Source, data_root: Path) -> FoundFile:
    hint = f"put the file with the SHA-256 {file.sha256[:12]}… back to {file.path}, or load the new one with wdh etl"
    try:
        named = direct_file(_place(file, data_root), source=source).files[0]
    except WorkbookNotFound as error:
        if (renamed := _renamed(file, data_root)) is not None:
            return renamed
        raise WorkbookNotFound(
            "the original of the rejected rows is gone", file=file.path, domain=source.domain, hint=hint
        ) from error
    if named.sha256 == file.sha256:
        return replace(named, label=file.label, version=file.version)
    if (renamed := _renamed(file, data_root)) is not None:
        return renamed
    raise UnreadableWorkbook(
        "the original of the rejected rows was changed since", file=file.path, domain=source.domain, hint=hint
    )


def _renamed(file: OriginalFile, data_root: Path) -> FoundFile | None:
    """The file with the very content under another name, in the folder where it was; None where there is none."""
    root = data_root.resolve()
    for folder in dict.fromkeys((_place(file, data_root).parent, (root / file.label).resolve().parent)):
        beside = sorted(folder.glob(f"*{Path(file.path).suffix}")) if folder.is_dir() else []
        for path in beside:
            found = FoundFile(path=path, label=file.label, version=file.version)
            with suppress(UnreadableWorkbook):
                if path.is_file() and not path.is_symlink() and found.sha256 == file.sha256:
                    return found
    return None


def standing(returned: Returned, place: Workplace) -> Returned:
    """What came back as far as it differs from what the warehouse keeps; as it is where none can be asked."""
    if place.database_url is None:
        return returned
    # The driver is loaded only where there is a warehouse.
    peek = import_module("work_data_hub.orchestration.load_session").peek_sent_back
    facts = returned.facts
    try:
        stored, _ = peek(place.database_url, domain=facts.domain, hashes=facts.hashes, repeats=None)
    except WarehouseError:
        return returned
    return settled(returned, stored).returned


def _place(file: OriginalFile, data_root: Path) -> Path:
    """Below the data root, which may have moved, where the file still is there; else where it was."""
    root = data_root.resolve()
    below = (root / file.label).resolve()
    return below if below.is_relative_to(root) and below.is_file() else Path(file.path)
