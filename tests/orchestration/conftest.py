"""What tests of batch runs begin with."""

import pytest

from work_data_hub.io.demo_films import seed_films
from work_data_hub.io.postgres import Connection, transaction


@pytest.fixture
def films(warehouse: Connection) -> Connection:
    """The warehouse with the ten films of the demo."""
    with transaction(warehouse), warehouse.cursor() as cursor:
        seed_films(cursor, scale=0)
    return warehouse
