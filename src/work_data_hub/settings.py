"""Every setting, its unit, default and meaning; read once from the environment, `.env` and `.wdh_env`."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from work_data_hub.errors import ConfigError

DEV_SALT = "dev-only-salt"
_POSTGRES_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"}


def _setting(name: str, words: str, default: Any = None, **limits: Any) -> Any:
    return Field(default=default, validation_alias=AliasChoices(*name.split("|")), description=words, **limits)


class Settings(BaseSettings):
    """The settings of one process; the shell's environment beats `.env`, which beats `.wdh_env`."""

    model_config = SettingsConfigDict(
        env_file=(".wdh_env", ".env"), env_file_encoding="utf-8", extra="ignore", frozen=True, case_sensitive=True
    )

    environment: Literal["dev", "staging", "prod"] = _setting("ENVIRONMENT", "dev, staging or prod", "dev")
    database_url: SecretStr | None = _setting(
        "DATABASE_URL|WDH_DATABASE__URI", "postgresql://user:password@host:5432/database; unset in dev: embedded server"
    )
    database_host: str = _setting("WDH_DATABASE__HOST", "instead of a URL: the server", "")
    database_port: int = _setting("WDH_DATABASE__PORT", "instead of a URL: its port", 5432, ge=1, le=65535)
    database_user: str = _setting("WDH_DATABASE__USER", "instead of a URL: the role", "")
    database_password: SecretStr | None = _setting("WDH_DATABASE__PASSWORD", "instead of a URL: its password")
    database_name: str = _setting("WDH_DATABASE__DB", "instead of a URL: the database", "")
    home: Path = _setting("WDH_HOME", "folder of the embedded server, Dagster's instance and rejects", Path(".wdh"))
    data_root: Path = _setting("WDH_DATA_ROOT", "folder below which the workbooks lie", Path("data"))
    config_dir: Path = _setting("WDH_CONFIG_DIR", "folder of data_sources.yml and mappings/", Path("config"))
    alias_salt: SecretStr = _setting("WDH_ALIAS_SALT", "secret behind temporary company ids", SecretStr(DEV_SALT))
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = _setting("LOG_LEVEL", "least level", "INFO")
    log_format: Literal["json", "pretty"] = _setting("LOG_FORMAT", "json or pretty", "json")
    log_to_file: bool = _setting("LOG_TO_FILE", "also write workdatahub.log, rotated daily, 30 kept", False)
    log_file_dir: Path = _setting("LOG_FILE_DIR", "folder of the log files", Path("logs"))
    dagster_home: Path | None = _setting("DAGSTER_HOME", "folder of Dagster's instance; default below WDH_HOME")
    dagster_pg_url: SecretStr | None = _setting(
        "WDH_DAGSTER_PG_URL", "a database of its own for Dagster's storage; default SQLite"
    )
    max_workers: int = _setting("MAX_WORKERS", "most worker threads of one process", 4, ge=1, le=64)
    db_pool_size: int = _setting("DB_POOL_SIZE", "most connections of one pool", 10, ge=1, le=100)
    db_batch_size: int = _setting("DB_BATCH_SIZE", "rows a chunk in generic loads", 1000, ge=1, le=1_000_000)
    fault: str | None = _setting("WDH_FAULT", "point[:probability[:seed]]: kill the process there; never in prod")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings

    @model_validator(mode="before")
    @classmethod
    def _blank_is_unset(cls, values: Any) -> Any:
        """`DATABASE_URL=` in a file means that it is not set."""
        return {name: value for name, value in dict(values).items() if value != ""}

    @field_validator("environment", "log_level", "log_format", mode="before")
    @classmethod
    def _any_case(cls, value: Any, info: Any) -> Any:
        return value.upper() if info.field_name == "log_level" else value.lower()

    @model_validator(mode="after")
    def _fit_for_environment(self) -> "Settings":
        url = self.warehouse_dsn
        if url is not None and urlsplit(url).scheme != "postgresql":
            raise ValueError("DATABASE_URL is not a PostgreSQL URL")
        if self.environment == "dev":
            return self
        if url is None:
            raise ValueError(f"DATABASE_URL is required in {self.environment}")
        if self.alias_salt.get_secret_value() == DEV_SALT:
            raise ValueError(f"WDH_ALIAS_SALT is required in {self.environment}")
        if self.environment == "prod" and self.fault:
            raise ValueError("WDH_FAULT is refused in prod")
        return self

    @property
    def warehouse_dsn(self) -> str | None:
        """The database URL as libpq reads it, from DATABASE_URL or the parts; None when neither is set.

        It holds the password: never print it.
        """
        if self.database_url is not None:
            scheme, separator, rest = self.database_url.get_secret_value().partition("://")
            return f"postgresql://{rest}" if separator and scheme in _POSTGRES_SCHEMES else f"{scheme}{separator}{rest}"
        if not self.database_host:
            return None
        password = self.database_password.get_secret_value() if self.database_password else ""
        secret = f":{quote(password, safe='')}" if password else ""
        user = f"{quote(self.database_user, safe='')}{secret}@" if self.database_user else ""
        return f"postgresql://{user}{self.database_host}:{self.database_port}/{quote(self.database_name, safe='')}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read at the first call; raises ConfigError naming the variable, never its value."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        variable = str(first["loc"][0]) if first["loc"] else None
        raise ConfigError(
            first["msg"].removeprefix("Value error, "),
            operation="settings",
            field=variable,
            hint="see .env.example for every setting",
        ) from None


def env_example() -> str:
    """The text of `.env.example`: every setting with its meaning and default, placeholders for secrets."""
    lines = [
        "# Every setting of WorkDataHub. Generated by `wdh schema docs`; copy to .env and change what you need.",
        "# The shell's environment beats .env, which beats .wdh_env.",
        "",
    ]
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        names = [str(choice) for choice in alias.choices] if isinstance(alias, AliasChoices) else []
        also = f" (also {', '.join(names[1:])})" if len(names) > 1 else ""
        default = "" if isinstance(field.default, SecretStr) or field.default is None else field.default
        lines += [f"# {field.description}{also}", f"#{names[0]}={default}", ""]
    return "\n".join(lines)
