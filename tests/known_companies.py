"""What the index of companies knows once somebody has told it all of the sample."""

from work_data_hub.domain.identity.names import NORMALISER_VERSION, normalise_name
from work_data_hub.domain.sample.plans import plan_book
from work_data_hub.io.postgres import Connection, transaction

SEED = 7


def know_everybody(warehouse: Connection) -> None:
    """Tell the index all companies of the sample."""
    known = {normalise_name(name): company for name, company in plan_book(SEED).company_ids.items()}
    with transaction(warehouse), warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.enrichment_index"
            " (lookup_key, lookup_type, company_id, confidence, source, normaliser_version)"
            " select name, 'customer_name', company, 0.9, 'manual', %s from unnest(%s, %s) as given (name, company)"
            " on conflict (lookup_key, lookup_type) do update set company_id = excluded.company_id",
            (NORMALISER_VERSION, list(known), list(known.values())),
        )
