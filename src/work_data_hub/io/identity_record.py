"""What a load leaves behind of its companies, written in the load's own transaction."""

from datetime import datetime

from work_data_hub.domain.identity.record import IdentityEffect, IdentityRecord
from work_data_hub.io.identity_index import IndexEffect, count_hits, write_entries
from work_data_hub.io.lookup_queue import enqueue
from work_data_hub.io.postgres import Cursor
from work_data_hub.io.registry_store import record_answers


def write_identity(
    cursor: Cursor, record: IdentityRecord, *, table: str, load_id: int, now: datetime
) -> IdentityEffect:
    """Queue the unknown names, keep the registry's answers, teach the index and count what it was good for."""
    # The queue first: a worker that settles one of these names waits for the index while it holds the name.
    queued = enqueue(cursor, record.unknown, load_id=load_id, searched_days=record.rules.searched_days)
    asked = _record_answers(cursor, record, now=now)
    taught = write_entries(cursor, record.taught, domain=record.domain, table=table)
    count_hits(cursor, record.used)
    effects = (*asked, taught)
    return IdentityEffect(
        learned=sum(effect.inserted for effect in effects),
        replaced=sum(effect.replaced for effect in effects),
        queued=queued,
    )


def _record_answers(cursor: Cursor, record: IdentityRecord, *, now: datetime) -> tuple[IndexEffect, ...]:
    if not record.answers:
        return ()
    effect = record_answers(cursor, record.answers, rules=record.rules, domain=record.domain, now=now)
    return tuple(one for one in (effect.names, effect.former_names) if one)
