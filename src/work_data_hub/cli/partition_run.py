"""`wdh db partition`: planned or executed, and told part by part."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing

from work_data_hub.cli.arguments import declared_domain, refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import number_lines
from work_data_hub.domain.partitions import Action, PartitionReport, Span, Wish
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import UsageError
from work_data_hub.io.database import existing_url
from work_data_hub.io.fact_partitions import partition_facts, plan_partitions
from work_data_hub.io.faults import Faults
from work_data_hub.io.postgres import Connection, connect, warehouse_errors
from work_data_hub.io.schema_head import require_head
from work_data_hub.orchestration.places import describe_database

_SAID = {
    (Action.PARTITION, False): "would be cut into parts",
    (Action.PARTITION, True): "was cut into parts",
    (Action.EXTEND, False): "would get parts that are missing",
    (Action.EXTEND, True): "got the parts that were missing",
    (Action.UNDO, False): "would be one table again",
    (Action.UNDO, True): "is one table again",
    (Action.NOTHING, False): "is as wished",
    (Action.NOTHING, True): "was as wished",
}


def run_partition(domains: str, *, by: str, undo: bool, execute: bool, lock_wait_seconds: float, report: str) -> int:
    """Plan or execute, one table after the other; prints what it does and returns the exit code."""
    refuse_form(report)
    asked, wish = _asked(domains), _wish(by, undo=undo)
    settings = open_door()
    url, faults = existing_url(settings), Faults.parse(settings.fault)

    def work(connection: Connection, domain: Domain) -> PartitionReport:
        if not execute:
            return plan_partitions(connection, domain, wish=wish)
        return partition_facts(connection, domain, wish=wish, lock_wait_seconds=lock_wait_seconds, faults=faults)

    with warehouse_errors(), closing(connect(url, application_name="wdh db partition")) as connection:
        require_head(connection)
        connection.rollback()
        done = [work(connection, domain) for domain in asked]
    mode = "execute" if execute else "plan"
    if report == "json":
        document = {"mode": mode, "tables": [one.as_json() for one in done]}
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print("\n".join([headline(describe_database(url), execute=execute), *_lines(done, execute=execute)]))
    return 0


def _asked(domains: str) -> list[Domain]:
    names = list(dict.fromkeys(name.strip() for name in domains.split(",") if name.strip()))
    if not names:
        raise UsageError("name domains", field="--domains", hint="wdh db partition --domains annuity_performance")
    return [declared_domain(name, field="--domains") for name in names]


def _wish(by: str, *, undo: bool) -> Wish:
    if by and undo:
        raise UsageError("--by and --undo contradict each other", field="--undo", hint="leave out one of them")
    if by and by not in list(Span):
        raise UsageError("--by takes year or month", field="--by", input_data=by, hint="--by year")
    return Wish(by=Span(by) if by else None, undo=undo)


def _lines(done: Sequence[PartitionReport], *, execute: bool) -> Iterator[str]:
    for one in done:
        yield f"{one.table}: {one.rows:,} rows; it {_SAID[one.action, execute]}"
        if one.parts:
            counts = [[part.name, str(part.begin), str(part.end), f"{part.rows:,}"] for part in one.parts]
            yield from number_lines([["part", "from", "before", "rows"], *counts])
        if one.rest:
            yield f"  {one.rest:,} rows {'lay' if execute else 'lie'} in no part of their own"
    if not execute and any(one.action is not Action.NOTHING for one in done):
        yield "next: the same with --execute, as wdh_migrator, when nothing is loaded"
