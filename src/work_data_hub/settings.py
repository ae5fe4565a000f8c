"""Settings from the environment: read once at the door, validated, frozen, handed down as a value.

The shell's environment beats `.env`, which beats `.wdh_env`; both files are looked for in the current
folder. An empty variable says "not set", and still beats the files below it.
"""

import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from textwrap import wrap
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, quote, unquote, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from work_data_hub.errors import ConfigError

DEV_SALT = "default_dev_salt_change_in_prod"
ENV_FILES = (".env", ".wdh_env")  # the first beats the second

_THIS_MACHINE = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")
_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})
_URL, _URI = "DATABASE_URL", "WDH_DATABASE__URI"
_LEGACY = "WDH_LEGACY__URI"
_PART_NAMES = ("HOST", "PORT", "USER", "PASSWORD", "DB")
_PARTS = tuple(f"WDH_DATABASE__{part}" for part in _PART_NAMES)
_LEGACY_PARTS = tuple(f"WDH_LEGACY__{part}" for part in _PART_NAMES)

# In place of a default in .env.example, where there is none to show or it must not be used.
_PLACEHOLDERS = {
    _URL: "postgresql://<user>:<password>@<host>:5432/<database>",
    _LEGACY: "postgresql://<user>:<password>@<host>:5432/<legacy-database>",
    "WDH_ALIAS_SALT": "<long-random-text>",
    "DAGSTER_HOME": "./.wdh/dagster",
    "LOG_FILE_DIR": "./.wdh/logs",
    "WDH_DAGSTER_PG_URL": "postgresql://<user>:<password>@<host>:5432/<dagster-database>",
    "WDH_FAULT": "<point>:<probability>:<seed>",
    "WDH_EQC_BASE_URL": "https://<registry>",
    "WDH_EQC_TOKEN": "<token>",
}


def _postgres_url(secret: SecretStr) -> SecretStr:
    """The URL with the scheme psycopg2 reads; raise ValueError, without the URL, where it is none."""
    scheme, separator, rest = secret.get_secret_value().partition("://")
    if not separator or scheme.partition("+")[0].lower() not in _POSTGRES_SCHEMES:
        raise ValueError("is not a PostgreSQL URL; write postgresql://<user>:<password>@<host>:<port>/<database>")
    try:
        _ = urlsplit(f"postgresql://{rest}").port if "," not in rest else None
    except ValueError:
        raise ValueError("cannot be read; write @ : / ? # % in its password as %40 %3A %2F %3F %23 %25") from None
    return SecretStr(f"postgresql://{rest}")


def _passwords_of(url: str) -> list[str]:
    parts = urlsplit(url)
    known = (None, "", parts.username, parts.path.lstrip("/"))  # what is shown anyway is no secret
    return [found for found in (parts.password, *parse_qs(parts.query).get("password", [])) if found not in known]


def _registry_url(url: str) -> str:
    """The URL without a slash at its end; raise ValueError, without the URL, where it is none to ask at."""
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_plain = False
    if not is_plain or not re.fullmatch("[!-~]+", text):
        raise ValueError("is not the URL of a registry; write https://<registry>")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be without user, password, ? and #; the token stands in WDH_EQC_TOKEN")
    return parts.geturl()


def _token(secret: SecretStr) -> SecretStr:
    """The token without blanks around it; raise ValueError, without the token, where it is none."""
    text = secret.get_secret_value().strip()
    if not re.fullmatch("[!-~]{8,}", text):
        raise ValueError("is not a token: it is blank, under 8 characters or holds signs no token has; copy it again")
    return SecretStr(text)


def _database_of(url: SecretStr) -> tuple[str, str]:
    parts = urlsplit(url.get_secret_value())
    return parts.netloc.rpartition("@")[2].lower(), parts.path


