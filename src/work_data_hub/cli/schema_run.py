"""`wdh schema` and `wdh rule`: what they do."""

from pathlib import Path

from work_data_hub.cli.arguments import declared_domain
from work_data_hub.cli.documents import documents
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.explanations import explanations
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.tables import create_table_text
from work_data_hub.errors import ConfigError, SchemaDrift, UsageError
from work_data_hub.io.database import existing_url
from work_data_hub.io.postgres import connect
from work_data_hub.io.schema_drift import drift


def print_create_table(domain: str) -> None:
    """Print the text; an unknown domain names the declared ones."""
    print(create_table_text(declared_domain(domain, field="DOMAIN")))


def check_drift() -> None:
    """Print `as declared` for each table, or raise SchemaDrift with every difference."""
    connection = connect(existing_url(open_door()), application_name="wdh schema check")
    try:
        differences = [line for domain in DOMAINS.values() for line in drift(connection, domain)]
    finally:
        connection.close()
    if differences:
        raise SchemaDrift("; ".join(differences), hint="wdh db migrate, or add a migration for the declaration")
    print("\n".join(f"{domain.table}: as declared" for domain in DOMAINS.values()))


def write_docs(folder: str, *, only_check: bool) -> None:
    """Write or compare the generated pages; raises ConfigError naming the stale ones."""
    stale = []
    for name, text in documents().items():
        page = Path(folder) / name
        current = page.read_text(encoding="utf-8") if page.is_file() else ""
        if current == text:
            continue
        stale.append(str(page))
        if not only_check:
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    if only_check and stale:
        raise ConfigError(f"stale pages: {', '.join(stale)}", hint="wdh schema docs")
    print("\n".join(stale) if stale else "every page is current")


def print_rule(code: str) -> None:
    """Print one rule or type of error, or all of them."""
    known = explanations()
    wanted = code.strip("[] ").upper()
    if wanted and wanted not in known:
        raise UsageError(f"no rule or error {code!r}", hint=f"known: {', '.join(known)}")
    print("\n\n".join(str(known[name]) for name in ([wanted] if wanted else known)))
