"""The settings of a process: every variable with its kind, default and meaning."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from work_data_hub.errors import ConfigError
from work_data_hub.settings.environment import LEGACY, LEGACY_PARTS, PARTS, URI, URL, LayeredEnvironment
from work_data_hub.settings.notices import NoticeSettings
from work_data_hub.settings.pipelines import PipelineSettings
from work_data_hub.settings.spreading import SpreadSettings
from work_data_hub.settings.values import (
    AbsolutePath,
    Count,
    PostgresUrl,
    Rate,
    RegistryUrl,
    Seconds,
    Token,
    database_of,
    passwords_of,
)

DEV_SALT = "default_dev_salt_change_in_prod"
_THIS_MACHINE = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")


class Settings(PipelineSettings, NoticeSettings, SpreadSettings):
    """Everything a site may set; relative paths are relative to the current folder and come out absolute."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, validate_default=True, hide_input_in_errors=True
    )
    works_on_a_database: ClassVar[bool] = True

    environment: Literal["dev", "staging", "prod"] = Field(
        default="dev",
        validation_alias="ENVIRONMENT",
        description="dev, staging or prod. staging and prod need DATABASE_URL and a salt of their own.",
    )
    database_url: PostgresUrl | None = Field(
        default=None,
        validation_alias=URL,
        description="The warehouse, PostgreSQL 15 to 18. Without it dev uses the embedded server under WDH_HOME. "
        "In the password write @ : / ? # % as %40 %3A %2F %3F %23 %25. "
        f"Or give {URI}, or the parts {', '.join(PARTS)} (the password as it is).",
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
        validation_alias=LEGACY,
        description="The database that `wdh reference sync` reads reference tables from; it is never written. "
        f"Or give the parts {', '.join(LEGACY_PARTS)} (the password as it is).",
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
        is_needed = cls.works_on_a_database or info.field_name == "fault"
        if environment != "dev" and is_needed and (reason := _unsafe(info.field_name or "", value)):
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
        if value is not None and warehouse is not None and database_of(value) == database_of(warehouse):
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
        named = (
            self.database_url,
            self.dagster_pg_url,
            self.legacy_url,
            self.etl_reader_url,
            self.notice_mail_server,
        )
        urls = [url.get_secret_value() for url in named if url is not None]
        passwords = [password for url in urls for password in passwords_of(url)]
        salt = self.alias_salt.get_secret_value()
        found = {*passwords, *(unquote(password) for password in passwords), *([salt] if salt != DEV_SALT else [])}
        others = (self.eqc_token, self.api_token, self.elasticsearch_password, self.notice_webhook)
        found |= {secret.get_secret_value() for secret in others if secret is not None and secret.get_secret_value()}
        return tuple(sorted(found, key=len, reverse=True))


class ClientSettings(Settings):
    """The settings of a command that only asks an API: outside dev it needs neither a database nor a salt."""

    works_on_a_database: ClassVar[bool] = False


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read and validated once; raises ConfigError naming each wrong variable."""
    return _read(Settings)


def get_client_settings() -> Settings:
    """The same for a command that only asks an API."""
    return _read(ClientSettings)


def _read(kind: type[Settings]) -> Settings:
    try:
        return kind()
    except ValidationError as error:
        raise _config_error(error) from None


def _unsafe(field: str, value: Any) -> str | None:
    """Why a value that dev may have is refused in staging and prod; None where it is not."""
    if field == "database_url":
        return "is required" if value is None else None
    if field == "alias_salt":
        return "must not be the dev salt" if value.get_secret_value() == DEV_SALT else None
    return "must not be set" if value is not None else None


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
