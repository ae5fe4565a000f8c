"""What a request means: which domain, which workbooks."""

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.period import Period
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import ConfigError, UsageError
from work_data_hub.io.config_files import source_for
from work_data_hub.io.source_files import Found, direct_file, find_workbooks
from work_data_hub.orchestration.requests import FileRequest, Workplace
from work_data_hub.orchestration.rework import original_files


def declared(name: str) -> Domain:
    """The declaration of a domain; raises ConfigError for one that has none."""
    try:
        return DOMAINS[name]
    except KeyError:
        raise ConfigError(
            f"{name!r} is configured but not declared",
            hint=f"declared domains: {', '.join(DOMAINS)}",
        ) from None


def chosen(request: FileRequest, place: Workplace) -> Found:
    """The workbooks of a request: those sent back, the one named, or those found in the month's folder."""
    source = source_for(place.config_dir, request.domain)
    if request.rework is not None:
        return original_files(request.rework, source=source, data_root=place.data_root)
    if request.file is not None:
        return direct_file(request.file, source=source)
    return find_workbooks(
        source,
        data_root=place.data_root,
        period=_required_period(request),
        version=request.version,
        selection=request.file_selection,
        max_files=request.max_files,
    )


def _required_period(request: FileRequest) -> Period:
    if request.period is None:
        raise UsageError(
            f"{request.domain} needs a month", field="--period", hint="add --period YYYYMM, or --file PATH"
        )
    return request.period
