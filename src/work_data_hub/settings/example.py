"""The text of `.env.example`."""

from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from work_data_hub.settings.environment import LEGACY, LEGACY_PARTS, PARTS, URI, URL
from work_data_hub.settings.model import Settings

# In place of a default in .env.example, where there is none to show or it must not be used.
_PLACEHOLDERS = {
    URL: "postgresql://<user>:<password>@<host>:5432/<database>",
    LEGACY: "postgresql://<user>:<password>@<host>:5432/<legacy-database>",
    "WDH_ALIAS_SALT": "<long-random-text>",
    "DAGSTER_HOME": "./.wdh/dagster",
    "LOG_FILE_DIR": "./.wdh/logs",
    "WDH_DAGSTER_PG_URL": "postgresql://<user>:<password>@<host>:5432/<dagster-database>",
    "ETL_READER_URL": "postgresql://etl_reader:<password>@<host>:5432/<database>",
    "WDH_API_TOKEN": "<long-random-text>",
    "ELASTICSEARCH_URL": "http://<host>:9200",
    "ELASTICSEARCH_USER": "<user>",
    "ELASTICSEARCH_PASSWORD": "<password>",
    "WDH_DASK_SCHEDULER": "tcp://<host>:8786",
    "WDH_FAULT": "<point>:<probability>:<seed>",
    "WDH_NOTICE_WEBHOOK": "https://<host>/<path>",
    "WDH_NOTICE_MAIL_TO": "<one@host>,<other@host>",
    "WDH_NOTICE_MAIL_SERVER": "smtp://<user>:<password>@<host>:587",
    "WDH_EQC_BASE_URL": "https://<registry>",
    "WDH_EQC_TOKEN": "<token>",
}


def env_example() -> str:
    """The text of `.env.example`: every variable with what it means and its default, all of them unset."""
    head = "# Generated from src/work_data_hub/settings. Copy to .env and set what you need.\n"
    entries = [_example_entry(field) for field in Settings.model_fields.values()]
    return "\n".join([head, *entries])


def _example_entry(field: FieldInfo) -> str:
    name = str(field.validation_alias)
    default = "" if isinstance(field.default, SecretStr) or field.default is None else _written(field.default)
    shown = _PLACEHOLDERS.get(name, default)
    meaning = wrap(f"{field.description}{f' Default: {default}' if default else ''}", width=100)
    entry = "".join(f"# {line}\n" for line in meaning) + f"#{name}={shown}\n"
    placeholders = ("<host>", "5432", "<user>", "<password>", "<database>")
    others = {URL: ((URI, *PARTS), ("<url>", *placeholders)), LEGACY: (LEGACY_PARTS, placeholders)}
    parts = zip(*others.get(name, ((), ())), strict=True)
    return entry + "".join(f"#{part}={placeholder}\n" for part, placeholder in parts)


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"./{value.as_posix()}" if isinstance(value, Path) else str(value)
