"""`wdh registry check`: what the command does."""

import json
from dataclasses import replace

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import table_lines
from work_data_hub.errors import DirectoryError
from work_data_hub.io.company_directory import CompanyDirectory, TokenCheck, TokenState
from work_data_hub.io.directory_access import DirectoryAccess, directory_access, why_no_registry
from work_data_hub.settings import Settings

_NOT_CHECKED = "not asked"
_NEXT = {
    TokenState.VALID: "",
    TokenState.REFUSED: "next: sign in to the registry and put the fresh token into WDH_EQC_TOKEN",
    TokenState.UNKNOWN: "next: see that WDH_EQC_BASE_URL is right and the registry runs, and check again",
}


def run_check(*, report: str, debug: bool) -> int:
    """Print address, whether a token is set, and what the registry says to it; returns 0 or 7."""
    refuse_form(report)
    settings = open_door(debug=debug)
    access = directory_access(settings)
    found = _asked(access) if access else None
    if report == "json":
        print(json.dumps(_document(settings, found), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_lines(settings, found)))
    return 0 if found and found.state is TokenState.VALID else DirectoryError.exit_code


def _asked(access: DirectoryAccess) -> TokenCheck:
    # Once: who checks wants to know how it is now.
    with CompanyDirectory(replace(access, retry_max=0)) as directory:
        return directory.check_token()


def _lines(settings: Settings, found: TokenCheck | None) -> list[str]:
    facts = [
        ["registry", settings.eqc_base_url or "WDH_EQC_BASE_URL is not set"],
        ["token", "set" if settings.eqc_token else "WDH_EQC_TOKEN is not set"],
        ["result", " · ".join(part for part in (_state(found), _reason(settings, found)) if part)],
    ]
    hint = _NEXT[found.state] if found else "next: set them in .env or .wdh_env; loads go on without a registry"
    return [*table_lines(facts), *([hint] if hint else [])]


def _document(settings: Settings, found: TokenCheck | None) -> dict[str, object]:
    return {
        "command": "registry check",
        "base_url": settings.eqc_base_url,
        "is_token_set": settings.eqc_token is not None,
        "result": _state(found),
        "reason": _reason(settings, found) or None,
        "error": None,
    }


def _state(found: TokenCheck | None) -> str:
    return found.state.value if found else _NOT_CHECKED


def _reason(settings: Settings, found: TokenCheck | None) -> str:
    return found.reason if found else why_no_registry(settings)
