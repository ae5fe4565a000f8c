"""The declared table against the one in the database."""

from work_data_hub.domain.spec import Domain
from work_data_hub.domain.tables import expected_columns
from work_data_hub.io.postgres import Connection
from work_data_hub.io.queries import query


def drift(connection: Connection, domain: Domain) -> list[str]:
    """Every difference in a sentence: missing and extra columns, other types, other nullability; [] for none."""
    schema, table = domain.schema_and_table
    with connection.cursor() as cursor:
        cursor.execute(query("schema", "table_columns"), {"schema": schema, "table": table})
        found = {name: (kind, nullable) for name, kind, nullable in cursor.fetchall()}
    connection.rollback()
    if not found:
        return [f"{domain.table} does not exist"]
    expected = expected_columns(domain)
    missing = [f"{domain.table} lacks {name}" for name in expected if name not in found]
    extra = [
        f"{domain.table} has {name}, which is not declared"
        for name in found
        if name not in expected and name not in ("id", "created_at", "updated_at")
    ]
    other = [
        f"{domain.table}.{name} is {_words(found[name])}, declared {_words(expected[name])}"
        for name in expected
        if name in found and found[name] != expected[name]
    ]
    return missing + extra + other


def _words(column: tuple[str, bool]) -> str:
    kind, nullable = column
    return kind if nullable else f"{kind} not null"
