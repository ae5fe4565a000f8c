"""Where the company registry is and how it may be asked; light, so that a run without one loads no HTTP."""

import re
from dataclasses import dataclass, field, replace
from typing import Self

from work_data_hub.errors import ConfigError
from work_data_hub.settings import Settings

_VISIBLE = re.compile("[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryAccess:
    """Address and token of the registry, and how often and how long it may be asked.

    A request takes at most `timeout_seconds`, all in all, and is repeated at most `retry_max` times; at most
    `rate_limit` requests begin in any `rate_window_seconds`.
    """

    base_url: str
    token: str = field(repr=False)
    timeout_seconds: float = 30.0
    retry_max: int = 3
    rate_limit: int = 10
    rate_window_seconds: float = 60.0

    def __post_init__(self) -> None:
        # A driver would show a token that it cannot send in its complaint.
        if not _VISIBLE.fullmatch(self.token):
            raise ConfigError("the token cannot be sent", field="WDH_EQC_TOKEN", hint="copy it again, without blanks")

    def paced(self, requests_per_second: float) -> Self:
        """The same access at an even pace."""
        return replace(self, rate_limit=1, rate_window_seconds=1 / requests_per_second)


def directory_access(settings: Settings) -> DirectoryAccess | None:
    """The access that the settings give; None where they give none, and `why_no_registry` says why."""
    if settings.eqc_base_url is None or settings.eqc_token is None or not settings.eqc_enabled:
        return None
    return DirectoryAccess(
        base_url=settings.eqc_base_url,
        token=settings.eqc_token.get_secret_value(),
        timeout_seconds=settings.eqc_timeout_seconds,
        retry_max=settings.eqc_retry_max,
        rate_limit=settings.eqc_rate_limit,
        rate_window_seconds=settings.eqc_rate_limit_window_seconds,
    )


def why_no_registry(settings: Settings) -> str:
    """Why the settings give no access to a registry; "" where they do."""
    if not settings.eqc_enabled:
        return "WDH_EQC_ENABLED is false"
    values = {"WDH_EQC_BASE_URL": settings.eqc_base_url, "WDH_EQC_TOKEN": settings.eqc_token}
    missing = [name for name, value in values.items() if value is None]
    return f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not set" if missing else ""
