"""Which months of which domain the warehouse holds, as its ledger says."""

from work_data_hub.domain.period import Period
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.queries import query


def loaded_months(cursor: Cursor) -> dict[str, frozenset[Period]]:
    """By domain, the months whose loads brought facts; a domain without any is not in it."""
    cursor.execute(query("ledger", "loaded_months"))
    months: dict[str, set[Period]] = {}
    for domain, first_day in cursor.fetchall():
        months.setdefault(domain, set()).add(Period.of(first_day))
    return {domain: frozenset(found) for domain, found in months.items()}
