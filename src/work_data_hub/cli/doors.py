"""What every command does first: settings are read once, logging is set up."""

import logging

from work_data_hub.log import configure_logging
from work_data_hub.settings import Settings, get_client_settings, get_settings


def open_door(*, debug: bool = False, api: str = "") -> Settings:
    """The settings; logs go to stderr, only warnings and worse unless LOG_LEVEL or --debug asks for more.

    A command that asks the API at a URL needs no database of its own, and no salt.
    """
    settings = get_client_settings() if api else get_settings()
    level = "DEBUG" if debug else settings.log_level if "log_level" in settings.model_fields_set else "WARNING"
    configure_logging(settings, level=level)
    if not debug:
        logging.getLogger("dagster").setLevel(logging.CRITICAL)
    return settings
