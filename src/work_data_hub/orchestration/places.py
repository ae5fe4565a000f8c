"""Settings become the place a run works in; the command line and Dagster use the same."""

import getpass

from work_data_hub.io.database import warehouse_url
from work_data_hub.io.faults import Faults
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import Settings


def workplace(settings: Settings, *, execute: bool) -> Workplace:
    """The place the settings describe; an executed run has a migrated database, a plan may have none."""
    return Workplace(
        data_root=settings.data_root,
        config_dir=settings.config_dir,
        home=settings.home,
        database_url=warehouse_url(settings, for_execute=execute),
        alias_salt=settings.alias_salt.get_secret_value(),
        actor=getpass.getuser(),
        faults=Faults.parse(settings.fault),
    )
