"""`wdh identity names` and `wdh identity unknown`: what they do."""

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd

from work_data_hub.cli.arguments import declared_domain, refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import page_width, short_text, table_lines
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.exact import written as exact_digits
from work_data_hub.domain.identity.names import NORMALISER_VERSION, RULES, explain_name, normalise_name
from work_data_hub.domain.period import Period
from work_data_hub.errors import UsageError
from work_data_hub.io.database import existing_url
from work_data_hub.io.postgres import connect, read_only, warehouse_errors
from work_data_hub.io.rejected_sheets import is_missing
from work_data_hub.io.schema_head import require_head
from work_data_hub.io.unknown_names import export_names, stored_unknown_names
from work_data_hub.log import get_logger
from work_data_hub.settings import Settings

log = get_logger(__name__)
SHOWN = 20
_NO_NAME = "(no name)"


def show_names(*, written: tuple[str, ...], report: str) -> None:
    """Print the rules, or the form of each name given and the rules that made it."""
    refuse_form(report)
    if report == "json":
        print(json.dumps(_names_document(written), ensure_ascii=False, indent=2))
        return
    print(f"name normaliser, version {NORMALISER_VERSION}")
    if written:
        rows = [(name, normalise_name(name) or _NO_NAME, _listed(explain_name(name))) for name in written]
        lines = [("written", "form", "changed by"), *rows]
    else:
        lines = [(f"{at}", rule.name, rule.says) for at, rule in enumerate(RULES, 1)]
    print("\n".join(table_lines(lines, width=page_width())))
    if not written:
        print("applied in this order, again and again until nothing changes")


def _names_document(written: tuple[str, ...]) -> dict[str, Any]:
    return {
        "command": "identity names",
        "version": NORMALISER_VERSION,
        "rules": [{"name": rule.name, "says": rule.says, "takes_words": rule.takes_words} for rule in RULES],
        "names": [
            {"written": name, "form": normalise_name(name) or None, "changed_by": list(explain_name(name))}
            for name in written
        ],
        "error": None,
    }


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rules) or "nothing"


def show_unknown(*, domain: str, period: str, csv: str, xlsx: str, report: str) -> None:
    """Print the names behind temporary ids and write them where asked to; raises UsageError without a database."""
    refuse_form(report)
    if csv and xlsx:
        raise UsageError("one file at a time", field="--csv", hint="give --csv or --xlsx")
    domains = (declared_domain(domain, field="--domain"),) if domain else tuple(DOMAINS.values())
    month = Period.parse(period) if period else None
    settings = open_door()
    names = _stored(settings, domains=domains, month=month)
    target = csv or xlsx
    if target:
        export_names(Path(target), names, as_workbook=bool(xlsx))
        log.info("unknown_names.written", names=len(names))
    if report == "json":
        print(json.dumps(_unknown_document(names, target), ensure_ascii=False, indent=2))
    else:
        print("\n".join(_unknown_lines(names, target)))


def _stored(settings: Settings, *, domains: tuple[Any, ...], month: Period | None) -> pd.DataFrame:
    url = existing_url(settings)
    with warehouse_errors(), closing(connect(url, application_name="wdh identity")) as connection:
        require_head(connection)
        with read_only(connection):
            return stored_unknown_names(connection, domains, period=month)


def _unknown_document(names: pd.DataFrame, target: str) -> dict[str, Any]:
    records = names.to_dict(orient="records")
    return {
        "command": "identity unknown",
        "names": [{str(key): _as_json(value) for key, value in record.items()} for record in records],
        "path": str(Path(target).resolve()) if target else None,
        "error": None,
    }


def _as_json(value: object) -> object:
    if is_missing(value):
        return None
    return value if isinstance(value, int | str) else str(value)


def _unknown_lines(names: pd.DataFrame, target: str) -> Iterator[str]:
    if names.empty:
        yield "no name stands behind a temporary id"
        if target:
            yield f"written: {target}, without a name"
        return
    rows = int(names["occurrence_count"].sum())
    yield f"{len(names):,} names behind temporary ids, {rows:,} rows"
    titles = ("name", "temporary id", "since", "rows", "assets 元", "domains")
    yield from table_lines([titles, *(_cells(record) for record in names.head(SHOWN).to_dict(orient="records"))])
    if target:
        yield f"written: {target}"
    elif len(names) > SHOWN:
        yield f"  … and {len(names) - SHOWN:,} more: --csv FILE or --xlsx FILE writes all, --report json shows them"
    yield "next: wdh identity queue --drain asks the registry, wdh identity review shows what it was not sure of;"
    yield "      a company that you know goes into config/mappings/company_id/company_id_overrides_name.yml"


def _cells(record: Any) -> tuple[str, ...]:
    assets = record["closing_assets"]
    return (
        short_text(record["company_name"]),
        record["temporary_id"],
        f"{record['first_seen']:%Y-%m}",
        f"{record['occurrence_count']:,}",
        "" if is_missing(assets) else exact_digits(assets),
        record["domains"],
    )
