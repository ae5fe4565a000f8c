"""Which plans a company has, or had, in which product line."""

import pandas as pd

from work_data_hub.io.postgres import Connection
from work_data_hub.io.queries import query

COLUMNS = ("company_id", "product_line_code", "plan_code", "valid_from")


def open_plans(connection: Connection) -> pd.DataFrame | None:
    """Every contract with the day its first version began, one row each (COLUMNS); None where there is no such table.

    Reads only, inside the caller's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute(query("open_plans", "has_contracts"))
        found = cursor.fetchone()
        if not found or not found[0]:
            return None
        cursor.execute(query("open_plans", "open_plans"))
        rows = cursor.fetchall()
    plans = pd.DataFrame(rows, columns=list(COLUMNS))
    return plans.astype(dict.fromkeys(COLUMNS[:3], "string"))
