"""The domains: every `Domain` that a module of this folder declares, in load order."""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules

from work_data_hub.domain.spec import Domain
from work_data_hub.errors import ConfigError


def _declared() -> Iterator[Domain]:
    for name in sorted(module.name for module in iter_modules(__path__)):
        for value in vars(import_module(f"{__name__}.{name}")).values():
            if isinstance(value, Domain):
                yield value


def by_name(declared: Iterator[Domain]) -> dict[str, Domain]:
    """The domains by name, those with the smaller `load_order` first; raises ConfigError for a name declared twice."""
    domains: dict[str, Domain] = {}
    for domain in sorted(declared, key=lambda one: (one.load_order, one.name)):
        if domains.setdefault(domain.name, domain) is not domain:
            raise ConfigError("two declarations have this name", domain=domain.name, hint="rename one of the two")
    return domains


DOMAINS: dict[str, Domain] = by_name(_declared())
