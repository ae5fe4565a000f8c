"""What several commands take, checked in one way."""

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.text import did_you_mean
from work_data_hub.errors import UsageError

REPORTS = ("text", "json")


def refuse_form(report: str) -> None:
    """Raise UsageError for a form of report that there is not."""
    if report not in REPORTS:
        raise UsageError("--report takes text or json", field="--report", input_data=report, hint="--report json")


def declared_domain(name: str, *, field: str = "NAME") -> Domain:
    """Return the declared domain of that name; raise UsageError that proposes one."""
    if name in DOMAINS:
        return DOMAINS[name]
    raise UsageError(
        f"no declared domain {name!r}",
        field=field,
        rule=f"one of {', '.join(DOMAINS)}",
        hint=did_you_mean(name, DOMAINS) or "choose one of these",
    )
