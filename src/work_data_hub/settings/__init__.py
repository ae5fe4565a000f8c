"""Settings from the environment: read once at the door, validated, frozen, handed down as a value.

The shell's environment beats `.env`, which beats `.wdh_env`; both files are looked for in the current
folder. An empty variable says "not set", and still beats the files below it.
"""

from work_data_hub.settings.environment import ENV_FILES
from work_data_hub.settings.example import env_example
from work_data_hub.settings.model import DEV_SALT, Settings, get_client_settings, get_settings

__all__ = ["DEV_SALT", "ENV_FILES", "Settings", "env_example", "get_client_settings", "get_settings"]