Count = Annotated[int, Field(ge=1, le=1_000_000)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
RegistryUrl = Annotated[str, AfterValidator(_registry_url)]
Token = Annotated[SecretStr, AfterValidator(_token)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Rate = Annotated[float, Field(gt=0, le=1_000)]


class Settings(BaseSettings):
    """Everything a site may set; relative paths are relative to the current folder and come out absolute."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, validate_default=True, hide_input_in_errors=True
    )

    environment: Literal["dev", "staging", "prod"] = Field(
        default="dev",
        validation_alias="ENVIRONMENT",
        description="dev, staging or prod. staging and prod need DATABASE_URL and a salt of their own.",
    )
    database_url: PostgresUrl | None = Field(
        default=None,
        validation_alias=_URL,
        description="The warehouse, PostgreSQL 15 to 18. Without it dev uses the embedded server under WDH_HOME. "
        "In the password write @ : / ? # % as %40 %3A %2F %3F %23 %25. "
        f"Or give {_URI}, or the parts {', '.join(_PARTS)} (the password as it is).",
    )
    home: AbsolutePath = Field(
        default=Path("./.wdh"),
        validation_alias="WDH_HOME",
        description="Folder of all that WorkDataHub itself writes: embedded server, Dagster, reports, rejects.",
    )
    data_root: AbsolutePath = Field(
        default=Path("./data"),
        validation_alias="WDH_DATA_ROOT",
        description="Folder of the monthly drops; base_path in data_sources.yml is relative to it.",
    )
    config_dir: AbsolutePath = Field(
        default=Path("./config"),
        validation_alias="WDH_CONFIG_DIR",
        description="Folder of data_sources.yml and the mappings.",
    )
    alias_salt: SecretStr = Field(
        default=SecretStr(DEV_SALT),
        validation_alias="WDH_ALIAS_SALT",
        description="Salt of temporary company ids; change it and every id changes. The default is for dev only.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        validation_alias="LOG_LEVEL",
        description="DEBUG, INFO, WARNING, ERROR or CRITICAL. Unset, the command line shows warnings only.",
    )
    log_format: Literal["json", "pretty"] = Field(
        default="json", validation_alias="LOG_FORMAT", description="json or pretty; logs always go to stderr."
    )
    log_to_file: bool = Field(
        default=False,
        validation_alias="LOG_TO_FILE",
        description="true: write logs to a file as well, one a day (UTC), the newest 30 kept.",
    )
    log_file_dir: AbsolutePath | None = Field(
        default=None, validation_alias="LOG_FILE_DIR", description="Folder of the log files; unset, logs in WDH_HOME."
    )
    max_workers: Count = Field(
        default=4,
        validation_alias="MAX_WORKERS",
        description="Most things done at once; nothing runs side by side yet.",
    )
    db_pool_size: Count = Field(default=10, validation_alias="DB_POOL_SIZE", description="Most connections at once.")
    db_batch_size: Count = Field(
        default=1000, validation_alias="DB_BATCH_SIZE", description="Rows streamed to the warehouse in one chunk."
    )
    dagster_home: AbsolutePath | None = Field(
        default=None, validation_alias="DAGSTER_HOME", description="Folder of Dagster's instance; unset, in WDH_HOME."
    )
    dagster_pg_url: PostgresUrl | None = Field(
        default=None,
        validation_alias="WDH_DAGSTER_PG_URL",
        description="Dagster's own database, never the warehouse; unset, SQLite in its folder.",
    )
    legacy_url: PostgresUrl | None = Field(
        default=None,
        validation_alias=_LEGACY,
        description="The database that `wdh reference sync` reads reference tables from; it is never written. "
        f"Or give the parts {', '.join(_LEGACY_PARTS)} (the password as it is).",
    )
    eqc_base_url: RegistryUrl | None = Field(
        default=None, validation_alias="WDH_EQC_BASE_URL", description="The company registry; unset, none is asked."
    )
    eqc_token: Token | None = Field(
        default=None, validation_alias="WDH_EQC_TOKEN", description="The registry's token; it dies after about 30 min."
    )
    eqc_enabled: bool = Field(
        default=True, validation_alias="WDH_EQC_ENABLED", description="false: ask no registry, whatever is set."
    )
    eqc_timeout_seconds: Seconds = Field(
        default=30, validation_alias="WDH_EQC_TIMEOUT", description="Most seconds one request may take, all in all."
    )
    eqc_rate_limit: Count = Field(
        default=10, validation_alias="WDH_EQC_RATE_LIMIT", description="Most requests in one window."
    )
    eqc_rate_limit_window_seconds: Seconds = Field(
        default=60, validation_alias="WDH_EQC_RATE_LIMIT_WINDOW", description="Length of that window in seconds."
    )
    eqc_retry_max: int = Field(
        default=3, ge=0, le=10, validation_alias="WDH_EQC_RETRY_MAX", description="Most repeats of a failed request."
    )
    eqc_sync_budget: int = Field(
        default=500, ge=0, validation_alias="WDH_EQC_SYNC_BUDGET", description="Most distinct names one load may ask."
    )
    eqc_run_seconds: float = Field(
        default=90, ge=0, le=86_400, validation_alias="WDH_EQC_RUN_SECONDS", description="Most seconds one load asks."
    )
    eqc_freshness_days: Count = Field(
        default=90, validation_alias="WDH_EQC_DATA_FRESHNESS_THRESHOLD_DAYS", description="Older answers are stale."
    )
    eqc_refresh_batch_size: Count = Field(
        default=100, validation_alias="WDH_EQC_DATA_REFRESH_BATCH_SIZE", description="Companies of one refresh batch."
    )
    eqc_refresh_requests_per_second: Rate = Field(
        default=1.0, validation_alias="WDH_EQC_DATA_REFRESH_RATE_LIMIT", description="Most of its requests a second."
    )
    fault: str | None = Field(
        default=None,
        validation_alias="WDH_FAULT",
        description="For tests in dev only: kill the process at this point, point[:probability[:seed]].",
    )

    @field_validator("environment", "log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, str):
            return value
        return value.strip().upper() if info.field_name == "log_level" else value.strip().lower()

    @field_validator("database_url", "alias_salt", "fault")
    @classmethod
    def _safe_outside_dev(cls, value: Any, info: ValidationInfo) -> Any:
        environment = info.data.get("environment", "dev")
        if environment != "dev" and (reason := _unsafe(info.field_name or "", value)):
            raise ValueError(f"{reason} when ENVIRONMENT is {environment}")
        return value

    @field_validator("eqc_base_url")
    @classmethod
    def _encrypted_unless_near(cls, value: str | None, info: ValidationInfo) -> str | None:
        is_dev, parts = info.data.get("environment", "dev") == "dev", urlsplit(value or "")
        if parts.scheme == "http" and not is_dev and not _THIS_MACHINE.fullmatch(parts.hostname or ""):
            raise ValueError("must begin with https: outside dev, or the token can be read on its way")
        return value

    @field_validator("dagster_pg_url")
    @classmethod
    def _not_the_warehouse(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        warehouse = info.data.get("database_url")
        if value is not None and warehouse is not None and _database_of(value) == _database_of(warehouse):
            raise ValueError("names the warehouse; Dagster needs a database of its own")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the layered environment; nothing else."""
        return init_settings, LayeredEnvironment(settings_cls)

    def secret_values(self) -> tuple[str, ...]:
        """Texts that must appear in no log: the salt, the token, and the passwords of URLs in both spellings."""
        named = (self.database_url, self.dagster_pg_url, self.legacy_url)
        urls = [url.get_secret_value() for url in named if url is not None]
        passwords = [password for url in urls for password in _passwords_of(url)]
        salt = self.alias_salt.get_secret_value()
        found = {*passwords, *(unquote(password) for password in passwords), *([salt] if salt != DEV_SALT else [])}
        found |= {self.eqc_token.get_secret_value()} if self.eqc_token else set()
        return tuple(sorted(found, key=len, reverse=True))


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
            _URL: _database_url(layers, merged, names=(_URL, _URI), parts=_PARTS),
            _LEGACY: _database_url(layers, merged, names=(_LEGACY,), parts=_LEGACY_PARTS),
        }
        return {name: value for name in sorted(names) if (value := found.get(name))}


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read and validated once; raises ConfigError naming each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise _config_error(error) from None


def env_example() -> str:
    """The text of `.env.example`: every variable with what it means and its default, all of them unset."""
    head = "# Generated from src/work_data_hub/settings.py. Copy to .env and set what you need.\n"
    entries = [_example_entry(field) for field in Settings.model_fields.values()]
    return "\n".join([head, *entries])


def _unsafe(field: str, value: Any) -> str | None:
    """Why a value that dev may have is refused in staging and prod; None where it is not."""
    if field == "database_url":
        return "is required" if value is None else None
    if field == "alias_salt":
        return "must not be the dev salt" if value.get_secret_value() == DEV_SALT else None
    return "must not be set" if value is not None else None


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


def _config_error(error: ValidationError) -> ConfigError:
    problems = [_problem(str(entry["loc"][0]), entry["msg"]) for entry in error.errors(include_input=False)]
    names = list(dict.fromkeys(name for name, _ in problems))
    return ConfigError(
        "; ".join(f"{name} {reason}" for name, reason in problems),
        field=", ".join(names),
        hint=f"correct {' and '.join(names)} in the shell, .env or .wdh_env; .env.example explains each variable",
    )


def _problem(name: str, message: str) -> tuple[str, str]:
    field = Settings.model_fields.get(name)
    reason = message.removeprefix("Value error, ")
    return (str(field.validation_alias) if field else name), reason[0].lower() + reason[1:]


def _example_entry(field: FieldInfo) -> str:
    name = str(field.validation_alias)
    default = "" if isinstance(field.default, SecretStr) or field.default is None else _written(field.default)
    shown = _PLACEHOLDERS.get(name, default)
    meaning = wrap(f"{field.description}{f' Default: {default}' if default else ''}", width=100)
    entry = "".join(f"# {line}\n" for line in meaning) + f"#{name}={shown}\n"
    placeholders = ("<host>", "5432", "<user>", "<password>", "<database>")
    others = {_URL: ((_URI, *_PARTS), ("<url>", *placeholders)), _LEGACY: (_LEGACY_PARTS, placeholders)}
    parts = zip(*others.get(name, ((), ())), strict=True)
    return entry + "".join(f"#{part}={placeholder}\n" for part, placeholder in parts)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"./{value.as_posix()}" if isinstance(value, Path) else str(value)
