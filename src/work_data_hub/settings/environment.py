"""Where settings come from: the shell's environment over `.env` over `.wdh_env`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dotenv import dotenv_values
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from work_data_hub.errors import ConfigError

ENV_FILES = (".env", ".wdh_env")  # the first beats the second
URL, URI = "DATABASE_URL", "WDH_DATABASE__URI"
LEGACY = "WDH_LEGACY__URI"
_PART_NAMES = ("HOST", "PORT", "USER", "PASSWORD", "DB")
PARTS = tuple(f"WDH_DATABASE__{part}" for part in _PART_NAMES)
LEGACY_PARTS = tuple(f"WDH_LEGACY__{part}" for part in _PART_NAMES)


class LayeredEnvironment(PydanticBaseSettingsSource):
    """The shell's environment over `.env` over `.wdh_env`; the database from the highest layer that names one."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: `__call__` gives all values at once."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """The variables that are set, by name."""
        layers = [dict(os.environ), *(_env_file(Path(name)) for name in ENV_FILES)]
        merged = {name: value for layer in reversed(layers) for name, value in layer.items()}
        names = {str(field.validation_alias) for field in self.settings_cls.model_fields.values()}
        found = merged | {
            URL: _database_url(layers, merged, names=(URL, URI), parts=PARTS),
            LEGACY: _database_url(layers, merged, names=(LEGACY,), parts=LEGACY_PARTS),
        }
        return {name: value for name in sorted(names) if (value := found.get(name))}


def _env_file(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        # No interpolation: a password may hold ${…}.
        values = dotenv_values(path, interpolate=False, encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"the file cannot be read: {type(error).__name__}"
        raise ConfigError(reason, file=path.name, hint="save it as UTF-8 text") from None
    return {name: value or "" for name, value in values.items()}


def _database_url(
    layers: list[dict[str, str]], merged: Mapping[str, str], *, names: tuple[str, ...], parts: tuple[str, ...]
) -> str | None:
    """One URL from the variables `names` or from the parts, whichever the highest layer gives."""
    for layer in layers:
        if url := next((layer[name] for name in names if layer.get(name)), None):
            return url
        if layer.get(parts[0]):
            return _url_of_parts(merged, name=names[0], parts=parts)
        if any(name in layer for name in names):
            return None
    return _url_of_parts(merged, name=names[0], parts=parts) if any(merged.get(part) for part in parts) else None


def _url_of_parts(merged: Mapping[str, str], *, name: str, parts: tuple[str, ...]) -> str:
    host_part, port_part, user_part, password_part, database_part = parts
    missing = [part for part in (host_part, user_part, database_part) if not merged.get(part)]
    if missing:
        raise ConfigError(
            f"the database is named in part only: {', '.join(missing)} missing",
            field=missing[0],
            hint=f"set {' and '.join(missing)}, or {name} alone",
        )
    port = merged.get(port_part) or "5432"
    if not port.isdecimal():
        raise ConfigError(f"{port_part} is not a number", field=port_part, hint="5432 is PostgreSQL's own")
    user, password, database = (
        quote(merged.get(part, ""), safe="") for part in (user_part, password_part, database_part)
    )
    host = f"[{merged[host_part]}]" if ":" in merged[host_part] else quote(merged[host_part], safe="")
    return f"postgresql://{user}{f':{password}' if password else ''}@{host}:{port}/{database}"
